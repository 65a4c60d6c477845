-- What a key used in the last 60 seconds: a hash of one bucket for each second (r<second> requests, t<second> tokens),
-- running totals (requests, tokens), the oldest second whose buckets may be there, and the last second of each kind.
-- A bucket counts until 61 seconds after its second began, so that no 60 seconds ever hold more than the limit.
local SECONDS = 61
local COLUMNS = { requests = 'r', tokens = 't' }

local now = tonumber(ARGV[1])  -- milliseconds; 0: Valkey's own clock, which is the same for every node
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local second = math.floor(now / 1000)

local function number(window, field)
  return tonumber(redis.call('HGET', window, field) or 0)
end

local function forget_old(window)
  local oldest = tonumber(redis.call('HGET', window, 'oldest'))
  if not oldest then return end
  local last = math.max(number(window, 'last_requests'), number(window, 'last_tokens'))
  if last <= second - SECONDS or oldest > second then  -- all over, or the clock was set back
    redis.call('DEL', window)
    return
  end
  for past = oldest, second - SECONDS do
    for total, column in pairs(COLUMNS) do
      local amount = number(window, column .. past)
      if amount > 0 then
        redis.call('HINCRBY', window, total, -amount)
        redis.call('HDEL', window, column .. past)
      end
    end
  end
  redis.call('HSET', window, 'oldest', math.max(oldest, second - SECONDS + 1))
end

local function charge(window, kind, amount)
  if amount <= 0 then return end
  redis.call('HSETNX', window, 'oldest', second)
  redis.call('HINCRBY', window, kind, amount)
  redis.call('HINCRBY', window, COLUMNS[kind] .. second, amount)
  redis.call('HSET', window, 'last_' .. kind, second)
  redis.call('PEXPIRE', window, (SECONDS + 1) * 1000)
end

local function reset_in(window, kind)
  if number(window, kind) <= 0 then return 0 end
  return (number(window, 'last_' .. kind) + SECONDS) * 1000 - now
end

-- Milliseconds until so much of the total has been forgotten.
local function frees_in(window, kind, amount)
  local oldest = number(window, 'oldest')
  for past = oldest, second do
    amount = amount - number(window, COLUMNS[kind] .. past)
    if amount <= 0 then return (past + SECONDS) * 1000 - now end
  end
  return SECONDS * 1000
end
