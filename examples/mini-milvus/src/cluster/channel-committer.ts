/**
 * A commit of rule `flush` over log channels that have an owner each. The owners hold their channels' time; the parts go into the log, all at one
 * timestamp; a record in the metadata store makes them count, or nothing does; the owners let time go on. A part that stands in the log
 * without it is nobody's, whoever dies on the way: owners that hear nothing, and their successors, ask the store.
 */
import type { StampedAppend } from '@timetick/msgstream'
import type { NodeClock } from '../edge/system.ts'
import { isRpcError, RpcError } from '../internal/errors.ts'
import { Code, MilvusError } from '../server/status.ts'
import type { Commit, Committer } from '../staging/committer.ts'
import { TransactionError, type Transaction } from '../staging/transactions.ts'
import { prepareCommit, type PreparedCommit } from '../writer/dml-writer.ts'
import type { CatalogMirror } from './catalog-mirror.ts'
import type { ChannelClient } from './channel-client.ts'
import { CommitRecordWriter, type CommitRecordWriterOptions, MAX_COLLECTIONS } from './commit-record-writer.ts'

export interface ChannelCommitterOptions extends CommitRecordWriterOptions {
  readonly channels: Pick<ChannelClient, 'holdTime' | 'appendPart' | 'decide'>
  readonly mirror: Pick<CatalogMirror, 'collectionRevision' | 'catchUp'>
  readonly timestamps: { allocOne(): Promise<bigint> }
  /** Unique in the cluster, for ever. */
  readonly ids: { allocOne(): Promise<bigint> }
  readonly clock: NodeClock
  /** Of the log: no frame with more than one row is larger. */
  readonly maxFrameBytes?: number | undefined
  /** How long a commit that owners gave up is begun again. */
  readonly timeoutMs: number
  /** Resolves when no proxy that serves answers a read without what was committed at this revision of `LAST_COMMITS`. */
  readonly told: (revision: bigint) => Promise<void>
  readonly onWarning: (message: string, error: unknown) => void
}

/** An owner has to take the bytes of one call at once. */
const MAX_CALL_BYTES = 4 * 1024 * 1024
const AGAIN_MS = 20
const MAX_PAUSE_MS = 1_000
/** An owner that does not answer keeps the time of all others still for so long, and no longer. */
const HOLD_MS = 2_000
const TELL_AGAIN_MS = 200

export class ChannelCommitter implements Committer {
  readonly #options: ChannelCommitterOptions
  readonly #records: CommitRecordWriter
  readonly #deciding = new Set<Promise<void>>()
  #closed = false

  constructor(options: ChannelCommitterOptions) {
    this.#options = options
    this.#records = new CommitRecordWriter(options)
  }

