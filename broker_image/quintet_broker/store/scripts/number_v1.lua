-- Gives a shard its number, the same at each call.
--
-- KEYS: directory. ARGV: kind/name/uid/index, the id of this Redis process, how far numbers jump.
-- Where the last number was given in another store, numbers jump: a store that lost its last writes
-- must not give them out again. Answers the number.

local directory = KEYS[1]
local number = redis.call('HGET', directory, ARGV[1])
if number then
  return tonumber(number)
end
local store = redis.call('HGET', directory, 'store')
if store and store ~= ARGV[2] then
  redis.call('HINCRBY', directory, 'next', ARGV[3])
end
number = redis.call('HINCRBY', directory, 'next', 1)
redis.call('HSET', directory, 'store', ARGV[2], ARGV[1], number)
return number
