-- Changes what exists in the pool; only the pool's owner may.
--
-- KEYS: meta of the pool, entries, topology. ARGV: the owner's epoch, a document or nothing, then kind/name and value
-- of each entry; one without a value goes.
-- Answers the new version of the entries, or nothing when somebody else owns the pool by now.

if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return false
end
if ARGV[2] ~= '' then
  redis.call('SET', KEYS[3], ARGV[2])
end
for place = 3, #ARGV, 2 do
  if ARGV[place + 1] == '' then
    redis.call('HDEL', KEYS[2], ARGV[place])
  else
    redis.call('HSET', KEYS[2], ARGV[place], ARGV[place + 1])
  end
end
return redis.call('HINCRBY', KEYS[1], 'version', 1)
