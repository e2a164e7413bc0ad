-- Takes a shard over: gives it a new epoch, so that every write of an earlier owner is refused.
--
-- KEYS: meta. ARGV: the lowest epoch to give, the id of this Redis process, how far a tail jumps, the generation of
-- the pool by which the taker owns the shard, the taker's name, 1 where it owned the shard before.
-- Who goes by an older generation than its owner is refused: the answer is that owner's generation, as text.
-- Where the shard was last taken in another store, or is gone, each tail jumps: a store that lost its last writes
-- must not give their offsets out again. The hole is kept as gap:<log>:<start> = <end>.
-- Answers the new epoch.

local meta = KEYS[1]
local held = redis.call('HMGET', meta, 'epoch', 'store', 'by')
if (tonumber(held[3]) or 0) > tonumber(ARGV[4]) then
  return held[3]
end
local epoch = math.max((tonumber(held[1]) or 0) + 1, tonumber(ARGV[1]))

redis.call('HSET', meta, 'format', '1', 'epoch', epoch, 'store', ARGV[2], 'by', ARGV[4], 'owner', ARGV[5])
redis.call('HSETNX', meta, 'tick', 0)
redis.call('HSETNX', meta, 'tail:0', 0)
if held[2] and held[2] ~= ARGV[2] or not held[2] and ARGV[6] == '1' then
  for _, field in ipairs(redis.call('HKEYS', meta)) do
    local log = string.match(field, '^tail:(%d+)$')
    if log then
      local start = redis.call('HGET', meta, field)
      redis.call('HSET', meta, 'gap:' .. log .. ':' .. start, redis.call('HINCRBY', meta, field, ARGV[3]))
    end
  end
end
return epoch
