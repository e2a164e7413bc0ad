-- The fenced write of one tick of one shard: all of it is applied, or nothing.
--
-- KEYS: meta, cursor, delayed, seq, then the segments and buckets that the plan names by their place in KEYS.
-- ARGV: the plan (MessagePack, its parts in the order of their names below), then the bytes of each append that is made
-- here. Those of large ones come behind the script in its transaction, as XADD NOMKSTREAM to a key that is there only where
-- the script opened its segment, and are closed by RENAME.
-- Answers OK; FENCED when a field of meta (epoch, tick, tails) has not the value that the writer expects;
-- DUPLICATE:<first offset> when a producer's sequence was stored before.

local meta, cursor, delayed, sequences = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local fields, expected, -- of meta
  sources, -- {producer, epoch, sequence, state}
  forget, -- buckets
  remember, -- bucket, entries, milliseconds for which they are kept; or nothing
  renew, -- segments that are emptied before anything is appended
  appends, -- segment and entry id of each that is made here
  opens, -- segments that are appended to behind the script, each with its key there
  set_meta, drop_meta, set_cursor, drop_cursor, -- pairs of field and value, and fields
  clear_delayed, delay, undelay, -- whether all go; pairs of time and batch; batches
  drop_sources, -- producers
  unlink -- segments
  = unpack(cmsgpack.unpack(ARGV[1]))
local ARGUMENTS_AT_ONCE = 1000

local function call_in_parts(command, key, arguments)
  for first = 1, #arguments, ARGUMENTS_AT_ONCE do
    redis.call(command, key, unpack(arguments, first, math.min(first + ARGUMENTS_AT_ONCE - 1, #arguments)))
  end
end

for place, held in ipairs(redis.call('HMGET', meta, unpack(fields))) do
  if held ~= expected[place] then
    return 'FENCED'
  end
end
for _, source in ipairs(sources) do
  local producer, epoch, sequence = unpack(source)
  local stored = redis.call('HGET', sequences, producer)
  if stored then
    local last_epoch, last, offset = string.match(stored, '^(%d+):(%d+):(%d+):')
    if tonumber(last_epoch) > epoch or (tonumber(last_epoch) == epoch and tonumber(last) >= sequence) then
      return 'DUPLICATE:' .. offset
    end
  end
end

for _, place in ipairs(forget) do
  redis.call('UNLINK', KEYS[place])
end
if remember[1] then
  redis.call('APPEND', KEYS[remember[1]], remember[2])
  redis.call('PEXPIRE', KEYS[remember[1]], remember[3])
end
for _, place in ipairs(renew) do
  redis.call('UNLINK', KEYS[place])
end
for number = 1, #opens, 2 do
  local segment, opened = KEYS[opens[number]], KEYS[opens[number + 1]]
  if redis.call('EXISTS', segment) == 1 then
    redis.call('RENAME', segment, opened)
  else
    -- A stream without entries.
    redis.call('XADD', opened, 'MAXLEN', 0, '0-1', 'b', '')
  end
end
for number = 1, #appends / 2 do
  redis.call('XADD', KEYS[appends[2 * number - 1]], appends[2 * number], 'b', ARGV[number + 1])
end
for _, source in ipairs(sources) do
  redis.call('HSET', sequences, source[1], source[4])
end
call_in_parts('HSET', meta, set_meta)
call_in_parts('HDEL', meta, drop_meta)
call_in_parts('HSET', cursor, set_cursor)
call_in_parts('HDEL', cursor, drop_cursor)
if clear_delayed then
  redis.call('UNLINK', delayed)
end
call_in_parts('ZADD', delayed, delay)
call_in_parts('ZREM', delayed, undelay)
call_in_parts('HDEL', sequences, drop_sources)
for _, place in ipairs(unlink) do
  redis.call('UNLINK', KEYS[place])
end
return 'OK'
