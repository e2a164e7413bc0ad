-- Gives a shard its number, the same at each call.
--
-- KEYS: directory. ARGV: kind/name/uid/index. Answers the number.

local number = redis.call('HGET', KEYS[1], ARGV[1])
if number then
  return tonumber(number)
end
number = redis.call('HINCRBY', KEYS[1], 'next', 1)
redis.call('HSET', KEYS[1], ARGV[1], number)
return number
