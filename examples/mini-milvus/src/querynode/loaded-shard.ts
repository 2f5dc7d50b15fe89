/**
 * One shard of a loaded collection: its growing rows from the log, and its sealed segments from storage.
 *
 * The border between both is `handedOverTs`: rows at or below it come from segments, above it from the log. A flush moves
 * the border: new segments are read first, then in one synchronous step they appear and the growing rows that they hold go.
 *
 * Of several query nodes each has a duty: some of the segments, and the growing rows of the shard if it leads it. Deletes reach
 * them all. What a read may look at is then named by the read, and moments that passed can be looked at for a while.
 */
import { addDuration } from '@timetick/tso'
import type { MetaReader } from '../coordinator/api.ts'
import type { Engine } from '../engine/index.ts'
import type { RowBatch } from '../model/column.ts'
import type { CollectionMeta, SegmentIndexMeta, SegmentMeta, ShardMeta } from '../model/meta.ts'
import { isPrimaryKeyColumn, type PrimaryKeys } from '../model/primary-keys.ts'
import { primaryField } from '../model/schema.ts'
import { inTurns, type Pause, type StepMeter, type Steps } from '../segment/steps.ts'
import { allDeleteSteps, applyDelete, deleteSteps } from './apply-deletes.ts'
import { attachIndexes } from './attach-indexes.ts'
import { BadIndexes } from './bad-indexes.ts'
import type { GrowingChunk } from './growing-chunk.ts'
import { GrowingRows } from './growing-rows.ts'
import type { KeptPart } from './kept-parts.ts'
import type { KeptViews } from './kept-views.ts'
import type { Moments } from './moments.ts'
import { NotServable, type ReadScope } from './scope.ts'
import type { SegmentLoader } from './segment-loader.ts'
import type { DeleteRecord, SegmentView } from './segment-view.ts'
import { SealedSegment } from './sealed-segment.ts'
import type { ShardDuty } from './shard-duty.ts'
import type { ServiceTime } from '../channel/service-time.ts'
import type { VectorField } from './vector-field.ts'
import { viewsAt } from './view-at.ts'

export interface LoadedShardOptions {
  readonly shard: ShardMeta
  readonly collectionId: bigint
  readonly meta: MetaReader
  readonly loader: SegmentLoader
  readonly engine: Engine
  readonly serviceTime: ServiceTime
  readonly vectorFields: ReadonlyMap<number, VectorField>
  readonly isLoadedPartition: (partitionId: bigint) => boolean
  /** A finished index could not be opened. Told once per file. */
  readonly onBadIndex: (segmentId: bigint, index: SegmentIndexMeta, error: unknown) => void
  readonly signal: AbortSignal
  /** What this node shall hold of the shard; without it: everything. */
  readonly duty?: (() => ShardDuty) | undefined
  /** Resolves when everything of the shard at or below `atLeast` is in segments. Asked for where there are duties. */
  readonly flush?: ((atLeast: bigint) => Promise<void>) | undefined
  /** That are looked at again, and what they keep. Without them, nothing is kept. */
  readonly moments?: Moments | undefined
  readonly kept?: KeptViews | undefined
  /** Many deaths more than before are remembered. */
  readonly onDeaths?: (() => void) | undefined
  /** Lets others have a turn. */
  readonly pause: Pause
}

/** How long a moment that passed can be looked at. */
const HISTORY_MS = 30_000
/** Deletes from one forgetting to the next. */
const DELETES_PER_FORGETTING = 256
const END_OF_TIME = 2n ** 64n

