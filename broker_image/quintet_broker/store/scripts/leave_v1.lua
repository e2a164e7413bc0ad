-- Takes a broker out of the pool, at its own wish; it may ask again, to see who is there now.
--
-- KEYS: pods, meta of the pool. ARGV: name, incarnation, 1 where it stays as long as no other broker is there.
-- Answers {generation, version of the entries, pods as pairs}, as they are then.

local pods, meta = KEYS[1], KEYS[2]
local mine = redis.call('HGET', pods, ARGV[1])
local stays = ARGV[3] == '1' and redis.call('HLEN', pods) == 1
if mine and string.match(mine, '^(%d+):') == ARGV[2] and not stays then
  redis.call('HDEL', pods, ARGV[1])
  redis.call('HINCRBY', meta, 'generation', 1)
end
local known = redis.call('HMGET', meta, 'generation', 'version')
return {tonumber(known[1]) or 0, tonumber(known[2]) or 0, redis.call('HGETALL', pods)}
