-- Renews a broker's lease in the pool, and takes out those whose lease has ended.
--
-- KEYS: pods, meta of the pool. ARGV: name, incarnation, milliseconds of a lease, what others should know of it, the
-- highest generation that it has seen.
-- Only who held its own lease until now takes others out: after a time without Redis nobody did, and each renews first.
-- The generation grows with each change of who is there.
-- Answers {whether the name was taken by a later incarnation, generation, version of the entries, pods as pairs}.

local pods, meta = KEYS[1], KEYS[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function parse(pod)
  local incarnation, ends = string.match(pod, '^(%d+):(%d+):')
  return tonumber(incarnation), tonumber(ends)
end

local changed, held = true, false
local mine = redis.call('HGET', pods, ARGV[1])
if mine then
  local incarnation, ends = parse(mine)
  if incarnation > tonumber(ARGV[2]) then
    return {1, 0, 0, {}}
  end
  changed = incarnation ~= tonumber(ARGV[2])
  held = not changed and ends > now
end
redis.call('HSET', pods, ARGV[1], string.format('%s:%d:%s', ARGV[2], now + ARGV[3], ARGV[4]))

local found = redis.call('HGETALL', pods)
if held then
  local ended = false
  for place = 1, #found, 2 do
    local _, ends = parse(found[place + 1])
    if ends <= now then
      redis.call('HDEL', pods, found[place])
      ended = true
    end
  end
  if ended then
    found = redis.call('HGETALL', pods)
    changed = true
  end
end

local known = redis.call('HMGET', meta, 'generation', 'version')
local generation, heard = tonumber(known[1]) or 0, tonumber(ARGV[5])
if changed or heard > generation then
  -- A store that lost generations has other members than those that went by them.
  generation = math.max(generation, heard) + 1
  redis.call('HSET', meta, 'generation', generation)
end
return {0, generation, tonumber(known[2]) or 0, found}
