/**
 * What insight sees of the node's calls: how many, how long, which were slow, which flushes run. Bounded, and cheap enough to stand
 * in every call's way: two readings of the clock and a number in a ring.
 */
import type { NodeClock } from '../edge/system.ts'
import type { AnyHandler, CallContext, HandlerTable, RpcName } from '../server/handlers.ts'

export interface SlowCall {
  readonly id: string
  /** When it ended, ms since 1970. */
  readonly ts: number
  readonly method: string
  readonly db: string
  readonly collection: string
  readonly durMs: number
  readonly isFailed: boolean
  readonly user: string | undefined
  readonly identifier: bigint | undefined
  readonly peer: string
  readonly traceId: string | undefined
}

/** Of one method since the last time it was asked for. */
export interface CallRate {
  readonly calls: number
  readonly errors: number
  /** Over the newest 256 at most, ms. */
  readonly p50: number
  readonly p99: number
}

export interface RunningFlush {
  readonly id: string
  readonly db: string
  readonly collections: readonly string[]
  readonly since: number
}

export interface FailedFlush extends RunningFlush {
  readonly reason: string
}

export interface CallBoardOptions {
  readonly clock: Pick<NodeClock, 'now' | 'monotonic'>
  readonly slowMs: () => number
  /** Slow calls that are remembered. @default 200 */
  readonly maxSlow?: number | undefined
}

const SAMPLES = 256
const MAX_FAILED = 50

class Method {
  calls = 0
  errors = 0
  readonly #times = new Float64Array(SAMPLES)

  add(ms: number, isFailed: boolean): void {
    this.#times[this.calls++ % SAMPLES] = ms
    if (isFailed) this.errors++
  }

  take(): CallRate {
    const sorted = this.#times.slice(0, Math.min(this.calls, SAMPLES)).sort()
    const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
    const rate = { calls: this.calls, errors: this.errors, p50: at(0.5), p99: at(0.99) }
    this.calls = this.errors = 0
    return rate
  }
}

export class CallBoard {
  /** Called with each slow call, and with the one that makes room for it. */
  onSlow: ((call: SlowCall, forgotten: SlowCall | undefined) => void) | undefined
  readonly #options: CallBoardOptions
  readonly #methods = new Map<string, Method>()
  readonly #slow: SlowCall[] = []
  readonly #flushes = new Map<string, RunningFlush>()
  readonly #failedFlushes: FailedFlush[] = []
  #made = 0

  constructor(options: CallBoardOptions) {
    this.#options = options
  }

  get slow(): readonly SlowCall[] {
    return this.#slow
  }

  /** Flushes that clients wait for. */
  get flushes(): Iterable<RunningFlush> {
    return this.#flushes.values()
  }

  /** The last that ended with an error. */
  get failedFlushes(): readonly FailedFlush[] {
    return this.#failedFlushes
  }

  /** By method, of those that were called since the last time. */
  takeRates(): Map<string, CallRate> {
    return new Map([...this.#methods].flatMap(([name, method]) => (method.calls === 0 ? [] : [[name, method.take()] as const])))
  }

  /** The same handlers, each call seen. */
  handlers(table: HandlerTable): HandlerTable {
    return Object.fromEntries(Object.entries(table).map(([name, handler]) => [name, handler === undefined ? undefined : this.#watch(name as RpcName, handler)]))
  }

  #watch(name: RpcName, handler: AnyHandler): AnyHandler {
    const { clock } = this.#options
    const method = new Method()
    this.#methods.set(name, method)
    const isFlush = name === 'Flush'
    const run = async (request: never, call: CallContext): Promise<object> => {
      const since = clock.monotonic()
      const flush = isFlush ? this.#beginFlush(request, call) : undefined
      let isFailed = true
      try {
        const response = await handler.run(request, call)
        isFailed = false
        return response
      } catch (error) {
        if (flush !== undefined) this.#failFlush(flush, error)
        throw error
      } finally {
        const ms = clock.monotonic() - since
        method.add(ms, isFailed)
        if (flush !== undefined) this.#flushes.delete(flush)
        if (ms >= this.#options.slowMs()) this.#remember(name, request, call, ms, isFailed)
      }
    }
    return { ...handler, run }
  }

  #beginFlush(request: { readonly collection_names?: readonly string[] }, call: CallContext): string {
    const id = `flush-${++this.#made}`
    this.#flushes.set(id, { id, db: call.dbName, collections: (request.collection_names ?? []).slice(0, 100), since: this.#options.clock.now() })
    return id
  }

  #failFlush(id: string, error: unknown): void {
    const flush = this.#flushes.get(id)
    if (flush === undefined) return
    this.#failedFlushes.push({ ...flush, reason: error instanceof Error ? error.message : String(error) })
    if (this.#failedFlushes.length > MAX_FAILED) this.#failedFlushes.shift()
  }

  #remember(method: string, request: { readonly collection_name?: unknown; readonly collectionName?: unknown }, call: CallContext, durMs: number, isFailed: boolean): void {
    const collection = request.collection_name ?? request.collectionName
    const { metadata, dbName: db, principal, identifier, peer } = call
    const slow: SlowCall = {
      id: `${this.#options.clock.now()}-${++this.#made}`,
      ts: this.#options.clock.now(),
      method,
      db,
      collection: typeof collection === 'string' ? collection.slice(0, 256) : '',
      durMs,
      isFailed,
      user: principal?.name,
      identifier,
      peer,
      traceId: (metadata.get('traceparent') ?? metadata.get('client_request_id') ?? metadata.get('client-request-id'))?.slice(0, 64),
    }
    this.#slow.push(slow)
    this.onSlow?.(slow, this.#slow.length > (this.#options.maxSlow ?? 200) ? this.#slow.shift() : undefined)
  }
}
