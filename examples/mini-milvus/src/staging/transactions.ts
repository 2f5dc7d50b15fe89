/**
 * Which transactions of the log count. A flush writes its parts to the log under one id and at one timestamp, then a record here;
 * time goes on behind it only after that. So whoever reads a part later finds its record, or knows that there will never be one:
 * what has no record is left out by all readers alike, also by those of the next start.
 */
import type { KVBase } from '@timetick/kv'
import type { NodeClock } from '../edge/system.ts'
import { decodeMeta, encodeMeta } from '../model/meta.ts'
import { COMMITS } from './commit-keys.ts'
import { isNotApplied, Pauses } from './pauses.ts'

export interface Transaction {
  /** Of all its parts. */
  readonly ts: bigint
  /** Log channels that carry a part. */
  readonly channels: readonly string[]
}

/** What readers of the log ask. */
export interface TransactionReader {
  /** Undefined: it does not count. */
  committed(id: string): Transaction | undefined
  /** The latest of those that readers may not have seen whole; 0n: there is none. */
  latestTs(): bigint
}

/** For a log without transactions. */
export const noTransactions: TransactionReader = { committed: () => undefined, latestTs: () => 0n }

export interface TransactionsOptions {
  readonly kv: Pick<KVBase, 'loadEntry' | 'loadWithPrefix' | 'compareAndSave' | 'multiSaveAndRemove' | 'multiRemove'>
  readonly clock: Pick<NodeClock, 'monotonic' | 'setTimer'>
}

/** `unknown`: nobody can say whether the transaction counts until the next start. */
export class TransactionError extends Error {
  override readonly name = 'TransactionError'
  readonly outcome: 'not-applied' | 'unknown'

  constructor(message: string, outcome: 'not-applied' | 'unknown', cause: unknown) {
    super(message, { cause })
    this.outcome = outcome
  }
}

const EPOCH_KEY = 'visibility/epoch'
const PAGE = 1_000
const REMOVE_AT_ONCE = 100
/** A store that does not answer is asked again for so long; time stands still meanwhile. */
const PATIENCE_MS = 10_000
const FIRST_PAUSE_MS = 20
const MAX_PAUSE_MS = 500

/** Reads all records and takes over: a former process that still runs can commit nothing any more. */
export async function openTransactions(options: TransactionsOptions): Promise<Transactions> {
  const { kv } = options
  const before = await kv.loadEntry(EPOCH_KEY)
  const epoch = (before === undefined ? 0 : Number(before.value)) + 1
  const taken = await kv.compareAndSave(EPOCH_KEY, before?.modRevision ?? 0n, String(epoch))
  const mine = taken ? await kv.loadEntry(EPOCH_KEY) : undefined
  if (mine === undefined || mine.value !== String(epoch)) throw new Error('another process took the commits over while this one started')
  const records = new Map<string, Transaction>()
  let startAfter: string | undefined
  for (let more = true; more;) {
    const page = await kv.loadWithPrefix(COMMITS, { limit: PAGE, startAfter })
    page.keys.forEach((key, i) => records.set(key.slice(COMMITS.length), decodeMeta<Transaction>(page.values[i] as string)))
    startAfter = page.keys.at(-1)
    more = page.more
  }
  return new Transactions(options, epoch, mine.modRevision, records)
}

export class Transactions implements TransactionReader {
  readonly #options: TransactionsOptions
  readonly #epoch: number
  readonly #epochRevision: bigint
  readonly #records: Map<string, Transaction>
  readonly #pauses: Pauses
  #lastId = 0
  #closed = false

  constructor(options: TransactionsOptions, epoch: number, epochRevision: bigint, records: Map<string, Transaction>) {
    this.#options = options
    this.#pauses = new Pauses(options.clock)
    this.#epoch = epoch
    this.#epochRevision = epochRevision
    this.#records = records
  }

  get size(): number {
    return this.#records.size
  }

  committed(id: string): Transaction | undefined {
    return this.#records.get(id)
  }

  latestTs(): bigint {
    let latest = 0n
    for (const { ts } of this.#records.values()) if (ts > latest) latest = ts
    return latest
  }

  nextId(): string {
    return `${this.#epoch}-${(this.#lastId += 1)}`
  }

  /** Resolves when the transaction counts. Rejects with {@link TransactionError}, which says whether it may count all the same. */
  async commit(id: string, transaction: Transaction): Promise<void> {
    const { kv, clock } = this.#options
    const save = new Map([[COMMITS + id, encodeMeta(transaction)]])
    const until = clock.monotonic() + PATIENCE_MS
    let isDoubtful = false
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(MAX_PAUSE_MS, pauseMs * 2)) {
      try {
        const { applied } = await kv.multiSaveAndRemove(save, [], { when: [{ key: EPOCH_KEY, modRevision: this.#epochRevision }] })
        if (!applied) throw new TransactionError('another process has taken the commits over', isDoubtful ? 'unknown' : 'not-applied', undefined)
        this.#records.set(id, transaction)
        return
      } catch (error) {
        if (error instanceof TransactionError) throw error
        isDoubtful ||= !isNotApplied(error)
        if (this.#closed || clock.monotonic() >= until) throw new TransactionError('the commit record could not be saved', isDoubtful ? 'unknown' : 'not-applied', error)
      }
      await this.#pauses.pause(pauseMs)
    }
  }

  /** Removes the records that nobody can ask for any more. @param passed below this nobody reads the channel again, ever */
  async forget(passed: (channel: string) => bigint): Promise<void> {
    const gone = [...this.#records].filter(([, { ts, channels }]) => channels.every((channel) => passed(channel) > ts)).map(([id]) => id)
    for (let begin = 0; begin < gone.length; begin += REMOVE_AT_ONCE) {
      const ids = gone.slice(begin, begin + REMOVE_AT_ONCE)
      await this.#options.kv.multiRemove(ids.map((id) => COMMITS + id))
      for (const id of ids) this.#records.delete(id)
    }
  }

  /** Nothing is tried again any more. */
  close(): void {
    this.#closed = true
    this.#pauses.wake()
  }
}
