/**
 * Each operation is one Lua script, so it is one step for everybody. Keys of a store (all in one slot of a cluster):
 *
 *     {store}:k   sorted set of the keys, all with score 0: ordered by bytes
 *     {store}:d   hash, key -> "<revision> <lease or nothing> <value>"
 *     {store}:m   hash, r: revision, base: revision at the beginning (unique to this life of the data), l: leases granted,
 *                 server: the server's replication id at the last write
 *     {store}:c   stream, the change log: <revision>-<part> -> n: parts that follow, then C|P|D<key> -> value
 *     {store}:e   sorted set of leases by the time of their end, ms of the server's clock
 *     {store}:l:<lease>  set of the keys that go with it
 *
 * Revisions begin at the server's time in microseconds: if the data is lost, they go on above those that were given. A server
 * that was started again, or a replica that took over, may have lost the last ones: its first write sets the revision to the time
 * once more and leaves a mark in the log, <revision>-0 -> n: 0, E: <the revision before>. Whoever saw more than that finds out.
 */
import { createHash } from 'node:crypto'

const PRELUDE = `
local K, D, M, C, E, L = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local call = redis.call
local history = tonumber(ARGV[1])
local function begin()
  local r = call('HGET', M, 'r')
  if r then return r end
  local t = call('TIME')
  r = string.format('%.0f', t[1] * 1000000 + t[2])
  call('HSET', M, 'r', r, 'base', r)
  return r
end
local function split(packed)
  local a = string.find(packed, ' ', 1, true)
  local b = string.find(packed, ' ', a + 1, true)
  return string.sub(packed, 1, a - 1), string.sub(packed, a + 1, b - 1)
end
local function remove(key, list)
  local packed = call('HGET', D, key)
  if not packed then return end
  local _, lease = split(packed)
  if lease ~= '' then call('SREM', L .. lease, key) end
  call('HDEL', D, key)
  call('ZREM', K, key)
  list[#list + 1] = 'D' .. key
  list[#list + 1] = ''
end
local isSame = false
local function checkServer()
  isSame = true
  local info = redis.pcall('INFO', 'replication')
  local id = type(info) == 'string' and string.match(info, 'master_replid:(%w+)')
  if not id then return end
  local known = call('HGET', M, 'server')
  if known == id then return end
  call('HSET', M, 'server', id)
  if not known then return end
  local r = begin()
  local t = call('TIME')
  local now = string.format('%.0f', math.max(t[1] * 1000000 + t[2], tonumber(r) + 1))
  call('HSET', M, 'r', now)
  call('XADD', C, now .. '-0', 'n', 0, 'E', r)
end
local function nextRevision()
  if not isSame then checkServer() end
  return string.format('%.0f', call('HINCRBY', M, 'r', 1))
end
local function log(r, list)
  local parts = math.ceil(#list / 2000)
  for part = 0, parts - 1 do
    call('XADD', C, r .. '-' .. part, 'n', parts - 1 - part, unpack(list, part * 2000 + 1, math.min(#list, part * 2000 + 2000)))
  end
  if call('XLEN', C) > history then call('XTRIM', C, 'MAXLEN', history) end
end
local function endLease(id)
  call('ZREM', E, id)
  local keys = call('SMEMBERS', L .. id)
  if #keys == 0 then return end
  local list = {}
  for _, key in ipairs(keys) do remove(key, list) end
  call('DEL', L .. id)
  log(nextRevision(), list)
end
local function reap()
  local first = call('ZRANGE', E, 0, 0, 'WITHSCORES')
  if not first[1] then return end
  local t = call('TIME')
  local now = t[1] * 1000 + math.floor(t[2] / 1000)
  while first[1] and tonumber(first[2]) <= now do
    endLease(first[1])
    first = call('ZRANGE', E, 0, 0, 'WITHSCORES')
  end
  return first[1] and tonumber(first[2]) - now
end
begin()
local wait = reap()
`

