/**
 * A store on Redis 6.2 or newer (single node, Sentinel, Cluster), through ioredis. Each operation is one Lua script.
 *
 * @example
 * import { openRedisKV } from '@timetick/kv/redis'
 * const kv = await openRedisKV({ url: 'redis://127.0.0.1:6379', rootPath: 'by-dev' })
 */
import { checkInteger, expected, outOfRange, rootPrefix } from './check.ts'
import type { Clock } from './clock.ts'
import { systemClock } from './edge.ts'
import { createEngineKV } from './engine-kv.ts'
import type { KVBase } from './kv.ts'
import type { RedisTemplate } from './redis/client.ts'
import { Connection } from './redis/connection.ts'
import { connector } from './redis/driver.ts'
import { durabilityOf, RedisEngine } from './redis/engine.ts'
import { redisFeatures } from './redis/features.ts'
import { scriptHead, scripts, storeKeys } from './redis/scripts.ts'
import { Tail } from './redis/tail.ts'

export type { RedisTemplate } from './redis/client.ts'

export interface RedisKVOptions {
  /** `redis://user:password@host:port/db`, `rediss:` for TLS. Either this or `client`. */
  readonly url?: string | undefined
  /** A `Redis` (also with Sentinels) or `Cluster` of ioredis: the store opens its own connections like it and leaves it alone. */
  readonly client?: RedisTemplate | undefined
  /** Name of the store on this server: its keys begin with `{<store>}:`. Default `timetick-kv`. */
  readonly store?: string | undefined
  /** Put before every key with a `/`. At most 512 UTF-8 bytes. */
  readonly rootPath?: string | undefined
  /** Every call ends within this time. Default 5,000. */
  readonly timeoutMs?: number | undefined
  /** Entries of the change log kept for watches, one for each revision and each 1,000 changes in it. Default 10,000. */
  readonly maxHistory?: number | undefined
  /** Bytes that may wait for the consumer of one watch before it ends with `KV_WATCH_LAGGED`. Default 16 MiB. */
  readonly maxWatchLagBytes?: number | undefined
  /** Time of deadlines and pauses; leases live by the server's clock. Default: the system's. */
  readonly clock?: Clock | undefined
}

/**
 * Connects to Redis and makes sure that it answers.
 *
 * @throws KVError `KV_UNAVAILABLE`, `KV_TIMEOUT` (nobody answers), `KV_DRIVER_MISSING`.
 */
export async function openRedisKV(options: RedisKVOptions): Promise<KVBase> {
  const { root, store, timeoutMs, maxHistory, maxWatchLagBytes } = checkOptions(options)
  const clock = options.clock ?? systemClock
  const connect = await connector(options.url, options.client)
  const main = new Connection(connect(), clock, timeoutMs)
  try {
    const keys = storeKeys(store)
    await main.run(scripts.tail, scriptHead(keys, maxHistory), { what: 'open', isWrite: false })
    const connectTail = async (): Promise<Connection> => new Connection(connect(), clock, timeoutMs)
    const tail = new Tail({ main, connect: connectTail, keys, maxHistory, maxWatchLagBytes, clock })
    const features = redisFeatures(await durabilityOf(main))
    return createEngineKV(new RedisEngine({ main, tail, keys, maxHistory, features }), root)
  } catch (error) {
    main.abort()
    throw error
  }
}

function checkOptions(options: RedisKVOptions) {
  if (typeof options !== 'object' || options === null) throw expected('options', 'an object', options)
  const { url, client, store = 'timetick-kv' } = options
  if ((url === undefined) === (client === undefined)) throw new TypeError('expected either `url` or `client`')
  if (url !== undefined && typeof url !== 'string') throw expected('url', 'a string', url)
  if (url === '') throw outOfRange('url', 'a URL', url)
  if (client !== undefined && (typeof client !== 'object' || client === null || typeof client.duplicate !== 'function')) {
    throw expected('client', 'a Redis or Cluster of ioredis', client)
  }
  if (typeof store !== 'string') throw expected('store', 'a string', store)
  if (!/^[^{}]{1,128}$/.test(store)) throw outOfRange('store', '1 to 128 characters without { and }', store)
  const amount = (name: 'timeoutMs' | 'maxHistory' | 'maxWatchLagBytes', fallback: number, least: number): number => {
    const value = options[name] ?? fallback
    checkInteger(name, value, least, 2 ** 31 - 1)
    return value
  }
  return {
    root: rootPrefix(options.rootPath),
    store,
    timeoutMs: amount('timeoutMs', 5000, 1),
    maxHistory: amount('maxHistory', 10_000, 1),
    maxWatchLagBytes: amount('maxWatchLagBytes', 16 * 1024 * 1024, 1),
  }
}
