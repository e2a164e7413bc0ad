-- Takes a broker out of the pool, at its own wish.
--
-- KEYS: pods, meta of the pool. ARGV: name, incarnation.

local mine = redis.call('HGET', KEYS[1], ARGV[1])
if mine and string.match(mine, '^(%d+):') == ARGV[2] then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('HINCRBY', KEYS[2], 'generation', 1)
end
return 0
