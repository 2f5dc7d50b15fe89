/** Staging over what makes it count. */
import { decodeColumns } from '../codec/column-codec.ts'
import type { MetaReader } from '../coordinator/api.ts'
import type { NodeClock } from '../edge/system.ts'
import { isPrimaryKeyColumn } from '../model/primary-keys.ts'
import { primaryField } from '../model/schema.ts'
import type { QueryNodeApi } from '../querynode/api.ts'
import { Code, MilvusError } from '../server/status.ts'
import type { DmlWrite, PartitionRows } from '../writer/dml-writer.ts'
import { encodeRows } from '../writer/log-messages.ts'
import type { Committer } from './committer.ts'
import type { LastCommits } from './last-commits.ts'
import { netEffect } from './net-effect.ts'
import { checkPartial } from './partial-check.ts'
import { RuleChanges } from './rule-changes.ts'
import type { SpillFile, SpillFolder } from './spill.ts'
import { type Dropped, StageBook, type Entry, type Stage, type StageLimits, type Taken } from './stage-book.ts'
import type { ClientStage, StagedWork, Staging, StagingTotals } from './staging.ts'
import { TransactionError } from './transactions.ts'

export interface StagingOptions extends StageLimits {
  readonly meta: MetaReader
  readonly committer: Committer
  readonly lastCommits: LastCommits
  readonly queryNode: () => Pick<QueryNodeApi, 'query' | 'matchingKeys'>
  readonly now: () => Promise<bigint>
  readonly requestTick: (channels: readonly string[], atLeast: bigint) => void
  readonly clock: NodeClock
  /** Undefined: staged rows stay in memory. */
  readonly spill?: SpillFolder | undefined
  /** A client with more in memory writes its oldest rows to disk. */
  readonly spillBytes: number
  /** Told how many bytes of staged work were dropped at once. */
  readonly reclaim?: ((droppedBytes: number) => void) | undefined
  readonly onWarning: (message: string, error: unknown) => void
}

export async function openStaging(options: StagingOptions): Promise<Staging> {
  await options.spill?.clear()
  return new Stages(options)
}

class Stages implements Staging {
  readonly #options: StagingOptions
  readonly #book: StageBook
  readonly #unsubscribe: () => void
  /** Commits, and definitions that drop what is staged, one after the other. */
  #turn: Promise<unknown> = Promise.resolve()
  /** The last clients whose work was dropped: a flush of theirs that comes late must not say that all is well. */
  readonly #dropped = new Set<string>()
  readonly #changes = new RuleChanges()
  #commits = 0
  #committedRows = 0
  #discards = 0
  #discardedRows = 0
  #closed = false

