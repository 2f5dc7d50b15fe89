/** Opens connections of ioredis: the only place that touches the driver. */
import type * as Driver from 'ioredis'
import { MsgStreamError } from '../errors.ts'
import type { RedisClient, RedisTemplate } from './client.ts'

/** Never send again what may have been done, never keep a command for later. */
const safe = { autoResendUnfulfilledCommands: false, enableOfflineQueue: false, maxRetriesPerRequest: null, lazyConnect: false, enableAutoPipelining: false }
const retryStrategy = (times: number): number => Math.min(20 * 2 ** Math.min(times, 6), 1000)

async function loadDriver(): Promise<typeof Driver> {
  try {
    return await import('ioredis')
  } catch (cause) {
    throw new MsgStreamError('MSG_DRIVER_MISSING', 'the Redis backend needs the package ioredis: npm install ioredis', { cause })
  }
}

/** A function that makes connections, from a URL or after the pattern of a client. */
export async function connector(url: string | undefined, template: RedisTemplate | undefined): Promise<() => RedisClient> {
  if (template !== undefined) return () => template.duplicate({ ...safe, retryStrategy }) as RedisClient
  const { Redis } = await loadDriver()
  return () => new Redis(url ?? '', { ...safe, retryStrategy })
}
