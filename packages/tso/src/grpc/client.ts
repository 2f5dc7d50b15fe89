/// <reference lib="esnext.disposable" />
/** The contract of a source that asks an oracle over gRPC, and the function that makes one. */
import { checkInteger, checkMethods, show } from '../check.ts'
import type { Clock } from '../clock.ts'
import { dateOf, randomFraction, systemClock } from '../edge.ts'
import { TsoError } from '../errors.ts'
import type { TimestampAllocator, TimestampSource } from '../timestamp-allocator.ts'
import { SERVING } from './definition.ts'
import { channelCredentials, loadDriver } from './driver.ts'
import { askHealth } from './link.ts'
import { RemoteSource } from './remote-source.ts'

export interface ConnectTimestampSourceOptions {
  /** `host:port` of each oracle, in the order in which they are tried. */
  readonly addresses: readonly string[]
  /** `ChannelCredentials` of the gRPC driver. Default: plain text. */
  readonly credentials?: object | undefined
  /** Deadline of a call, also over reconnects, 1 to 600,000. Default 5,000 (Milvus). */
  readonly timeoutMs?: number | undefined
  /** A request without an answer for so long is asked at the next address: its oracle may be stopped. Default a quarter of `timeoutMs`. */
  readonly silenceMs?: number | undefined
  /** Requests under way at once; who waits meanwhile shares the next one. Default 4. */
  readonly maxInFlight?: number | undefined
  /** More waiting callers are refused with `TSO_OVERLOADED`. Default 20,000 (PD). */
  readonly maxWaiting?: number | undefined
  /** Wait before the second try of a connection; doubles up to `maxBackoffMs`, and is cut by chance to a half at least. Default 20. */
  readonly minBackoffMs?: number | undefined
  /** Default 1,000. */
  readonly maxBackoffMs?: number | undefined
  /** Follow a leader that is not one of `addresses`. Default false. */
  readonly followUnlisted?: boolean | undefined
  readonly clock?: Clock | undefined
  /** 0 (inclusive) to 1 (exclusive). */
  readonly random?: (() => number) | undefined
  readonly onEvent?: ((event: RemoteSourceEvent) => void) | undefined
}

export type RemoteSourceEvent =
  | { readonly type: 'connected'; readonly address: string }
  | { readonly type: 'disconnected'; readonly address: string; readonly error: unknown }
  | { readonly type: 'redirected'; readonly address: string; readonly leader: string | undefined }
  /** An oracle gave less than was given before, as one that was taken over does; the answer was dropped, and another is asked. */
  | { readonly type: 'fell-back'; readonly address: string }

export interface RemoteSourceStates {
  /** `idle`: nothing was asked yet. `connecting`: no answer since the last break. */
  readonly status: 'idle' | 'connecting' | 'connected' | 'closed'
  readonly address: string | undefined
  /** Callers without an answer, and requests under way. */
  readonly waiting: number
  readonly inFlight: number
  readonly lastError: unknown
}

/**
 * Both a source and an allocator: all who ask in one turn of the event loop share a request. What was under way when a connection broke
 * is asked again elsewhere until its deadline: an answer that was lost leaves a gap and nothing else.
 */
export interface RemoteTimestampSource extends TimestampSource, TimestampAllocator {
  readonly states: RemoteSourceStates
}

/**
 * Connects at the first call, and keeps the process alive from then on until `close`. Without the driver the calls reject with
 * `TSO_DRIVER_MISSING`.
 */
export function connectTimestampSource(options: ConnectTimestampSourceOptions): RemoteTimestampSource {
  if (typeof options !== 'object' || options === null) throw new TypeError(`expected the options to be an object, got ${show(options)}`)
  const { timeoutMs = 5_000, maxInFlight = 4, maxWaiting = 20_000, minBackoffMs = 20, maxBackoffMs = 1_000 } = options
  const { credentials, followUnlisted = false, clock = systemClock, random = randomFraction, onEvent } = options
  const { addresses } = options as { addresses: readonly unknown[] }
  if (!Array.isArray(addresses) || addresses.length === 0) throw new TypeError(`expected \`addresses\` to be a list of "host:port", got ${show(addresses)}`)
  const checked = addresses.map((address) => checkAddress('addresses', address))
  checkInteger('timeoutMs', timeoutMs, 1, 600_000)
  const silenceMs = options.silenceMs ?? Math.ceil(timeoutMs / 4)
  checkInteger('silenceMs', silenceMs, 1, 600_000)
  checkInteger('maxInFlight', maxInFlight, 1, 1_000)
  checkInteger('maxWaiting', maxWaiting, 1, Number.MAX_SAFE_INTEGER)
  checkInteger('minBackoffMs', minBackoffMs, 1, 600_000)
  checkInteger('maxBackoffMs', maxBackoffMs, minBackoffMs, 600_000)
  checkMethods('clock', clock, ['now', 'monotonic', 'setTimer'])
  const limits = { timeoutMs, silenceMs, maxInFlight, maxWaiting, minBackoffMs, maxBackoffMs }
  return new RemoteSource({ addresses: checked, credentials, followUnlisted, clock, random, onEvent, ...limits })
}

export interface TimestampHealthOptions {
  readonly address: string
  /** `ChannelCredentials` of the gRPC driver. Default: plain text. */
  readonly credentials?: object | undefined
  /** Default 1,000. */
  readonly timeoutMs?: number | undefined
  readonly clock?: Clock | undefined
}

/**
 * Whether the oracle at `address` serves: false for a follower.
 * @throws {TsoError} `TSO_UNAVAILABLE` when nobody answers in time, `TSO_DRIVER_MISSING`.
 */
export async function checkTimestampHealth(options: TimestampHealthOptions): Promise<boolean> {
  if (typeof options !== 'object' || options === null) throw new TypeError(`expected the options to be an object, got ${show(options)}`)
  const { address, credentials, timeoutMs = 1_000, clock = systemClock } = options
  checkAddress('address', address)
  checkInteger('timeoutMs', timeoutMs, 1, 600_000)
  const driver = await loadDriver()
  const checked = channelCredentials(driver, credentials)
  try {
    return (await askHealth(driver, address, checked, dateOf(clock.now() + timeoutMs))) === SERVING
  } catch (error) {
    throw new TsoError('TSO_UNAVAILABLE', `${address} does not tell its health`, { cause: error })
  }
}

function checkAddress(name: string, address: unknown): string {
  if (typeof address !== 'string' || !/^\S+:[0-9]{1,5}$/.test(address)) throw new TypeError(`expected \`${name}\` to be of "host:port", got ${show(address)}`)
  return address
}