export class LoadedShard {
  readonly #options: LoadedShardOptions
  readonly #growing: GrowingRows
  readonly #sealed = new Map<bigint, SealedSegment>()
  #recentDeletes: DeleteRecord[] = []
  /** Delta segments whose deletes all sealed segments here have seen. */
  readonly #appliedDeltas = new Set<bigint>()
  readonly #bad: BadIndexes
  /** Deletes above this came, or will come, through the log. */
  readonly #logFromTs: bigint
  #handedOverTs: bigint
  /** With duties: the growing rows above this are here. Undefined while another node leads the shard. */
  #growingFrom: bigint | undefined
  /** With duties: earlier moments cannot be looked at any more. */
  #historyFrom = 0n
  #deletesSinceForgetting = 0
  /** Of a commit that is applied step by step and that nobody sees yet. */
  #pendingTs: bigint | undefined
  #reconciling: Promise<void> | undefined
  #stale = false

  constructor(options: LoadedShardOptions) {
    this.#options = options
    this.#bad = new BadIndexes(options.signal, options.onBadIndex)
    this.#growing = new GrowingRows({ name: options.shard.vchannel, engine: options.engine, vectorFields: options.vectorFields, letGo: (chunk) => this.#letGo(chunk) })
    this.#handedOverTs = options.meta.flushedTs(options.collectionId, options.shard.vchannel)
    this.#logFromTs = options.duty === undefined ? options.serviceTime.ts : options.serviceTime.entered
    this.followDuty()
  }

  get shard(): ShardMeta {
    return this.#options.shard
  }

