-- KEYS window, slots, charged. ARGV now, job, tokens that were really used.
-- What was charged too much goes back to its own second; what is missing is charged to this one.
local window, slots, charged = KEYS[1], KEYS[2], KEYS[3]
local missing = tonumber(ARGV[3])
redis.call('ZREM', slots, ARGV[2])
forget_old(window)
local before = redis.call('GET', charged)
if before then
  redis.call('DEL', charged)
  local then_second, estimate = string.match(before, '(%d+):(%d+)')
  local bucket = 't' .. then_second
  local alive = number(window, bucket)  -- 0 when it has been forgotten
  if alive > 0 then
    missing = missing - tonumber(estimate)
    if missing < 0 then
      redis.call('HINCRBY', window, bucket, math.max(missing, -alive))
      redis.call('HINCRBY', window, 'tokens', math.max(missing, -alive))
    end
  end
end
charge(window, 'tokens', missing)
