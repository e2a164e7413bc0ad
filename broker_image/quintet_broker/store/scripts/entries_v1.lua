-- Changes what exists in the pool; only the pool's owner may.
--
-- KEYS: meta of the pool, entries, topology. ARGV: the owner's epoch, the version that it knows, a document or nothing,
-- then kind/name and value of each entry; one without a value goes.
-- Answers the new version of the entries, or nothing when somebody else owns the pool by now. It is higher than any that
-- the owner knows, also where a store lost its last writes.

if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return false
end
if ARGV[3] ~= '' then
  redis.call('SET', KEYS[3], ARGV[3])
end
for place = 4, #ARGV, 2 do
  if ARGV[place + 1] == '' then
    redis.call('HDEL', KEYS[2], ARGV[place])
  else
    redis.call('HSET', KEYS[2], ARGV[place], ARGV[place + 1])
  end
end
local version = math.max(tonumber(redis.call('HGET', KEYS[1], 'version') or 0), tonumber(ARGV[2])) + 1
redis.call('HSET', KEYS[1], 'version', version)
return version
