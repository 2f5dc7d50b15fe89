/** A collection in memory: its shards, how far its loading is, and which partitions count. */
import type { MetaReader } from '../coordinator/api.ts'
import type { CollectionMeta } from '../model/meta.ts'
import type { LoadedSegmentInfo } from './api.ts'
import { LoadedShard, type LoadedShardOptions } from './loaded-shard.ts'
import type { ServiceTime } from '../channel/service-time.ts'
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
}

export class LoadedCollection {
  readonly id: bigint
  /** Shared with all that is loaded: a field that is added here can be searched at once. */
  readonly vectorFields: Map<number, VectorField>
  readonly shards: ReadonlyMap<string, LoadedShard>
  readonly #meta: MetaReader
  /** That calls look at more than once. */
  readonly moments = new Moments(() => {
    for (const shard of this.shards.values()) shard.forgetDeaths()
  })
  readonly #abort = new AbortController()
  /** Imports of which every row was here once. */
  readonly #shownImports = new Set<bigint>()
  /** 0 to 100; 100 once and for all when the first round of loading is done. */
  progress = 0
  /** Why loading failed, until it is asked for again. */
  failure: Error | undefined

  constructor({ collection, meta, loader, engine, serviceTime, onBadIndex, pause, duty, flush }: LoadedCollectionOptions) {
    this.id = collection.id
    this.#meta = meta
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
          isKept: () => this.moments.isKept,
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
    for (const { vchannel } of scope.growing) if (!this.shards.has(vchannel)) throw new NotServable('channel', `shard ${vchannel} is not here`)
    const views = [...this.shards.values()].flatMap((shard) => shard.scopedViews(scope, partitionIds, ignoreGrowing))
    const found = views.reduce((count, { sealed }) => count + (sealed ? 1 : 0), 0)
    if (found < scope.segmentIds.length) throw new NotServable('segment', `${scope.segmentIds.length - found} of ${scope.segmentIds.length} segments of collection ${this.id} are not loaded here`)
    return views
  }

  /** Everything, as of a moment that is kept. Throws NotServable where it is not, or can not be told any more. */
  viewsAt(ts: bigint, partitionIds: ReadonlySet<bigint> | undefined, ignoreGrowing: boolean): SegmentView[] {
    if (!this.moments.has(ts)) throw new NotServable('moment', `timestamp ${ts} of collection ${this.id} is not kept`)
    return [...this.shards.values()].flatMap((shard) => shard.viewsAt(ts, partitionIds, ignoreGrowing))
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
    for (const shard of this.shards.values()) shard.release()
  }
}
