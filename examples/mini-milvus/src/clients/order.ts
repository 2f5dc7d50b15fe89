/**
 * One client's calls take effect in the order in which they came. Each call draws a ticket when its headers arrive, before its body is read
 * and its user known; when it is known what it is, it waits for what came before and matters to it:
 * - a read waits for flushes (and changes of collections) before it: it sees them, and reads run side by side;
 * - a write is staged behind the writes before it, and behind flushes;
 * - a flush waits for everything before it: it takes all writes along, and earlier reads do not see it.
 * Calls that have nothing to do with rule `flush` give their ticket back and wait for nobody. Synchronous, and bounded by `maxWaiting`.
 */
import { Code, MilvusError } from '../server/status.ts'

export type OrderClass = 'stage' | 'commit' | 'read'

export interface Ticket {
  /**
   * Says what the call is. Undefined: it may go on; else when it may. Rejects with the signal's reason, or Milvus's rate-limit answer. Once
   * a call may go on, its later steps may, too.
   */
  enter(kind: OrderClass, signal: AbortSignal): Promise<void> | undefined
  /** Whether an earlier call of the client is under way. */
  isBehind(): boolean
  /** The call ended, or has no part in the order. Idempotent. */
  leave(): void
}

interface Entry {
  /** What it is; undefined while its request arrives. */
  kind: OrderClass | undefined
  start: (() => void) | undefined
}

export interface ClientOrder {
  /** The next call of the client. Who draws a ticket calls `leave` in the end. */
  draw(client: string): Ticket
  /** Calls that are under way or wait, of all clients. */
  readonly size: number
}

export function createClientOrder({ maxWaiting }: { readonly maxWaiting: number }): ClientOrder {
  const lines = new Map<string, Line>()
  let size = 0
  return {
    draw(client) {
      let line = lines.get(client)
      if (line === undefined) lines.set(client, (line = new Line(maxWaiting)))
      const own = line
      const entry = own.add()
      size++
      let left = false
      return {
        enter: (kind, signal) => (left ? undefined : own.enter(entry, kind, signal)),
        isBehind: () => !left && own.isBehind(entry),
        leave() {
          if (left) return
          left = true
          size--
          if (own.remove(entry) === 0) lines.delete(client)
        },
      }
    },
    get size() {
      return size
    },
  }
}

/** The calls of one client, oldest first. */
class Line {
  readonly #entries = new Set<Entry>()
  readonly #maxWaiting: number
  #waiting = 0

  constructor(maxWaiting: number) {
    this.#maxWaiting = maxWaiting
  }

  add(): Entry {
    const entry: Entry = { kind: undefined, start: undefined }
    this.#entries.add(entry)
    return entry
  }

  /** Gives how many are left. */
  remove(entry: Entry): number {
    this.#entries.delete(entry)
    if (this.#waiting > 0) this.#startNext()
    return this.#entries.size
  }

  enter(entry: Entry, kind: OrderClass, signal: AbortSignal): Promise<void> | undefined {
    if (entry.kind !== undefined) return undefined
    entry.kind = kind
    if (this.#mayStart(entry, kind)) {
      if (this.#waiting > 0) this.#startNext()
      return undefined
    }
    if (signal.aborted) return Promise.reject(signal.reason as Error)
    if (this.#waiting >= this.#maxWaiting) {
      return Promise.reject(new MilvusError(Code.RateLimit, `more than ${this.#maxWaiting} calls of this client wait for their order, request is rejected by limiter: retry later`))
    }
    this.#waiting++
    // What it is, others may have waited to know.
    if (this.#waiting > 1) this.#startNext()
    return new Promise((resolve, reject) => {
      const abandon = (): void => {
        this.#waiting--
        entry.start = undefined
        reject(signal.reason as Error)
      }
      entry.start = () => {
        this.#waiting--
        entry.start = undefined
        signal.removeEventListener('abort', abandon)
        resolve()
      }
      signal.addEventListener('abort', abandon, { once: true })
    })
  }

  isBehind(entry: Entry): boolean {
    const [first] = this.#entries
    return first !== entry
  }

  #mayStart(entry: Entry, kind: OrderClass): boolean {
    for (const before of this.#entries) {
      if (before === entry) return true
      if (blocks(before.kind, kind)) return false
    }
    return true
  }

  /** One walk from the oldest: what is ahead of each is known on the way. */
  #startNext(): void {
    let [unknown, stage, commit] = [false, false, false]
    let any = false
    for (const { kind, start } of this.#entries) {
      if (unknown) return
      const blocked = kind === undefined || commit || (kind === 'stage' ? stage : kind === 'commit' && any)
      if (!blocked) start?.()
      any = true
      unknown = kind === undefined
      stage ||= kind === 'stage'
      commit ||= kind === 'commit'
    }
  }
}

/** Whether a call waits for an earlier one. */
function blocks(before: OrderClass | undefined, kind: OrderClass): boolean {
  if (before === undefined || before === 'commit' || kind === 'commit') return true
  return kind === 'stage' && before === 'stage'
}
