-- KEYS slots of each job. ARGV now, lease ms, each job. Only slots that are still held: an ended job's must not return.
for index, slots in ipairs(KEYS) do
  redis.call('ZADD', slots, 'XX', now + tonumber(ARGV[2]), ARGV[index + 2])
  redis.call('PEXPIRE', slots, ARGV[2])
end
