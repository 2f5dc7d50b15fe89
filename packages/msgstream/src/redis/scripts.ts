/** Steps that must happen together. Sent as text: short, and a server that lost its script cache knows them too. */

/** KEYS: registry, the stream's prefix. ARGV: channel, token. Gives the token that counts. */
export const createScript = `local t = redis.call('HGET', KEYS[1], ARGV[1])
if not t then
  t = ARGV[2]
  redis.call('HSET', KEYS[1], ARGV[1], t)
end
local k = KEYS[2] .. t
if redis.call('EXISTS', k) == 0 then
  redis.call('XGROUP', 'CREATE', k, 'g', '0', 'MKSTREAM')
  redis.call('XGROUP', 'DESTROY', k, 'g')
end
return t`

/** KEYS: registry, the stream's prefix. ARGV: channel. */
export const removeScript = `local t = redis.call('HGET', KEYS[1], ARGV[1])
if t then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('DEL', KEYS[2] .. t, KEYS[2] .. t .. ':trim')
end
return 1`

/** KEYS: stream. ARGV: first id to keep. Remembers the last id that went, and how many had gone then. */
export const truncateScript = `if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local gone = redis.call('XREVRANGE', KEYS[1], '(' .. ARGV[1], '-', 'COUNT', 1)
if #gone > 0 then
  redis.call('XTRIM', KEYS[1], 'MINID', ARGV[1])
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  local f = {}
  for i = 1, #info, 2 do f[info[i]] = info[i + 1] end
  redis.call('HSET', KEYS[1] .. ':trim', 'last', gone[1][1], 'count', tostring(f['entries-added'] - f['length']))
end
return 1`

/** KEYS: stream. Gives nothing, or: number of entries that have gone, first id, last id ever, last id truncated, count then. */
export const stateScript = `if redis.call('EXISTS', KEYS[1]) == 0 then return false end
local info = redis.call('XINFO', 'STREAM', KEYS[1])
local f = {}
for i = 1, #info, 2 do f[info[i]] = info[i + 1] end
local first = ''
if f['first-entry'] then first = f['first-entry'][1] end
local trim = redis.call('HMGET', KEYS[1] .. ':trim', 'last', 'count')
return { tostring((f['entries-added'] or -1) - f['length']), first, f['last-generated-id'], trim[1] or '', trim[2] or '' }`

/** KEYS: streams. ARGV: an entry. Adds it to all of them, or to none when one is not there; then gives nothing. */
export const broadcastScript = `for i = 1, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 0 then return false end
end
local ids = {}
for i = 1, #KEYS do ids[i] = redis.call('XADD', KEYS[i], '*', 'p', ARGV[1]) end
return ids`
