/**
 * `@timetick/msgstream/kafka`: channels as topics with one partition, through kafkajs or @platformatic/kafka.
 *
 *     const mq = await openKafkaMq({ brokers: ['127.0.0.1:9092'] })
 *     const stream = await openMsgStream({ mq })
 *
 * @module
 */
import { checkObject, intOption, show } from './check.ts'
import type { Clock } from './clock.ts'
import { randomToken, systemClock } from './edge.ts'
import { MsgStreamError } from './errors.ts'
import { KafkaBackend } from './kafka/backend.ts'
import type { KafkaClient } from './kafka/client.ts'
import { kafkaDrivers, loadDriver, type KafkaDriverName } from './kafka/driver.ts'
import { within } from './kafka/failures.ts'
import { driverOf } from './kafka/kafkajs.ts'
import type { Mq } from './mq.ts'
import { RemoteMq } from './remote/base.ts'

export type * from './kafka/client.ts'
export type { KafkaDriverName } from './kafka/driver.ts'

export interface KafkaMqOptions {
  /** `host:port` of some brokers. Either these or `client`. */
  readonly brokers?: readonly string[] | undefined
  /** The package that speaks to the brokers. @default the one that is installed, kafkajs before @platformatic/kafka (1.35 runs on Node 20, 2 needs 22.22) */
  readonly driver?: KafkaDriverName | undefined
  /** A `Kafka` of kafkajs of your own. */
  readonly client?: KafkaClient | undefined
  /** As kafkajs takes them, whichever package is used: `ssl` holds options of Node's TLS, `sasl` a mechanism and its credentials. */
  readonly ssl?: object | boolean | undefined
  readonly sasl?: object | undefined
  /** @default 'timetick' */
  readonly clientId?: string | undefined
  /** Put before every topic's name. At most 40 characters of `[A-Za-z0-9._-]`. @default none: all topics are channels */
  readonly prefix?: string | undefined
  /** Of topics that are made. @default the brokers' */
  readonly replicationFactor?: number | undefined
  /** Every call ends within this time; a send that got no answer has an unknown outcome. @default 30000 */
  readonly timeoutMs?: number | undefined
  /** How long a fetch of an idle channel lasts: closing waits for it. @default 100 */
  readonly maxWaitMs?: number | undefined
  /** Records of one request, below the brokers' `message.max.bytes`. A frame may have half of it; a larger send goes in several requests. @default 1000000 */
  readonly maxRequestBytes?: number | undefined
  /** Bytes of sends per producer that may be under way; more is refused with `MSG_FULL`. @default 64 MiB */
  readonly maxPendingBytes?: number | undefined
  /** Bytes that a reader fetches ahead, a fetch of at most 4 MiB beyond it. @default 4 MiB */
  readonly maxBufferedBytes?: number | undefined
  readonly clock?: Clock | undefined
}

/** Rejects with `MSG_UNAVAILABLE` or `MSG_TIMEOUT` when nobody answers, `MSG_DRIVER_MISSING` without a driver. */
export async function openKafkaMq(options: KafkaMqOptions): Promise<Mq> {
  checkObject(options, 'options')
  const { brokers, prefix = '', clientId = 'timetick', clock = systemClock } = options
  if ((brokers === undefined) === (options.client === undefined)) throw new TypeError('expected either `brokers` or `client`')
  if (brokers !== undefined && (!Array.isArray(brokers) || brokers.length === 0 || brokers.some((it) => typeof it !== 'string' || !/^[^/\s]+:\d+$/.test(it)))) {
    throw new TypeError(`expected \`brokers\` to be an array of host:port, got ${show(brokers)}`)
  }
  if (options.client !== undefined && typeof (options.client as { admin?: unknown } | null)?.admin !== 'function') throw new TypeError(`expected \`client\` to be a Kafka of kafkajs, got ${show(options.client)}`)
  if (options.driver !== undefined && !kafkaDrivers.includes(options.driver)) throw new TypeError(`expected \`driver\` to be one of ${kafkaDrivers.join(', ')}, got ${show(options.driver)}`)
  if (typeof prefix !== 'string' || !/^[A-Za-z0-9._-]{0,40}$/.test(prefix)) throw new TypeError(`expected \`prefix\` to be at most 40 characters of [A-Za-z0-9._-], got ${show(prefix)}`)
  if (typeof clientId !== 'string') throw new TypeError(`expected \`clientId\` to be a string, got ${show(clientId)}`)
  const timeoutMs = intOption(options.timeoutMs, 'timeoutMs', 30_000, 1, 2 ** 31 - 1)
  const maxWaitMs = intOption(options.maxWaitMs, 'maxWaitMs', 100, 1, 30_000)
  const maxRequestBytes = intOption(options.maxRequestBytes, 'maxRequestBytes', 1_000_000, 256 << 10, 1 << 30)
  const maxPendingBytes = intOption(options.maxPendingBytes, 'maxPendingBytes', 64 << 20, 1, Number.MAX_SAFE_INTEGER)
  const maxBufferedBytes = intOption(options.maxBufferedBytes, 'maxBufferedBytes', 4 << 20, 1, 2 ** 31)
  const replicationFactor = options.replicationFactor === undefined ? undefined : intOption(options.replicationFactor, 'replicationFactor', 1, 1, 100)
  const client = options.client === undefined ? await loadDriver(options.driver, { brokers: brokers ?? [], clientId, ssl: options.ssl, sasl: options.sasl, timeoutMs }) : driverOf(options.client)
  const admin = client.admin()
  try {
    await within(admin.connect(), clock, timeoutMs, 'connect', false)
  } catch (cause) {
    void admin.disconnect().catch(() => {})
    throw new MsgStreamError('MSG_UNAVAILABLE', 'no connection to Kafka', { cause, outcome: 'not-applied' })
  }
  const features = Object.freeze({
    backend: 'kafka',
    // Acknowledged by all replicas in sync, which flush later.
    durability: 'process' as const,
    transient: false,
    truncate: true,
    atomicBroadcast: true,
    sharing: 'writers' as const,
    maxFrameBytes: Math.floor(maxRequestBytes / 2),
  })
  return new RemoteMq(
    new KafkaBackend({ features, client, admin, clock, randomToken, prefix, replicationFactor, timeoutMs, maxWaitMs, maxRequestBytes, maxPendingBytes, maxBufferedBytes }),
  )
}
