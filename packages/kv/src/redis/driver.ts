/** Opens connections of ioredis: the only place that touches the driver. */
import type * as Driver from 'ioredis'
import { KVError } from '../errors.ts'
import type { RedisClient, RedisTemplate } from './client.ts'

/** Never send again what may have been done, never keep a write for later; a server that is still loading says so itself. */
const SAFE = { autoResendUnfulfilledCommands: false, enableOfflineQueue: false, enableReadyCheck: false, maxRetriesPerRequest: null, lazyConnect: false }
/** A delay of 0 means: do not send again what was under way when its node went. */
const SAFE_CLUSTER = { enableOfflineQueue: false, lazyConnect: false, retryDelayOnFailover: 0, clusterRetryStrategy: (times: number) => retryStrategy(times) }
const retryStrategy = (times: number): number => Math.min(20 * 2 ** Math.min(times, 6), 1000)

async function loadDriver(): Promise<typeof Driver> {
  try {
    return await import('ioredis')
  } catch (cause) {
    throw new KVError('KV_DRIVER_MISSING', 'the Redis backend needs the package ioredis: npm install ioredis', { cause })
  }
}

/** A function that makes connections, from a URL or after the pattern of a client. */
export async function connector(url: string | undefined, template: RedisTemplate | undefined): Promise<() => RedisClient> {
  if (template === undefined) {
    const { Redis } = await loadDriver()
    return () => new Redis(url ?? '', { ...SAFE, retryStrategy })
  }
  const like = template as unknown as { duplicate(...args: unknown[]): RedisClient; options?: { redisOptions?: object } }
  if (template.isCluster !== true) return () => like.duplicate({ ...SAFE, retryStrategy })
  return () => like.duplicate([], { ...SAFE_CLUSTER, redisOptions: { ...like.options?.redisOptions, ...SAFE } })
}
