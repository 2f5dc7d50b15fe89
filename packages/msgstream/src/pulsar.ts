/**
 * `@timetick/msgstream/pulsar`: channels as topics of one namespace, through Pulsar's REST and WebSocket APIs.
 *
 *     const mq = await openPulsarMq({ url: 'http://127.0.0.1:8080', namespace: 'default' })
 *     const stream = await openMsgStream({ mq })
 *
 * The namespace must exist, keep its data (retention: data without subscriptions goes otherwise), and should not allow topics to be made
 * by themselves.
 *
 * @module
 */
import { checkObject, intOption, show } from './check.ts'
import type { Clock } from './clock.ts'
import { systemClock } from './edge.ts'
import type { Mq } from './mq.ts'
import { PulsarBackend } from './pulsar/backend.ts'
import { loadNativeClient, NativeTransport } from './pulsar/native.ts'
import type { PulsarNativeModule } from './pulsar/native-client.ts'
import { PulsarRest } from './pulsar/rest.edge.ts'
import type { PulsarTransport } from './pulsar/transport.ts'
import { openWebTransport } from './pulsar/web.edge.ts'
import { RemoteMq } from './remote/base.ts'

export type * from './pulsar/native-client.ts'
export type * from './pulsar/transport.ts'

export interface PulsarMqOptions {
  /** The web service, `http:` or `https:`; it must serve WebSockets. Either this or `transport`. */
  readonly url?: string | undefined
  /** `pulsar:` or `pulsar+ssl:`, beside `url`: messages go through pulsar-client, which must be installed, and not by WebSocket. */
  readonly serviceUrl?: string | undefined
  /** A pulsar-client of your own for `serviceUrl`. */
  readonly nativeClient?: PulsarNativeModule | undefined
  /** Another way to Pulsar. */
  readonly transport?: PulsarTransport | undefined
  /** @default 'public' */
  readonly tenant?: string | undefined
  /** @default 'default' */
  readonly namespace?: string | undefined
  /** Sent as a bearer token. */
  readonly token?: string | undefined
  /** Put before every topic's name. At most 40 characters of `[A-Za-z0-9._-]`. @default none */
  readonly prefix?: string | undefined
  /** Every call ends within this time; a send that got no answer has an unknown outcome. @default 10000 */
  readonly timeoutMs?: number | undefined
  /** Of one message. In base64 it must fit the server's `webSocketMaxTextFrameSize` (1 MiB). A larger send goes in several messages. @default 716800 */
  readonly maxMessageBytes?: number | undefined
  /** Bytes of sends per producer that may be under way; more is refused with `MSG_FULL`. @default 64 MiB */
  readonly maxPendingBytes?: number | undefined
  /** Bytes that a reader fetches ahead, 32 messages at most beyond it. @default 4 MiB */
  readonly maxBufferedBytes?: number | undefined
  readonly clock?: Clock | undefined
}

/** Rejects with `MSG_UNAVAILABLE` when nobody answers, `MSG_CHANNEL_NOT_FOUND` without the namespace, `MSG_DRIVER_MISSING` without ws. */
export async function openPulsarMq(options: PulsarMqOptions): Promise<Mq> {
  checkObject(options, 'options')
  const { url, tenant = 'public', namespace = 'default', prefix = '', token, clock = systemClock } = options
  if ((url === undefined) === (options.transport === undefined)) throw new TypeError('expected either `url` or `transport`')
  if (url !== undefined && (typeof url !== 'string' || !/^https?:\/\//.test(url))) throw new TypeError(`expected \`url\` to begin with http:// or https://, got ${show(url)}`)
  if (options.transport !== undefined && typeof (options.transport as { openSender?: unknown } | null)?.openSender !== 'function') throw new TypeError(`expected \`transport\` to be a PulsarTransport, got ${show(options.transport)}`)
  for (const [name, value] of Object.entries({ tenant, namespace })) {
    if (typeof value !== 'string' || !/^[A-Za-z0-9=:._-]+$/.test(value)) throw new TypeError(`expected \`${name}\` to be a name, got ${show(value)}`)
  }
  if (typeof prefix !== 'string' || !/^[A-Za-z0-9._-]{0,40}$/.test(prefix)) throw new TypeError(`expected \`prefix\` to be at most 40 characters of [A-Za-z0-9._-], got ${show(prefix)}`)
  if (token !== undefined && typeof token !== 'string') throw new TypeError('expected `token` to be a string')
  const timeoutMs = intOption(options.timeoutMs, 'timeoutMs', 10_000, 1, 2 ** 31 - 1)
  const maxMessageBytes = intOption(options.maxMessageBytes, 'maxMessageBytes', 700 << 10, 128 << 10, 100 << 20)
  const maxPendingBytes = intOption(options.maxPendingBytes, 'maxPendingBytes', 64 << 20, 1, Number.MAX_SAFE_INTEGER)
  const maxBufferedBytes = intOption(options.maxBufferedBytes, 'maxBufferedBytes', 4 << 20, 1, 2 ** 31)
  const { serviceUrl, nativeClient } = options
  if (serviceUrl !== undefined && (typeof serviceUrl !== 'string' || !/^pulsar(\+ssl)?:\/\//.test(serviceUrl))) throw new TypeError(`expected \`serviceUrl\` to begin with pulsar:// or pulsar+ssl://, got ${show(serviceUrl)}`)
  if (nativeClient !== undefined && typeof (nativeClient as { Client?: unknown } | null)?.Client !== 'function') throw new TypeError(`expected \`nativeClient\` to be the module pulsar-client, got ${show(nativeClient)}`)
  const web = { url: (url ?? '').replace(/\/+$/, ''), tenant, namespace, token, timeoutMs }
  const transport = options.transport ?? (serviceUrl === undefined ? await openWebTransport(web) : new NativeTransport({ module: nativeClient ?? (await loadNativeClient()), serviceUrl, admin: new PulsarRest(web), tenant, namespace, token, timeoutMs }))
  try {
    await transport.topics()
  } catch (error) {
    await transport.close?.()
    throw error
  }
  const features = Object.freeze({
    backend: 'pulsar',
    // Bookies sync their journals before they acknowledge, unless told otherwise.
    durability: 'power' as const,
    transient: false,
    truncate: false,
    atomicBroadcast: false,
    sharing: 'writers' as const,
    maxFrameBytes: maxMessageBytes - 64,
  })
  return new RemoteMq(new PulsarBackend({ features, transport, clock, prefix, timeoutMs, maxMessageBytes, maxPendingBytes, maxBufferedBytes }))
}