  constructor(options: StagingOptions) {
    this.#options = options
    this.#book = new StageBook(options)
    this.#unsubscribe = options.meta.onChange((change) => {
      if (change.kind !== 'collection') return
      const { id, before, after } = change
      if (after === undefined) options.lastCommits.forget(id)
      if (this.#book.size === 0) return
      if (after === undefined || after.truncatedTs !== before?.truncatedTs) return this.discardCollection(id)
      for (const partition of before?.partitions ?? []) {
        if (after.partitions.every((kept) => kept.id !== partition.id)) this.discardCollection(id, partition.id)
      }
    })
  }

  async checkPartial(client: string, { collection, partial }: StagedWork, signal: AbortSignal): Promise<void> {
    if (partial === undefined) return
    const { queryNode, clock, now } = this.#options
    const entries = this.#book.stage(client)?.groups.get(collection.id)?.entries.slice() ?? []
    await checkPartial(entries, partial, { collection, queryNode: queryNode(), readTs: await now(), pause: () => clock.yieldToLoop(), signal })
  }

  async stage(client: string, work: StagedWork): Promise<void> {
    if (this.#closed) throw new MilvusError(Code.NotReady, 'service not ready: the node stops')
    this.#book.add(client, work, this.#options.clock.now())
    this.#dropped.delete(client)
    const stage = this.#book.stage(client)
    const { spill, spillBytes } = this.#options
    if (spill === undefined || stage === undefined || stage.bytes - stage.spilledBytes <= spillBytes) return
    const spilling = stage.spilling.then(() => this.#spill(stage, spill))
    stage.spilling = spilling.catch(() => undefined)
    await spilling.catch((error: unknown) => this.#options.onWarning('staged rows could not be written to disk and stay in memory', error))
  }

  flush(client: string, collectionIds: readonly bigint[] | undefined, signal: AbortSignal, onLeftOut: (why: string) => void = () => undefined): Promise<bigint> {
    // Who stages nothing waits for nobody.
    const stage = this.#book.stage(client)
    if (stage === undefined) return this.#dropped.has(client) ? Promise.reject(dropped()) : Promise.resolve(0n)
    return this.alone(() => {
      if (stage.isDiscarded) throw dropped()
      return this.#commit(client, collectionIds, signal, onLeftOut)
    })
  }

  alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    return result
  }

  whileStill<T>(collectionIds: readonly bigint[], work: () => Promise<T>): Promise<T> {
    return this.#changes.whileStill(collectionIds, work)
  }

  settled(collectionId: bigint): Promise<void> | undefined {
    return this.#changes.settled(collectionId)
  }

  discard(client: string): void {
    const stage = this.#book.stage(client)
    if (stage === undefined) return
    stage.isDiscarded = true
    this.#dropped.add(client)
    for (const oldest of this.#dropped) if (this.#dropped.size > MAX_DROPPED) this.#dropped.delete(oldest)
    const { bytes } = this.#book
    this.#count(this.#book.drop(client))
    this.#options.reclaim?.(bytes - this.#book.bytes)
  }

  discardCollection(collectionId: bigint, partitionId?: bigint): void {
    if (partitionId !== undefined) {
      const dropped = this.#book.dropPartition(collectionId, partitionId)
      for (const { file } of dropped) this.#forget(file)
      const rows = dropped.reduce((sum, one) => sum + one.rows, 0)
      if (rows > 0) this.#count({ rows, file: undefined })
      return
    }
    for (const { client, groups } of this.#book.stages()) if (groups.has(collectionId)) this.#count(this.#book.drop(client, collectionId))
  }

  lastCommit(collectionId: bigint): bigint {
    return this.#options.lastCommits.lastCommit(collectionId)
  }

  hasWork(collectionId: bigint): boolean {
    return this.#book.stages().some(({ groups }) => groups.has(collectionId))
  }

  stats(): readonly ClientStage[] {
    return this.#book.describe()
  }

  totals(): StagingTotals {
    const stages = this.#book.describe()
    return {
      clients: stages.length,
      rows: stages.reduce((sum, { rows }) => sum + rows, 0),
      bytes: this.#book.bytes,
      spilledBytes: stages.reduce((sum, stage) => sum + stage.spilledBytes, 0),
      commits: this.#commits,
      committedRows: this.#committedRows,
      discards: this.#discards,
      discardedRows: this.#discardedRows,
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#unsubscribe()
    await this.#turn
    const files = this.#book.stages().map((stage) => stage.spilling.then(() => stage.file?.close()))
    await Promise.allSettled(files)
    await this.#options.spill?.clear()
  }

  async #commit(client: string, collectionIds: readonly bigint[] | undefined, signal: AbortSignal, tell: (why: string) => void): Promise<bigint> {
    const { meta, queryNode, committer, lastCommits, clock, requestTick } = this.#options
    signal.throwIfAborted()
    const stage = this.#book.stage(client)
    await stage?.spilling
    const taken = new Map<bigint, Taken>()
    for (const [id, { entries, rows }] of stage?.groups ?? []) if (collectionIds === undefined || collectionIds.includes(id)) taken.set(id, { entries, count: entries.length, rows })
    if (stage === undefined || taken.size === 0) return 0n
    const pause = (): Promise<void> => clock.yieldToLoop()
    const readTs = await this.#options.now()
    const writes: Omit<DmlWrite, 'signal'>[] = []
    const leftOut: string[] = []
    const onLeftOut = (why: string): void => void leftOut.push(why)
    for (const [id, one] of taken) {
      const collection = meta.collectionById(id)
      if (collection === undefined) continue
      const works = this.#works(stage, one)
      const write = await netEffect(works, { collection, queryNode: queryNode(), readTs, pause, signal, onLeftOut })
      if (write.deletes.length > 0 || write.inserts.length > 0) writes.push(write)
    }
    let ts = readTs
    if (writes.length > 0) {
      const check = (): void => {
        for (const { collection } of writes) if (meta.collectionById(collection.id)?.truncatedTs !== collection.truncatedTs) throw changed(collection.schema.name)
      }
      const committed = await committer.commit({ writes, check, signal }).catch((error: unknown) => {
        // It may count: another flush must not write it a second time.
        if (error instanceof TransactionError && error.outcome === 'unknown') this.#drop(client, taken)
        return asAnswer(error)
      })
      ts = committed.ts
      lastCommits.committed(writes.map(({ collection }) => collection.id), ts)
      requestTick(committed.channels, ts)
    }
    // The client may have gone meanwhile, and come again: only what was committed is taken from it.
    this.#drop(client, taken)
    this.#commits++
    for (const { rows } of taken.values()) this.#committedRows += rows
    leftOut.forEach(tell)
    return ts
  }

  #drop(client: string, taken: ReadonlyMap<bigint, Taken>): void {
    for (const [id, one] of taken) this.#forget(this.#book.dropTaken(client, id, one).file)
  }

  async *#works(stage: Stage, { entries, count }: Taken): AsyncGenerator<StagedWork> {
    for (let at = 0; at < count; at++) {
      const { work, spilled } = entries[at] as Entry
      if (spilled === undefined) yield work
      else {
        const inserts: PartitionRows[] = []
        for (const { partitionId, offset, length } of spilled) {
          const rows = decodeColumns((await stage.file?.read(offset, length)) ?? new Uint8Array())
          const keys = rows.columns.get(primaryField(work.collection.schema).id)
          if (!isPrimaryKeyColumn(keys)) throw new Error('staged rows came back without primary keys')
          inserts.push({ partitionId, rows, keys })
        }
        yield { ...work, inserts }
      }
    }
  }

  async #spill(stage: Stage, folder: SpillFolder): Promise<void> {
    try {
      await this.#spillOldest(stage, folder)
    } finally {
      // Its client went meanwhile, perhaps before there was a file: nobody else knows of it.
      if (this.#book.stage(stage.client) !== stage) this.#forget(stage.file)
    }
  }

  /** The oldest rows first: a client that is in the middle of something small keeps that in memory. */
  async #spillOldest(stage: Stage, folder: SpillFolder): Promise<void> {
    for (const entry of [...stage.groups.values()].flatMap(({ entries }) => entries)) {
      if (this.#closed || stage.bytes - stage.spilledBytes <= this.#options.spillBytes / 2) return
      const { inserts = [] } = entry.work
      if (entry.spilled !== undefined || inserts.length === 0) continue
      stage.file ??= await folder.create()
      const places = []
      for (const { partitionId, rows } of inserts) {
        const bytes = encodeRows(rows)
        places.push({ partitionId, offset: await stage.file.append(bytes), length: bytes.length })
      }
      if (stage.groups.get(entry.collectionId)?.entries.includes(entry) === true) this.#book.spilled(stage, entry, places)
    }
  }

  #count({ rows, file }: Dropped): void {
    this.#discards++
    this.#discardedRows += rows
    this.#forget(file)
  }

  #forget(file: SpillFile | undefined): void {
    file?.close().catch((error: unknown) => this.#options.onWarning('a file of staged rows could not be removed', error))
  }
}

const MAX_DROPPED = 1_000

function dropped(): MilvusError {
  return new MilvusError(Code.NotReady, 'what was to be flushed has been dropped: its client is taken for disconnected')
}

function changed(name: string): MilvusError {
  return new MilvusError(Code.NotReady, `collection ${name} was changed while it was flushed: retry`)
}

/** What is not committed may be flushed again; what may be is not staged any more. */
function asAnswer(error: unknown): never {
  if (error instanceof TransactionError) {
    const what = error.outcome === 'not-applied' ? 'nothing was committed, retry' : 'it is not known whether it counts, so it is not staged any more; look before you write it again'
    throw new MilvusError(Code.NotReady, `the flush was not recorded: ${what}`, undefined, { cause: error })
  }
  throw error
}