const WRITE = `
local lease, conditions, removals, prefix = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1'
if lease ~= '' and not call('ZSCORE', E, lease) then return {2, begin()} end
local at = 6
for _ = 1, conditions do
  local kind, key, value = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  at = at + 3
  local packed = call('HGET', D, key)
  local now
  if kind == 'e' then now = packed and '1' or '0' else now = packed and split(packed) or '0' end
  if now ~= value then return {0, begin()} end
end
local firstRemoval = at
at = at + removals
local min, max
if prefix then
  min, max = ARGV[at], ARGV[at + 1]
  at = at + 2
end
local list = {}
if removals > 0 or prefix then
  local saved = {}
  for index = at, #ARGV, 2 do saved[ARGV[index]] = true end
  for index = firstRemoval, firstRemoval + removals - 1 do
    if not saved[ARGV[index]] then remove(ARGV[index], list) end
  end
  if prefix then
    for _, key in ipairs(call('ZRANGEBYLEX', K, min, max)) do remove(key, list) end
  end
end
if at > #ARGV and #list == 0 then return {1, begin()} end
local r = nextRevision()
for index = at, #ARGV, 2 do
  local key, value = ARGV[index], ARGV[index + 1]
  local packed = call('HGET', D, key)
  local former = ''
  if packed then
    local _, held = split(packed)
    former = held
  else
    call('ZADD', K, 0, key)
  end
  if former ~= lease then
    if former ~= '' then call('SREM', L .. former, key) end
    if lease ~= '' then call('SADD', L .. lease, key) end
  end
  call('HSET', D, key, r .. ' ' .. lease .. ' ' .. value)
  list[#list + 1] = (packed and 'P' or 'C') .. key
  list[#list + 1] = value
end
log(r, list)
return {1, r}
`

const GET = `
local parts = {begin()}
for from = 2, #ARGV, 4000 do parts[#parts + 1] = call('HMGET', D, unpack(ARGV, from, math.min(#ARGV, from + 3999))) end
return parts
`

const RANGE = `
local count = tonumber(ARGV[4])
local keys
if count < 0 then keys = call('ZRANGEBYLEX', K, ARGV[2], ARGV[3]) else keys = call('ZRANGEBYLEX', K, ARGV[2], ARGV[3], 'LIMIT', 0, count + 1) end
local more = 0
if count >= 0 and #keys > count then
  more = 1
  keys[#keys] = nil
end
local parts = {begin(), more, keys}
for from = 1, #keys, 4000 do parts[#parts + 1] = call('HMGET', D, unpack(keys, from, math.min(#keys, from + 3999))) end
return parts
`

const GRANT = `
local t = call('TIME')
local id = call('HGET', M, 'base') .. '-' .. call('HINCRBY', M, 'l', 1) .. '-' .. ARGV[2]
call('ZADD', E, t[1] * 1000 + math.floor(t[2] / 1000) + tonumber(ARGV[2]), id)
return id
`

const KEEP = `
if not call('ZSCORE', E, ARGV[2]) then return 0 end
local t = call('TIME')
call('ZADD', E, t[1] * 1000 + math.floor(t[2] / 1000) + tonumber(ARGV[3]), ARGV[2])
return 1
`

const REVOKE = `
endLease(ARGV[2])
return 1
`

/** Where the store is, and after how many ms the next lease ends. */
const TAIL = `
return {begin(), call('HGET', M, 'base'), wait or -1}
`

/** A piece of the change log with what is known about its beginning. */
const LOG = `
local first = call('XRANGE', C, '-', '+', 'COUNT', 1)
return {begin(), call('HGET', M, 'base'), first[1] and first[1][1] or '', call('XRANGE', C, ARGV[2], '+', 'COUNT', ARGV[3])}
`

export interface Script {
  readonly text: string
  readonly sha: string
}

function script(body: string): Script {
  const text = PRELUDE + body
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}

export const scripts = {
  write: script(WRITE),
  get: script(GET),
  range: script(RANGE),
  grant: script(GRANT),
  keep: script(KEEP),
  revoke: script(REVOKE),
  tail: script(TAIL),
  log: script(LOG),
} as const

/** The keys of a store, as the scripts take them. */
export function storeKeys(store: string): readonly string[] {
  return ['k', 'd', 'm', 'c', 'e', 'l:'].map((part) => `{${store}}:${part}`)
}

/** What every script is called with first. */
export function scriptHead(keys: readonly string[], maxHistory: number): readonly (string | number)[] {
  return [keys.length, ...keys, maxHistory]
}
