-- KEYS window, slots, charged. ARGV now, limits of requests, tokens and slots (-1: none), requests, tokens, job, lease ms
-- (0: it takes no slot).
-- Returns which limit refuses (0: none), requests, ms to their reset, tokens, ms to theirs, jobs, ms to wait.
local window, slots, charged = KEYS[1], KEYS[2], KEYS[3]
local most_requests, most_tokens, most_jobs = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local requests, tokens, job, lease = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7], tonumber(ARGV[8])

-- What is more than the whole limit passes alone, or it could never pass.
if most_requests >= 0 then requests = math.min(requests, most_requests) end
if most_tokens >= 0 then tokens = math.min(tokens, most_tokens) end

forget_old(window)
redis.call('ZREMRANGEBYSCORE', slots, '-inf', now)
local used_requests, used_tokens = number(window, 'requests'), number(window, 'tokens')
local jobs = redis.call('ZCARD', slots)

local refusal, wait = 0, 0
if most_requests >= 0 and used_requests + requests > most_requests then
  refusal, wait = 1, frees_in(window, 'requests', used_requests + requests - most_requests)
elseif most_tokens >= 0 and used_tokens + tokens > most_tokens then
  refusal, wait = 2, frees_in(window, 'tokens', used_tokens + tokens - most_tokens)
elseif lease > 0 and most_jobs >= 0 and jobs >= most_jobs then
  refusal = 3
else
  charge(window, 'requests', requests)
  charge(window, 'tokens', tokens)
  used_requests, used_tokens = used_requests + requests, used_tokens + tokens
  if lease > 0 then
    redis.call('ZADD', slots, now + lease, job)
    redis.call('PEXPIRE', slots, lease)
    jobs = jobs + 1
  end
  if job ~= '' and tokens > 0 then
    redis.call('SET', charged, second .. ':' .. tokens, 'PX', (SECONDS + 1) * 1000)
  end
end
return { refusal, used_requests, reset_in(window, 'requests'), used_tokens, reset_in(window, 'tokens'), jobs, wait }