  get sealedSegments(): readonly SealedSegment[] {
    return [...this.#sealed.values()]
  }

  /** What can be served of a duty: segments, and the growing rows above a timestamp if the shard is led from here. */
  get holdings(): { readonly segmentIds: readonly bigint[]; readonly growingFrom: bigint | undefined } {
    return { segmentIds: [...this.#sealed.keys()], growingFrom: this.#growingFrom }
  }

  /** A shard that is led from here collects its rows from now on: those before are to be flushed. */
  followDuty(): void {
    const { duty, serviceTime } = this.#options
    if (duty === undefined) return
    const { growingAfter } = duty()
    if (growingAfter === undefined) {
      this.#growing.release()
      this.#growingFrom = undefined
    } else if (this.#growingFrom === undefined) {
      this.#growingFrom = serviceTime.entered === 0n ? this.#handedOverTs : serviceTime.entered
    }
  }

  /** Rows that were not wanted until now have passed: of a shard that is led from here, those before now are to be flushed. */
  collectAnew(): void {
    const { entered } = this.#options.serviceTime
    if (this.#growingFrom !== undefined && entered > this.#growingFrom) this.#growingFrom = entered
  }

  get growingRows(): number {
    return this.#growing.rowCount
  }

  /** Everything a search may look at now, of these partitions. */
  views(partitionIds: ReadonlySet<bigint> | undefined, ignoreGrowing: boolean): SegmentView[] {
    const named = this.#named(partitionIds, ignoreGrowing)
    return this.#pendingTs === undefined || this.#isShared ? named : viewsAt(named, this.#pendingTs - 1n)
  }

  /** All of it, of a moment that is kept from now on. Throws NotServable where rows went to segments since: who died before is not in them. */
  partsAt(ts: bigint): KeptPart[] {
    if (ts < this.#handedOverTs) throw new NotServable('moment', `timestamp ${ts} is before the last flush of ${this.#options.shard.vchannel}`)
    return this.#all().map((view) => ({ view, afterTs: 0n }))
  }

  #named(partitionIds: ReadonlySet<bigint> | undefined, ignoreGrowing: boolean): SegmentView[] {
    const all = ignoreGrowing ? [...this.#sealed.values()] : this.#all()
    return partitionIds === undefined ? all : all.filter((view) => partitionIds.has(view.partitionId))
  }

  #all(): (SealedSegment | GrowingChunk)[] {
    return [...this.#sealed.values(), ...this.#growing.chunks()]
  }

  /** Of what a read names that which is of this shard; segments that are not here are left out. Throws NotServable for growing rows or a moment that are gone. */
  scopedParts({ ts, segmentIds, growing }: ReadScope, partitionIds: ReadonlySet<bigint> | undefined, ignoreGrowing: boolean): KeptPart[] {
    if (ts < this.#historyFrom) throw new NotServable('moment', `timestamp ${ts} is too long ago for ${this.#options.shard.vchannel}`)
    const parts: KeptPart[] = []
    for (const id of segmentIds) {
      const segment = this.#sealed.get(id)
      if (segment !== undefined) parts.push({ view: segment, afterTs: 0n })
    }
    const mine = ignoreGrowing ? undefined : growing.find(({ vchannel }) => vchannel === this.#options.shard.vchannel)
    if (mine !== undefined) {
      if (this.#growingFrom === undefined || this.#growingFrom > mine.afterTs) throw new NotServable('channel', `growing rows of ${mine.vchannel} behind ${mine.afterTs} are not here`)
      for (const view of this.#growing.chunks()) parts.push({ view, afterTs: mine.afterTs })
    }
    return partitionIds === undefined ? parts : parts.filter(({ view }) => view.sealed || partitionIds.has(view.partitionId))
  }

  /** Whether inserts of this timestamp are to be kept here. */
  takesInsert(ts: bigint): boolean {
    return this.#options.duty === undefined ? ts > this.#handedOverTs : this.#growingFrom !== undefined && ts > this.#growingFrom
  }

  wantsInsert(partitionId: bigint, ts: bigint): boolean {
    return this.takesInsert(ts) && this.#options.isLoadedPartition(partitionId)
  }

  applyInsert(collection: CollectionMeta, partitionId: bigint, rows: RowBatch, ts: bigint): void {
    // The log still has rows of partitions that were dropped.
    const isThere = ts > collection.truncatedTs && collection.partitions.some(({ id }) => id === partitionId)
    if (isThere && this.wantsInsert(partitionId, ts)) this.#growing.append(partitionId, collection.schema, rows, ts)
  }

  /** @returns keys that were looked for, over all segments */
  applyDelete(record: DeleteRecord): number {
    this.#recentDeletes.push(record)
    const views = this.#all()
    for (const view of views) applyDelete(view, record, this.#isDated)
    this.#countDelete(record.ts)
    return views.length * record.keys.length
  }

  /** From now on what comes with this timestamp is seen by nobody, and may come step by step, until it is shown. */
  beginCommit(ts: bigint): void {
    this.#pendingTs = ts
  }

  /** The same as {@link applyDelete}, in steps. */
  *deleteSteps(record: DeleteRecord, meter: StepMeter): Steps<void> {
    this.#recentDeletes.push(record)
    const done = new Set<SegmentView>()
    // Segments that come meanwhile have the whole record; a chunk of which a part went to a segment is another one.
    const next = (): SegmentView | undefined => this.#all().find((view) => !done.has(view))
    for (let view = next(); view !== undefined; view = next()) {
      done.add(view)
      yield* deleteSteps(view, record, this.#isDated, meter)
    }
    this.#countDelete(record.ts)
  }

  /** What was begun is seen, all of it. One step, whatever came. */
  showCommit(): void {
    this.#pendingTs = undefined
    this.forgetDeaths()
  }

  /** Unless somebody may still ask when they were. */
  forgetDeaths(): void {
    if (this.#isShared || this.#pendingTs !== undefined) return
    const through = this.#forgettable
    if (through !== undefined) for (const view of this.#all()) view.tombstones.forget(through)
  }

  /** Other nodes may be behind: a read looks at a moment that all have reached. */
  get #isShared(): boolean {
    return this.#options.duty !== undefined
  }

  /** Somebody may look at a moment that passed. */
  get #isDated(): boolean {
    return this.#isShared || this.#pendingTs !== undefined || this.#options.moments?.isKept === true
  }

  /** Undefined: nothing may be forgotten. */
  get #forgettable(): bigint | undefined {
    return this.#options.moments === undefined ? END_OF_TIME : this.#options.moments.forgettable
  }

  /** That are remembered with their time. */
  get deaths(): number {
    return this.#all().reduce((sum, { tombstones }) => sum + tombstones.rememberedCount, 0)
  }

  #countDelete(ts: bigint): void {
    if (!this.#isShared && this.#options.moments?.isKept !== true) return
    if (++this.#deletesSinceForgetting < DELETES_PER_FORGETTING) return
    this.#deletesSinceForgetting = 0
    if (this.#isShared) this.#forgetBefore(addDuration(ts, -HISTORY_MS))
    this.#options.onDeaths?.()
  }

  #forgetBefore(old: bigint): void {
    const through = this.#forgettable
    if (through === undefined) return
    const ts = through < old ? through : old
    if (ts > this.#historyFrom) this.#historyFrom = ts
    for (const view of this.#all()) view.tombstones.forget(ts)
  }

  dropPartition(partitionId: bigint): void {
    this.#growing.dropPartition(partitionId)
    for (const [id, segment] of this.#sealed) if (segment.partitionId === partitionId) this.#drop(id)
  }

  /** What was written at or below `ts` is gone; a flush that ran meanwhile may have put some of it beside newer rows. */
  truncate(ts: bigint): void {
    for (const segment of this.#sealed.values()) segment.truncate(ts)
    this.#growing.dropThrough(ts)
  }

  /** Follow the metadata: read segments that are new, drop those that are gone. Calls meanwhile share one more round. */
  async reconcile(): Promise<void> {
    this.#stale = true
    // The one that is under way may be at its end, and look no more.
    while (this.#stale && !this.#options.signal.aborted) {
      this.#reconciling ??= this.#reconcileUntilFresh().finally(() => {
        this.#reconciling = undefined
      })
      await this.#reconciling
    }
  }

  release(): void {
    this.#growing.release()
    for (const id of this.#sealed.keys()) this.#drop(id)
    this.#recentDeletes = []
  }

  async #reconcileUntilFresh(): Promise<void> {
    while (this.#stale && !this.#options.signal.aborted) {
      this.#stale = false
      try {
        await this.#reconcileOnce()
      } catch (error) {
        // A file that was gone may have been compacted away meanwhile: the metadata has changed then, so look again.
        if (!this.#stale) throw error
      }
    }
  }

  async #reconcileOnce(): Promise<void> {
    const { collectionId, meta, shard, serviceTime, signal, isLoadedPartition, duty } = this.#options
    if (duty !== undefined) await this.#flushWhatIsNotHere()
    const collection = meta.collectionById(collectionId)
    if (collection === undefined) return
    const ids = duty?.().segmentIds
    const flushedTs = meta.flushedTs(collectionId, shard.vchannel)
    const mine = meta.segments(collectionId).filter((segment) => segment.vchannel === shard.vchannel && (segment.partitionId === 0n || isLoadedPartition(segment.partitionId)))
    const wanted = mine.filter((segment) => segment.level === 'L1' && ids?.has(segment.id) !== false)
    const deltas = mine.filter((segment) => segment.level === 'L0')
    const fresh: SealedSegment[] = []
    let appliedDeletes = 0
    try {
      const missed = await this.#missedDeletes(deltas, collection)
      for (const segment of wanted) {
        if (!this.#sealed.has(segment.id)) fresh.push(await this.#open(segment, collection, deltas))
        signal.throwIfAborted()
      }
      for (const segment of this.#sealed.values()) await this.#applyAll(segment, missed)
      for (const { id } of deltas) this.#appliedDeltas.add(id)
      // Rows of a flush may be ahead of the log as it was applied here: wait, or they would show without the deletes beside them.
      await serviceTime.wait(flushedTs, signal)
      // Most of it here, in turns; what comes meanwhile is applied when the segments appear.
      appliedDeletes = this.#recentDeletes.length
      for (const segment of fresh) await this.#applyAll(segment, this.#recentDeletes.slice(0, appliedDeletes))
    } catch (error) {
      for (const segment of fresh) segment.release()
      throw error
    }
    // With a duty, what was compacted meanwhile is kept for as long as a target names it.
    this.#commit(fresh, appliedDeletes, duty === undefined ? new Set(wanted.map((segment) => segment.id)) : duty().segmentIds, flushedTs, meta.collectionById(collectionId)?.truncatedTs ?? 0n)
    await attachIndexes(this.#sealed, wanted, this.#options, this.#bad)
  }

  /** The log was read here from some moment on: rows and deletes before it must come from segments. */
  async #flushWhatIsNotHere(): Promise<void> {
    const { collectionId, meta, shard, flush } = this.#options
    const needed = this.#growingFrom !== undefined && this.#growingFrom > this.#logFromTs ? this.#growingFrom : this.#logFromTs
    if (needed > meta.flushedTs(collectionId, shard.vchannel)) await flush?.(needed)
  }

  /** Deletes from before this shard was loaded that were flushed only after its segments had been opened. */
  async #missedDeletes(deltas: readonly SegmentMeta[], { schema }: CollectionMeta): Promise<DeleteRecord[]> {
    if (this.#sealed.size === 0) return []
    const missed = deltas.filter(({ id, startTs }) => startTs < this.#logFromTs && !this.#appliedDeltas.has(id))
    return (await Promise.all(missed.map((delta) => this.#options.loader.deletes(delta, schema)))).flat()
  }

  async #open(segment: SegmentMeta, collection: CollectionMeta, deltas: readonly SegmentMeta[]): Promise<SealedSegment> {
    const { loader, engine, vectorFields } = this.#options
    const rows = await loader.rows(segment, collection.schema)
    const keys = rows.columns.get(primaryField(collection.schema).id)
    if (!isPrimaryKeyColumn(keys)) throw new Error(`segment ${segment.id} has no primary keys`)
    const sealed = new SealedSegment(segment, rows, keys satisfies PrimaryKeys, vectorFields.values(), engine)
    for (const delta of deltas) {
      if (delta.endTs <= segment.deletesTs) continue
      await this.#applyAll(sealed, await loader.deletes(delta, collection.schema))
    }
    return sealed
  }

  #applyAll(segment: SealedSegment, records: readonly DeleteRecord[]): Promise<void> {
    return inTurns(allDeleteSteps(segment, records, () => this.#isDated), this.#options.pause)
  }

  /** @param appliedDeletes so many of the recent ones were applied to the fresh segments before */
  #commit(fresh: readonly SealedSegment[], appliedDeletes: number, wanted: ReadonlySet<bigint>, flushedTs: bigint, truncatedTs: bigint): void {
    for (const segment of fresh) {
      for (const record of this.#recentDeletes.slice(appliedDeletes)) applyDelete(segment, record, this.#isDated)
      segment.truncate(truncatedTs)
      this.#sealed.set(segment.id, segment)
    }
    for (const id of this.#sealed.keys()) if (!wanted.has(id)) this.#drop(id)
    this.#dropGrowing(flushedTs)
    this.#recentDeletes = this.#recentDeletes.filter((record) => record.ts > flushedTs)
    if (flushedTs > this.#handedOverTs) this.#handedOverTs = flushedTs
  }

  /** What segments hold; with a duty, what no target in use needs as growing any more. */
  #dropGrowing(flushedTs: bigint): void {
    const { duty } = this.#options
    const through = duty === undefined ? flushedTs : duty().growingAfter
    if (through === undefined) return
    this.#growing.dropThrough(through)
    if (this.#growingFrom !== undefined && through > this.#growingFrom) this.#growingFrom = through
  }

  #drop(id: bigint): void {
    const segment = this.#sealed.get(id)
    this.#sealed.delete(id)
    if (segment !== undefined) this.#letGo(segment)
  }

  /** A moment that is kept may look at it still. */
  #letGo(view: SealedSegment | GrowingChunk): void {
    if (this.#options.kept === undefined) view.release()
    else this.#options.kept.letGo(view)
  }
}