  async commit(commit: Commit): Promise<Transaction> {
    const { clock, timeoutMs, maxFrameBytes, mirror } = this.#options
    const { signal, writes } = commit
    const count = new Set(writes.map(({ collection }) => collection.id)).size
    if (count > MAX_COLLECTIONS) throw new MilvusError(Code.ParameterInvalid, `a flush of ${count} collections at once: a cluster commits at most ${MAX_COLLECTIONS} together`)
    const prepared = await prepareCommit(writes, { pause: () => clock.yieldToLoop(), maxFrameBytes, signal })
    const end = clock.monotonic() + timeoutMs
    // Longer and longer: the time of owners that do answer goes on meanwhile.
    for (let pauseMs = AGAIN_MS; ; pauseMs = Math.min(MAX_PAUSE_MS, pauseMs * 2)) {
      signal.throwIfAborted()
      const outcome = await this.#attempt(commit, prepared)
      if (typeof outcome === 'object') return outcome
      if (this.#closed || clock.monotonic() + pauseMs >= end) throw new TransactionError(outcome, 'not-applied', undefined)
      await this.#pause(pauseMs)
      // What was changed may be no matter: that is to be checked anew.
      await mirror.catchUp(signal).catch((error: unknown) => Promise.reject(this.#asOutcome(error, signal) as Error))
    }
  }

  /** Nothing is tried again any more; what is decided is told. */
  async close(): Promise<void> {
    this.#closed = true
    this.#records.close()
    await Promise.all(this.#deciding)
  }

  /** A text: it has to begin again, for this reason. */
  async #attempt({ writes, check, signal }: Commit, prepared: PreparedCommit): Promise<Transaction | string> {
    const { ids, timestamps, mirror } = this.#options
    const { channels } = prepared
    const id = `c${await ids.allocOne()}`
    let committed: Transaction | undefined
    let isDecided = true
    try {
      const fences = await this.#hold(channels, id, signal)
      const ts = await timestamps.allocOne()
      signal.throwIfAborted()
      check()
      const collections = new Map(writes.map(({ collection }) => [collection.id, mirror.collectionRevision(collection.id)]))
      await all(prepared.appends(ts, id).map((part) => this.#append(part, id, ts, latest(collections), signal)))
      signal.throwIfAborted()
      const outcome = await this.#records.save({ id, ts, channels, fences, collections }, signal)
      if (outcome === 'fenced') return 'a channel of the log changed hands meanwhile'
      if (outcome === 'changed') return 'a collection was changed meanwhile'
      committed = { ts, channels }
      this.#decide(id, channels, committed)
      await this.#tell(outcome.revision)
      return committed
    } catch (error) {
      if (isRpcError(error, 'RPC_FENCED')) return error.message
      isDecided = !(error instanceof TransactionError && error.outcome === 'unknown')
      throw this.#asOutcome(error, signal)
    } finally {
      // What nobody can tell here the owners find out.
      if (committed === undefined && isDecided) this.#decide(id, channels, undefined)
    }
  }

  async #hold(channels: readonly string[], id: string, signal: AbortSignal): Promise<Map<string, bigint>> {
    const { clock, channels: owners } = this.#options
    const late = new AbortController()
    const cancel = clock.setTimer(() => late.abort(new RpcError('RPC_FENCED', 'an owner of a log channel does not answer', { outcome: 'not-applied', retryable: false })), HOLD_MS)
    try {
      const limited = AbortSignal.any([signal, late.signal])
      // An owner in this process does not hear it.
      const over = new Promise<never>((_resolve, reject) => limited.addEventListener('abort', () => reject(limited.reason as Error), { once: true }))
      const held = all(channels.map(async (pchannel) => [pchannel, await owners.holdTime({ pchannel, id }, limited)] as const))
      return new Map(await Promise.race([held, over]))
    } finally {
      cancel()
    }
  }

  /** One call behind the other: deletes stand before the inserts that they are not about. */
  async #append({ channel, msgs }: StampedAppend, id: string, ts: bigint, metaRevision: bigint, signal: AbortSignal): Promise<void> {
    let index = 0
    for (let begin = 0; begin < msgs.length; ) {
      let end = begin
      for (let bytes = 0; end < msgs.length && (end === begin || bytes + (msgs[end]?.body.length ?? 0) <= MAX_CALL_BYTES); end++) bytes += msgs[end]?.body.length ?? 0
      const records = msgs.slice(begin, end).map(({ type, properties, body }) => ({ type, properties, body }))
      await this.#options.channels.appendPart({ pchannel: channel, id, index, ts, records, metaRevision }, signal)
      index++
      begin = end
    }
  }

  /** Nobody waits for it: reads wait by themselves. */
  #decide(id: string, channels: readonly string[], committed: Transaction | undefined): void {
    const { channels: owners, onWarning } = this.#options
    for (const pchannel of channels) {
      const deciding = owners.decide({ pchannel, id, committed }).catch((error: unknown) => {
        if (committed !== undefined && !this.#closed) onWarning(`the owner of ${pchannel} finds out by itself what became of a flush`, error)
      })
      if (committed === undefined) continue
      this.#deciding.add(deciding)
      void deciding.then(() => this.#deciding.delete(deciding))
    }
  }

  /** It counts: who asked hears so when all reads see it, and not that it failed. */
  async #tell(revision: bigint): Promise<void> {
    const { told, onWarning } = this.#options
    for (;;) {
      try {
        return await told(revision)
      } catch (error) {
        if (this.#closed) throw new TransactionError('it was committed, but perhaps not all proxies know', 'unknown', error)
        onWarning('proxies could not be told of a flush', error)
      }
      await this.#pause(TELL_AGAIN_MS)
    }
  }

  /** Of whatever went wrong before the record nothing counts, or ever will. */
  #asOutcome(error: unknown, signal: AbortSignal): unknown {
    if (error instanceof TransactionError || error instanceof MilvusError || (signal.aborted && error === signal.reason)) return error
    const isOfLog = typeof error === 'object' && error !== null && 'code' in error
    return isOfLog ? new TransactionError('its parts did not come into the log', 'not-applied', error) : error
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#options.clock.setTimer(resolve, ms))
  }
}

function latest(revisions: ReadonlyMap<bigint, bigint>): bigint {
  return [...revisions.values()].reduce((most, revision) => (revision > most ? revision : most), 0n)
}

/** Settles when all have: nothing of a call goes on behind its end. Rejects as the first that did, in their order; beginning again counts less than all else. */
async function all<T>(work: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(work)
  const reasons = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
  if (reasons.length > 0) throw reasons.find((reason) => !isRpcError(reason, 'RPC_FENCED')) ?? reasons[0]
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
}
