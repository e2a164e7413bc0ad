-- The fenced write of one tick of one shard: all of it is applied, or nothing.
--
-- KEYS: meta, cursor, delayed, seq, then the segments and buckets that the plan names by their place in KEYS.
-- ARGV: the plan (MessagePack), then the bytes of each append.
-- Answers OK; FENCED when the epoch, the tick or a tail is not what the writer expects;
-- DUPLICATE:<first offset> when a producer's sequence was stored before.

local meta, cursor, delayed, sequences = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local plan = cmsgpack.unpack(ARGV[1])
local ARGUMENTS_AT_ONCE = 1000

local function call_in_parts(command, key, arguments)
  for first = 1, #arguments, ARGUMENTS_AT_ONCE do
    redis.call(command, key, unpack(arguments, first, math.min(first + ARGUMENTS_AT_ONCE - 1, #arguments)))
  end
end

local held = redis.call('HMGET', meta, 'epoch', 'tick')
if tonumber(held[1]) ~= plan.epoch or tonumber(held[2]) ~= plan.tick - 1 then
  return 'FENCED'
end
for log, expected in pairs(plan.tails) do
  if tonumber(redis.call('HGET', meta, 'tail:' .. log)) ~= expected then
    return 'FENCED'
  end
end
for _, source in ipairs(plan.sources) do
  local stored = redis.call('HGET', sequences, source.producer)
  if stored then
    local epoch, last, offset = string.match(stored, '^(%d+):(%d+):(%d+):')
    if tonumber(epoch) > source.epoch or (tonumber(epoch) == source.epoch and tonumber(last) >= source.sequence) then
      return 'DUPLICATE:' .. offset
    end
  end
end

for _, place in ipairs(plan.forget) do
  redis.call('UNLINK', KEYS[place])
end
if plan.remember then
  redis.call('APPEND', KEYS[plan.remember.key], plan.remember.entries)
  redis.call('PEXPIRE', KEYS[plan.remember.key], plan.remember.keep)
end
for _, place in ipairs(plan.renew) do
  redis.call('UNLINK', KEYS[place])
end
for place, append in ipairs(plan.appends) do
  redis.call('XADD', KEYS[append.segment], append.entry, 'b', ARGV[place + 1])
end
for _, source in ipairs(plan.sources) do
  redis.call('HSET', sequences, source.producer, source.state)
end
call_in_parts('HSET', meta, plan.set_meta)
call_in_parts('HDEL', meta, plan.drop_meta)
call_in_parts('HSET', cursor, plan.set_cursor)
call_in_parts('HDEL', cursor, plan.drop_cursor)
if plan.clear_delayed then
  redis.call('UNLINK', delayed)
end
call_in_parts('ZADD', delayed, plan.delay)
call_in_parts('ZREM', delayed, plan.undelay)
call_in_parts('HDEL', sequences, plan.drop_sources)
for _, place in ipairs(plan.unlink) do
  redis.call('UNLINK', KEYS[place])
end
redis.call('HSET', meta, 'tick', plan.tick, 'writer', plan.epoch)
return 'OK'
