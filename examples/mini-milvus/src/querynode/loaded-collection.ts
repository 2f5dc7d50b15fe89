/** A collection in memory: its shards, how far its loading is, and which partitions count. */
import type { MetaReader } from '../coordinator/api.ts'
import type { CollectionMeta } from '../model/meta.ts'
import type { NodeClock } from '../edge/system.ts'
import type { LoadedSegmentInfo } from './api.ts'
import { LoadedShard, type LoadedShardOptions } from './loaded-shard.ts'
import type { ServiceTime } from '../channel/service-time.ts'
import { viewsOf, type KeptPart } from './kept-parts.ts'
import type { KeptViews } from './kept-views.ts'
import { Moments } from './moments.ts'
import type { SegmentView } from './segment-view.ts'
import type { ShardDuty } from './shard-duty.ts'
import { NotServable, type ReadScope } from './scope.ts'
import { vectorFieldsOf, type VectorField } from './vector-field.ts'

export interface LoadedCollectionOptions extends Pick<LoadedShardOptions, 'meta' | 'loader' | 'engine' | 'onBadIndex' | 'pause'> {
  readonly collection: CollectionMeta
  /** What this node shall hold of a shard; without it: everything. */
  readonly duty?: ((vchannel: string) => ShardDuty) | undefined
  readonly flush?: ((vchannel: string, atLeast: bigint) => Promise<void>) | undefined
  readonly serviceTime: (pchannel: string) => ServiceTime
  readonly clock: Pick<NodeClock, 'setTimer' | 'monotonic'>
  /** Of all collections of the node. */
  readonly kept: KeptViews
}

export class LoadedCollection {
  readonly id: bigint
  /** Shared with all that is loaded: a field that is added here can be searched at once. */
  readonly vectorFields: Map<number, VectorField>
  readonly shards: ReadonlyMap<string, LoadedShard>
  readonly #meta: MetaReader
  /** That calls look at more than once. */
  readonly moments: Moments
  readonly #kept: KeptViews
  readonly #abort = new AbortController()
  /** Imports of which every row was here once. */
  readonly #shownImports = new Set<bigint>()
  /** 0 to 100; 100 once and for all when the first round of loading is done. */
  progress = 0
  /** Why loading failed, until it is asked for again. */
  failure: Error | undefined

