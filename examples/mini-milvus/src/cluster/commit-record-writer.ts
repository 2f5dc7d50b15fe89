/**
 * The record with which a commit of a cluster counts: one transaction of the metadata store, which holds only while nothing has changed that
 * the commit depends on. All its conditions are revisions, which never come back: what is refused once is refused for good, and what may
 * have been done is found, or can be asked for again.
 */
import type { KVBase } from '@timetick/kv'
import type { NodeClock } from '../edge/system.ts'
import { encodeMeta } from '../model/meta.ts'
import { COMMIT_FENCES, COMMITS, LAST_COMMITS } from '../staging/commit-keys.ts'
import { TransactionError, type Transaction } from '../staging/transactions.ts'
import { META_ROOT } from './catalog-mirror.ts'
import { REVISION_KEY } from './followed-prefix.ts'
import { isNotApplied, Pauses } from '../staging/pauses.ts'

export interface CommitRecord extends Transaction {
  readonly id: string
  /** By channel: the revision that its owner named. */
  readonly fences: ReadonlyMap<string, bigint>
  /** By id: the revision of the collection's own record with which the commit was checked. */
  readonly collections: ReadonlyMap<bigint, bigint>
}

/** Its revision; or why there is none, nor will ever be: an owner gave the commit up, or a collection was changed. */
export type RecordOutcome = { readonly revision: bigint } | 'fenced' | 'changed'

export interface CommitRecordWriterOptions {
  readonly kv: Pick<KVBase, 'loadEntry' | 'multiSaveAndRemove'>
  readonly clock: Pick<NodeClock, 'monotonic' | 'setTimer'>
}

interface Known {
  readonly last: ReadonlyMap<string, bigint>
  readonly unchanged: readonly { readonly key: string; readonly modRevision: bigint }[]
}

const LAST_REVISION = LAST_COMMITS + REVISION_KEY
/** Above this a transaction has not a condition for each, which stores do not take, but one for all. */
const SINGLE_CONDITIONS = 30
/** Below what one transaction may have on any store. */
export const MAX_COLLECTIONS = 100
/** A store that does not answer is asked for so long, where nothing can have been done. */
const PATIENCE_MS = 10_000
/** Records stay at least twice as long, needed or not: one that is missing was not written. */
const MAX_DOUBT_MS = 60_000
/** Then it is put off a little. */
const MAX_OVERTAKEN = 5
const FIRST_PAUSE_MS = 20
const MAX_PAUSE_MS = 500

export class CommitRecordWriter {
  readonly #options: CommitRecordWriterOptions
  readonly #pauses: Pauses
  #closed = false

  constructor(options: CommitRecordWriterOptions) {
    this.#options = options
    this.#pauses = new Pauses(options.clock)
  }

  /**
   * What may have been done is asked for until it is known, however long that takes: the rows must not be committed again meanwhile. Rejects with
   * {@link TransactionError}: `unknown` only when this is closed, or nobody can tell any more.
   */
  async save(record: CommitRecord, signal: AbortSignal): Promise<RecordOutcome> {
    const { clock } = this.#options
    const begun = clock.monotonic()
    let doubtfulSince: number | undefined
    let overtaken = 0
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(MAX_PAUSE_MS, pauseMs * 2)) {
      try {
        const known = await this.#known(record)
        const asked = clock.monotonic()
        try {
          const { applied, revision } = await this.#write(record, known)
          if (applied) return { revision }
        } catch (error) {
          if (!isNotApplied(error)) doubtfulSince ??= asked
          throw error
        }
        const outcome = await this.#refused(record)
        if (typeof outcome === 'string' && doubtfulSince !== undefined && clock.monotonic() - doubtfulSince >= MAX_DOUBT_MS) throw new TransactionError('its record may have been removed again', 'unknown', undefined)
        if (outcome !== undefined) return outcome
        // Only another commit came first.
        if ((overtaken += 1) < MAX_OVERTAKEN) continue
      } catch (error) {
        if (error instanceof TransactionError) throw error
        const isDoubtful = doubtfulSince !== undefined
        const isOver = signal.aborted || clock.monotonic() - begun >= PATIENCE_MS
        if (this.#closed || (isOver && !isDoubtful)) throw new TransactionError('the commit record could not be saved', isDoubtful ? 'unknown' : 'not-applied', error)
      }
      await this.#pauses.pause(pauseMs)
    }
  }

  /** Nothing is tried again any more. */
  close(): void {
    this.#closed = true
    this.#pauses.wake()
  }

  /** The collections' last commits, by key. */
  async #known({ collections }: CommitRecord): Promise<Known> {
    const { kv } = this.#options
    // Before the others: where it has not changed later, they have not.
    const all = collections.size > SINGLE_CONDITIONS ? ((await kv.loadEntry(LAST_REVISION))?.modRevision ?? 0n) : undefined
    const keys = [...collections.keys()].map((id) => `${LAST_COMMITS}${id}`)
    const entries = await Promise.all(keys.map((key) => kv.loadEntry(key)))
    const last = new Map(keys.map((key, index) => [key, BigInt(entries[index]?.value ?? 0)]))
    if (all !== undefined) return { last, unchanged: [{ key: LAST_REVISION, modRevision: all }] }
    return { last, unchanged: keys.map((key, index) => ({ key, modRevision: entries[index]?.modRevision ?? 0n })) }
  }

  #write({ id, ts, channels, fences, collections }: CommitRecord, { last, unchanged }: Known): ReturnType<KVBase['multiSaveAndRemove']> {
    const saves = new Map([[COMMITS + id, encodeMeta({ ts, channels })], [LAST_REVISION, id]])
    for (const [key, before] of last) saves.set(key, String(before > ts ? before : ts))
    const when = [
      { key: COMMITS + id, modRevision: 0n },
      ...[...fences].map(([channel, modRevision]) => ({ key: COMMIT_FENCES + channel, modRevision })),
      ...[...collections].map(([collectionId, modRevision]) => ({ key: `${META_ROOT}collection/${collectionId}`, modRevision })),
      ...unchanged,
    ]
    return this.#options.kv.multiSaveAndRemove(saves, [], { when })
  }

  /** Undefined: it may be asked for again. The record is looked for first: it may be there from a time before. */
  async #refused({ id, fences, collections }: CommitRecord): Promise<RecordOutcome | undefined> {
    const { kv } = this.#options
    const record = await kv.loadEntry(COMMITS + id)
    if (record !== undefined) return { revision: record.modRevision }
    const isAs = async (key: string, modRevision: bigint): Promise<boolean> => ((await kv.loadEntry(key))?.modRevision ?? 0n) === modRevision
    const held = await Promise.all([...fences].map(([channel, revision]) => isAs(COMMIT_FENCES + channel, revision)))
    if (held.includes(false)) return 'fenced'
    const same = await Promise.all([...collections].map(([collectionId, revision]) => isAs(`${META_ROOT}collection/${collectionId}`, revision)))
    return same.includes(false) ? 'changed' : undefined
  }
}
