/**
 * The proxy's queues, one for each kind of call: definition of data (DDL), its change (DML), queries (DQL). So many calls of
 * a kind run at once, so many more wait, and beyond that calls are refused with Milvus's rate-limit answer. A slow call of
 * one kind takes no place from the other kinds.
 */
import type { AnyHandler, HandlerTable, RpcKind } from './handlers.ts'
import { Code, MilvusError } from './status.ts'

export interface TaskQueueOptions {
  readonly kind: RpcKind
  /** Calls that run at once. */
  readonly maxRunning: number
  /** Calls that wait (Milvus: `proxy.maxTaskNum`). */
  readonly maxWaiting: number
  readonly clock: { monotonic(): number }
}

/** Counted since the start. `waitMs` is of calls that had to wait; all others waited 0. */
export interface TaskQueueState {
  readonly kind: RpcKind
  readonly running: number
  readonly waiting: number
  readonly started: number
  readonly waited: number
  readonly waitMs: number
  /** Refused because the queue was full. */
  readonly refused: number
  /** Cancelled or expired while they waited. */
  readonly abandoned: number
}

interface Waiter {
  readonly since: number
  readonly start: () => void
}

export class TaskQueue {
  readonly kind: RpcKind
  /** Called with the time in ms that each call waited which had to; calls that did not wait are not reported. */
  onWait: ((waitedMs: number) => void) | undefined
  readonly #options: TaskQueueOptions
  /** In order of arrival: a Set, so that one that gives up leaves from the middle. */
  readonly #waiters = new Set<Waiter>()
  #running = 0
  #started = 0
  #waited = 0
  #waitMs = 0
  #refused = 0
  #abandoned = 0

  constructor(options: TaskQueueOptions) {
    this.kind = options.kind
    this.#options = options
  }

  /** Takes a place at once if one is free and nobody waits. Who got `true` calls `leave` in the end. */
  tryEnter(): boolean {
    if (this.#running >= this.#options.maxRunning) return false
    this.#running++
    this.#started++
    return true
  }

  /** Resolves with a place. Rejects with status 8 when too many wait, or with the signal's reason. */
  enter(signal: AbortSignal): Promise<void> {
    const { clock, maxWaiting } = this.#options
    if (this.#waiters.size >= maxWaiting) {
      this.#refused++
      return Promise.reject(new MilvusError(Code.RateLimit, `the ${this.kind} queue is full, request is rejected by limiter: retry later[limit=${maxWaiting}]`))
    }
    return new Promise((resolve, reject) => {
      const abandon = (): void => {
        this.#waiters.delete(waiter)
        this.#abandoned++
        reject(signal.reason as Error)
      }
      const waiter: Waiter = {
        since: clock.monotonic(),
        start: () => {
          signal.removeEventListener('abort', abandon)
          resolve()
        },
      }
      if (signal.aborted) return abandon()
      signal.addEventListener('abort', abandon, { once: true })
      this.#waiters.add(waiter)
    })
  }

  /** Gives the place to the one that waits longest. */
  leave(): void {
    const [next] = this.#waiters
    if (next === undefined) {
      this.#running--
      return
    }
    this.#waiters.delete(next)
    const waitedMs = this.#options.clock.monotonic() - next.since
    this.#started++
    this.#waited++
    this.#waitMs += waitedMs
    this.onWait?.(waitedMs)
    next.start()
  }

  get state(): TaskQueueState {
    return {
      kind: this.kind,
      running: this.#running,
      waiting: this.#waiters.size,
      started: this.#started,
      waited: this.#waited,
      waitMs: this.#waitMs,
      refused: this.#refused,
      abandoned: this.#abandoned,
    }
  }
}

export type TaskQueues = Readonly<Record<RpcKind, TaskQueue>>

export interface TaskQueuesOptions {
  readonly maxWaiting: number
  readonly maxRunning: Readonly<Record<RpcKind, number>>
  readonly clock: { monotonic(): number }
}

export function createTaskQueues({ maxWaiting, maxRunning, clock }: TaskQueuesOptions): TaskQueues {
  const queue = (kind: RpcKind): TaskQueue => new TaskQueue({ kind, maxRunning: maxRunning[kind], maxWaiting, clock })
  return { ddl: queue('ddl'), dml: queue('dml'), dql: queue('dql') }
}

/** What clients ask to learn whether the node lives must not wait behind their work. */
const NEVER_WAIT: ReadonlySet<string> = new Set(['Connect', 'ClientHeartbeat', 'CheckHealth', 'GetVersion', 'AllocTimestamp'])

/** The same handlers, each in the queue of its kind. */
export function withQueues(handlers: HandlerTable, queues: TaskQueues): HandlerTable {
  const queued = (handler: AnyHandler): AnyHandler => ({ ...handler, queue: queues[handler.kind] })
  return Object.fromEntries(
    Object.entries(handlers).map(([name, handler]: [string, AnyHandler | undefined]) => [name, handler === undefined || NEVER_WAIT.has(name) ? handler : queued(handler)]),
  )
}