  constructor({ collection, meta, loader, engine, serviceTime, onBadIndex, pause, duty, flush, clock, kept }: LoadedCollectionOptions) {
    this.id = collection.id
    this.#meta = meta
    this.#kept = kept
    this.moments = new Moments({ clock, views: kept, onEnd: () => this.#forgetDeaths() })
    this.vectorFields = vectorFieldsOf(collection.schema, meta.indexes(collection.id))
    const { signal } = this.#abort
    const isLoadedPartition = (partitionId: bigint): boolean => this.isLoadedPartition(partitionId)
    this.shards = new Map(
      collection.shards.map((shard) => [
        shard.vchannel,
        new LoadedShard({
          shard,
          collectionId: collection.id,
          meta,
          loader,
          engine,
          serviceTime: serviceTime(shard.pchannel),
          vectorFields: this.vectorFields,
          isLoadedPartition,
          onBadIndex,
          pause,
          moments: this.moments,
          kept,
          onDeaths: () => this.#countDeaths(),
          signal,
          ...(duty === undefined ? {} : { duty: () => duty(shard.vchannel), flush: (atLeast) => flush?.(shard.vchannel, atLeast) ?? Promise.resolve() }),
        }),
      ]),
    )
  }

  /** Vector fields that got their first index since the collection was loaded. */
  addVectorFields(): void {
    const collection = this.#meta.collectionById(this.id)
    if (collection === undefined) return
    for (const field of vectorFieldsOf(collection.schema, this.#meta.indexes(this.id)).values()) {
      if (this.vectorFields.has(field.fieldId)) continue
      this.vectorFields.set(field.fieldId, field)
      for (const shard of this.shards.values()) for (const segment of shard.sealedSegments) segment.addVectorField(field)
    }
  }

  isLoadedPartition(partitionId: bigint): boolean {
    const load = this.#meta.load(this.id)
    return load !== undefined && (load.wholeCollection || load.partitionIds.includes(partitionId))
  }

  /** Rows of an import are shown when all of them are here: its shards are read one after the other. */
  isShown({ rowsTs }: SegmentView): boolean {
    if (rowsTs === undefined || this.#shownImports.has(rowsTs)) return true
    const here = new Set([...this.shards.values()].flatMap((shard) => shard.sealedSegments.map((segment) => segment.id)))
    const isWhole = this.#meta.segments(this.id).every((segment) => segment.rowsTs !== rowsTs || here.has(segment.id) || !this.isLoadedPartition(segment.partitionId))
    if (isWhole) this.#shownImports.add(rowsTs)
    return isWhole
  }

  followDuties(): void {
    for (const shard of this.shards.values()) shard.followDuty()
  }

  /** Exactly what a read names. Throws NotServable where not all of it is here. */
  scopedViews(scope: ReadScope, partitionIds: ReadonlySet<bigint> | undefined, ignoreGrowing: boolean): SegmentView[] {
    return viewsOf(this.#scopedParts(scope, partitionIds, ignoreGrowing), scope.ts)
  }

  #scopedParts(scope: ReadScope, partitionIds: ReadonlySet<bigint> | undefined, ignoreGrowing: boolean): KeptPart[] {
    for (const { vchannel } of scope.growing) if (!this.shards.has(vchannel)) throw new NotServable('channel', `shard ${vchannel} is not here`)
    const parts = [...this.shards.values()].flatMap((shard) => shard.scopedParts(scope, partitionIds, ignoreGrowing))
    const found = parts.reduce((count, { view }) => count + (view.sealed ? 1 : 0), 0)
    if (found < scope.segmentIds.length) throw new NotServable('segment', `${scope.segmentIds.length - found} of ${scope.segmentIds.length} segments of collection ${this.id} are not loaded here`)
    return parts
  }

  /** The same of a page of an iterator: what it looks at is kept for the next one. */
  keptViews(scope: ReadScope, partitionIds: ReadonlySet<bigint> | undefined, ignoreGrowing: boolean, keepMs: number): SegmentView[] {
    const key = scopeKey(scope)
    let parts = this.moments.look(scope.ts, key)
    if (parts === undefined) this.moments.open(scope.ts, key, (parts = this.#scopedParts(scope, undefined, false)), keepMs)
    return viewsOf(partsOf(parts, partitionIds, ignoreGrowing), scope.ts)
  }

  /** Everything that is shown, to be kept as it is now. Throws NotServable where `ts` is before the last flush. */
  partsAt(ts: bigint): KeptPart[] {
    return [...this.shards.values()].flatMap((shard) => shard.partsAt(ts)).filter(({ view }) => this.isShown(view))
  }

  /** As of a moment that is kept. Throws NotServable where it is not. */
  viewsAt(ts: bigint, partitionIds: ReadonlySet<bigint> | undefined, ignoreGrowing: boolean): SegmentView[] {
    const parts = this.moments.look(ts)
    if (parts === undefined) throw new NotServable('moment', `timestamp ${ts} of collection ${this.id} is not kept`)
    return viewsOf(partsOf(parts, partitionIds, ignoreGrowing), ts)
  }

  dropPartition(id: bigint): void {
    this.moments.endAll()
    for (const shard of this.shards.values()) shard.dropPartition(id)
  }

  truncate(ts: bigint): void {
    this.moments.endAll()
    for (const shard of this.shards.values()) shard.truncate(ts)
  }

  #forgetDeaths(): void {
    for (const shard of this.shards.values()) shard.forgetDeaths()
    this.#countDeaths()
  }

  #countDeaths(): void {
    this.#kept.countDeaths(this, this.moments.isKept ? [...this.shards.values()].reduce((sum, shard) => sum + shard.deaths, 0) : 0)
  }

  /** What is sealed in memory. */
  segmentInfos(nodeId: bigint): LoadedSegmentInfo[] {
    return [...this.shards.values()].flatMap((shard) =>
      shard.sealedSegments.map((segment) => ({
        segmentId: segment.id,
        collectionId: this.id,
        partitionId: segment.partitionId,
        rows: segment.length,
        sealed: true,
        indexed: [...this.vectorFields.keys()].every((fieldId) => segment.hasIndex(fieldId)),
        nodeIds: [nodeId],
      })),
    )
  }

  async reconcile(): Promise<void> {
    await Promise.all([...this.shards.values()].map((shard) => shard.reconcile()))
  }

  release(): void {
    this.#abort.abort(new Error('the collection was released'))
    this.moments.endAll()
    this.#kept.countDeaths(this, 0)
    for (const shard of this.shards.values()) shard.release()
  }
}

function scopeKey({ segmentIds, growing }: ReadScope): string {
  return [segmentIds.join(), ...growing.map(({ vchannel, afterTs }) => `${vchannel}@${afterTs}`)].join('/')
}

function partsOf(parts: readonly KeptPart[], partitionIds: ReadonlySet<bigint> | undefined, ignoreGrowing: boolean): KeptPart[] {
  return parts.filter(({ view }) => (view.sealed || !ignoreGrowing) && partitionIds?.has(view.partitionId) !== false)
}
