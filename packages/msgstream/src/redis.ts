/**
 * `@timetick/msgstream/redis`: channels as Redis streams, one entry per send. Redis 7 or newer, one server or a sentinel group.
 *
 *     const mq = await openRedisMq({ url: 'redis://127.0.0.1:6379' })
 *     const stream = await openMsgStream({ mq })
 *
 * @module
 */
import { checkObject, intOption, show } from './check.ts'
import type { Clock } from './clock.ts'
import { randomToken, systemClock } from './edge.ts'
import { MsgStreamError } from './errors.ts'
import type { Durability } from './features.ts'
import type { Mq } from './mq.ts'
import { RedisBackend } from './redis/backend.ts'
import type { RedisTemplate } from './redis/client.ts'
import { connector } from './redis/driver.ts'
import { RedisLink } from './redis/link.ts'
import { RemoteMq } from './remote/base.ts'

export type { RedisArgument, RedisClient, RedisTemplate } from './redis/client.ts'

export interface RedisMqOptions {
  /** `redis:` or `rediss:`. Either this or `client`. */
  readonly url?: string | undefined
  /** An ioredis client whose settings are copied (`duplicate`); it is not used itself and stays open. */
  readonly client?: RedisTemplate | undefined
  /** Put before every key. @default 'timetick:' */
  readonly prefix?: string | undefined
  /** Every command ends within this time; a send that got no answer has an unknown outcome. @default 5000 */
  readonly timeoutMs?: number | undefined
  /** How long one blocking read of an idle channel lasts; a channel that another process deleted is noticed after it. @default 1000 */
  readonly blockMs?: number | undefined
  /** Bytes of sends per producer that may be under way; more is refused with `MSG_FULL`. @default 64 MiB */
  readonly maxPendingBytes?: number | undefined
  /** Bytes that a reader fetches ahead. @default 4 MiB */
  readonly maxBufferedBytes?: number | undefined
  readonly clock?: Clock | undefined
}

/** Rejects with `MSG_UNAVAILABLE` when nobody answers, `MSG_VERSION` for Redis below 7, `MSG_DRIVER_MISSING` without ioredis. */
export async function openRedisMq(options: RedisMqOptions): Promise<Mq> {
  checkObject(options, 'options')
  const { url, client, prefix = 'timetick:', clock = systemClock } = options
  if ((url === undefined) === (client === undefined)) throw new TypeError('expected either `url` or `client`')
  if (url !== undefined && (typeof url !== 'string' || !/^rediss?:\/\//.test(url))) throw new TypeError(`expected \`url\` to begin with redis:// or rediss://, got ${show(url)}`)
  if (client !== undefined && typeof (client as { duplicate?: unknown } | null)?.duplicate !== 'function') throw new TypeError(`expected \`client\` to be an ioredis client, got ${show(client)}`)
  if (typeof prefix !== 'string' || prefix.length > 100) throw new TypeError(`expected \`prefix\` to be text of at most 100 characters, got ${show(prefix)}`)
  const timeoutMs = intOption(options.timeoutMs, 'timeoutMs', 5000, 1, 2 ** 31 - 1)
  const blockMs = intOption(options.blockMs, 'blockMs', 1000, 1, 60_000)
  const maxPendingBytes = intOption(options.maxPendingBytes, 'maxPendingBytes', 64 << 20, 1, Number.MAX_SAFE_INTEGER)
  const maxBufferedBytes = intOption(options.maxBufferedBytes, 'maxBufferedBytes', 4 << 20, 1, 2 ** 31)
  const connect = await connector(url, client)
  const admin = await new RedisLink(connect(), clock, timeoutMs).ready()
  try {
    await checkVersion(admin)
    const durability = await durabilityOf(admin)
    const features = Object.freeze({
      backend: 'redis',
      durability,
      transient: false,
      truncate: true,
      atomicBroadcast: true,
      sharing: 'writers' as const,
      maxFrameBytes: 16 << 20,
    })
    return new RemoteMq(new RedisBackend({ features, connect, admin, clock, randomToken, prefix, timeoutMs, blockMs, maxPendingBytes, maxBufferedBytes }))
  } catch (error) {
    admin.close()
    throw error
  }
}

async function checkVersion(admin: RedisLink): Promise<void> {
  const version = /redis_version:(\d+)/.exec(String(await admin.read('INFO', 'server')))?.[1]
  if (version !== undefined && Number(version) < 7) throw new MsgStreamError('MSG_VERSION', `the Redis backend needs Redis 7 or newer, the server is version ${version}`)
}

/** Servers that hide their settings are taken to keep nothing. */
async function durabilityOf(admin: RedisLink): Promise<Durability> {
  const setting = async (name: string): Promise<string> => {
    const answer = await admin.read('CONFIG', 'GET', name).catch(() => [])
    return Array.isArray(answer) ? String(answer[1]) : ''
  }
  if ((await setting('appendonly')) !== 'yes') return 'memory'
  return (await setting('appendfsync')) === 'always' ? 'power' : 'process'
}
