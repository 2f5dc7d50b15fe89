/**
 * The query node: follows the log and the metadata, holds loaded collections in memory, answers searches and queries.
 *
 * Loading a collection while the log runs: its rows are taken from the log from this moment on, and the data node is asked to
 * flush what came before. So nothing is read twice from the log and nothing is missed. At start the log is read from its
 * checkpoint, and all loaded collections are there before the first message.
 */
import type { Mq, MsgPosition } from '@timetick/msgstream'
import { openChannelGraph, type ChannelGraph } from '../channel/channel-graph.ts'
import type { MetaChange, MetaReader } from '../coordinator/api.ts'
import type { NodeClock } from '../edge/system.ts'
import { EngineError, namedEngine, type Engine } from '../engine/index.ts'
import { expiryRule } from '../model/expiry.ts'
import { type CompiledFilter, prepareFilter } from '../filter/index.ts'
import type { CollectionMeta, LoadMeta } from '../model/meta.ts'
import type { TargetReader } from '../model/target.ts'
import type { PrimaryKeys } from '../model/primary-keys.ts'
import { Code, MilvusError } from '../server/status.ts'
import type { TransactionReader } from '../staging/transactions.ts'
import type { CollectionHoldings, LoadedSegmentInfo, LoadProgress, Moment, QueryNodeApi, QueryRequest, QueryResult, ReadRequest, SearchRequest, SearchResult, TermsRequest, TermStats } from './api.ts'
import { collectionStats } from './bm25.ts'
import { expireRows } from './expire.ts'
import { FilterCache } from './filter-cache.ts'
import { CommitGate } from './commit-gate.ts'
import { ApplyNode, FilterNode, ServiceTimeNode } from './graph-nodes.ts'
import { KeptViews } from './kept-views.ts'
import { LoadedCollection } from './loaded-collection.ts'
import { channelsOf, isLasting, shardKey, wantsMore } from './load-rules.ts'
import type { LoadedShard, LoadedShardOptions } from './loaded-shard.ts'
import { matchingKeys } from './matching-keys.ts'
import { queryViews } from './query.ts'
import { openMoment } from './moments.ts'
import { NotServable } from './scope.ts'
import { searchViews } from './search.ts'
import type { SegmentLoader } from './segment-loader.ts'
import type { SegmentView } from './segment-view.ts'
import { NO_DUTY, shardDuties, type ShardDuty } from './shard-duty.ts'
import type { ServiceTime } from '../channel/service-time.ts'
import { ServiceTimes } from './service-times.ts'

export interface QueryNodeOptions {
  readonly nodeId: bigint
  readonly meta: MetaReader
  readonly mq: Mq
  readonly engine: Engine
  readonly loader: SegmentLoader
  readonly pchannels: readonly string[]
  readonly clock: NodeClock
  /** Parts of flushes of rule `flush` are left out without it. */
  readonly transactions?: TransactionReader | undefined
  readonly checkpoint: (pchannel: string) => MsgPosition | undefined
  /** How long a read waits for the timestamp that it must see. */
  readonly maxWaitMs: number
  /** What segments that were let go may take while iterators look at them. Without it: as much as it is. */
  readonly maxKeptBytes?: number | undefined
  readonly requestTick: (pchannels: readonly string[], atLeast: bigint) => void
  /** Resolves when everything of the shard at or below `atLeast` is in segments. */
  readonly flushShard: (collectionId: bigint, vchannel: string, atLeast: bigint) => Promise<void>
  /** A finished index could not be opened; the segment is scanned. */
  readonly onBadIndex: LoadedShardOptions['onBadIndex']
  /** The node can no longer do its work: a broken log, a failed operator. */
  readonly onFailure: (error: Error) => void
  readonly onWarning: (message: string, error: unknown) => void
  /** Of several query nodes: what each shall hold. Without it this one holds everything. */
  readonly targets?: TargetReader | undefined
  /** More, or less, can be served than before. */
  readonly onHoldings?: (() => void) | undefined
}

interface PreparedRead {
  readonly collection: CollectionMeta
  readonly loaded: LoadedCollection
  readonly filter: CompiledFilter | undefined
}

/** Of a search whose segments are replaced while it waits. */
const MAX_ATTEMPTS = 4
/** Until a load that failed for a passing reason is tried again. */
const RETRY_MS = 1_000

let started = 0

export async function startQueryNode(options: QueryNodeOptions): Promise<QueryNode> {
  // What an instance that failed drops late must not be what its successor has loaded since.
  const node = new QueryNode({ ...options, engine: namedEngine(options.engine, `q${(started += 1)}`) })
  await node.start()
  return node
}

export class QueryNode implements QueryNodeApi {
  readonly nodeId: bigint
  readonly #options: QueryNodeOptions
  readonly #serviceTimes: ServiceTimes
  readonly #closing = new AbortController()
  readonly #collections = new Map<bigint, LoadedCollection>()
  readonly #shards = new Map<string, LoadedShard>()
  /** From where each channel is read. */
  readonly #positions: ReadonlyMap<string, MsgPosition | undefined>
  readonly #gate: CommitGate
  /** Of commits before the start one channel's part may be in segments and another's in the log still: nobody reads before both are there. */
  readonly #seenFromTs: bigint
  readonly #filters = new FilterCache()
  readonly #kept: KeptViews
  readonly #graphs: ChannelGraph[] = []
  readonly #cancelRetries = new Map<bigint, () => void>()
  #unsubscribe: (() => void) | undefined
  #unsubscribeTargets: (() => void) | undefined
  readonly #duties = new Map<bigint, ReadonlyMap<string, ShardDuty>>()
  #running = false
  #closed = false

  constructor(options: QueryNodeOptions) {
    this.nodeId = options.nodeId
    this.#options = options
    this.#kept = new KeptViews(options.maxKeptBytes)
    this.#serviceTimes = new ServiceTimes({ ...options, closing: this.#closing.signal })
    this.#positions = new Map(options.pchannels.map((channel) => [channel, options.checkpoint(channel)]))
    this.#gate = new CommitGate(new Map([...this.#positions].map(([channel, position]) => [channel, position?.timestamp ?? 0n])))
    this.#seenFromTs = options.transactions?.latestTs() ?? 0n
  }

  async start(): Promise<void> {
    const { meta, targets } = this.#options
    this.#unsubscribe = meta.onChange((change) => this.#follow(change))
    this.#unsubscribeTargets = targets?.onChange((collectionId) => this.#followTargets(collectionId))
    for (const collection of meta.collections()) if (meta.load(collection.id) !== undefined) this.#load(collection)
    for (const [channel, serviceTime] of this.#serviceTimes.channels) this.#graphs.push(await this.#openGraph(channel, serviceTime))
    this.#running = true
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#unsubscribe?.()
    this.#unsubscribeTargets?.()
    this.#gate.close()
    this.#closing.abort(new MilvusError(1, 'service not ready: the query node was closed'))
    await Promise.all(this.#graphs.map((graph) => graph.close()))
    for (const id of this.#collections.keys()) this.#release(id)
  }

  async search(request: SearchRequest): Promise<SearchResult> {
    const { collection, loaded, filter } = await this.#prepare(request)
    const field = loaded.vectorFields.get(request.fieldId)
    if (field === undefined) throw new MilvusError(700, `index not found for field ${request.fieldId}[collection=${collection.schema.name}]`)
    const { engine, clock } = this.#options
    for (let attempt = 1; ; attempt++) {
      const views = this.#views(loaded, request)
      const allViews = field.bm25 === undefined || request.termStats !== undefined || (request.partitionIds === undefined && !request.ignoreGrowing) ? views : this.#views(loaded, { partitionIds: undefined, ignoreGrowing: false, momentTs: request.momentTs })
      const serviceTs = request.scope?.ts ?? request.momentTs ?? this.#serviceTimes.least(channelsOf(loaded))
      try {
        const result = await searchViews({ engine, clock, schema: collection.schema, field, views, allViews, filter }, request)
        return { ...result, serviceTs }
      } catch (error) {
        if (!(error instanceof EngineError) || error.code !== 'ENGINE_UNKNOWN_SET' || attempt === MAX_ATTEMPTS) throw error
        // A segment went while the search waited for a worker: its rows are in others now, or the collection was released.
        if (request.scope === undefined && this.#loadedCollection(collection) !== loaded) return this.search(request)
      }
    }
  }

  async query(request: QueryRequest): Promise<QueryResult> {
    const { collection, loaded, filter } = await this.#prepare(request)
    const views = this.#views(loaded, request)
    const serviceTs = request.scope?.ts ?? request.momentTs ?? this.#serviceTimes.least(channelsOf(loaded))
    const result = await queryViews({ clock: this.#options.clock, schema: collection.schema, views, filter }, request)
    return { ...result, serviceTs }
  }

  async matchingKeys(request: Omit<ReadRequest, 'outputFields'>): Promise<readonly PrimaryKeys[]> {
    const { loaded, filter } = await this.#prepare(request)
    return matchingKeys(this.#options.clock, this.#views(loaded, request), filter, request.signal)
  }

  async termStats(request: TermsRequest): Promise<TermStats> {
    const { collection, loaded } = await this.#prepare(request)
    const field = loaded.vectorFields.get(request.fieldId)
    if (field === undefined) throw new MilvusError(700, `index not found for field ${request.fieldId}[collection=${collection.schema.name}]`)
    const { engine, clock } = this.#options
    return collectionStats({ engine, clock, field, allViews: this.#views(loaded, request) }, request.terms, request.signal)
  }

  async moment({ collectionId, guaranteeTs, signal, keepMs }: Pick<ReadRequest, 'collectionId' | 'guaranteeTs' | 'signal' | 'keepMs'>): Promise<Moment> {
    const loaded = this.#loadedCollection(this.#collection(collectionId))
    return openMoment(loaded, this.#serviceTimes, guaranteeTs > this.#seenFromTs ? guaranteeTs : this.#seenFromTs, { signal, keepMs })
  }

  /** What can be served of these collections now, as far as they are here. */
  holdings(collectionIds: readonly bigint[]): readonly CollectionHoldings[] {
    const found = collectionIds.map((id) => this.#collections.get(id)).filter((loaded) => loaded !== undefined)
    return found.map((loaded) => {
      const shards = [...loaded.shards.values()].map((shard) => ({ vchannel: shard.shard.vchannel, ...shard.holdings }))
      return {
        collectionId: loaded.id,
        segmentIds: shards.flatMap(({ segmentIds }) => segmentIds),
        growing: shards.flatMap(({ vchannel, growingFrom }) => (growingFrom === undefined ? [] : [{ vchannel, fromTs: growingFrom }])),
        failure: loaded.failure?.message,
      }
    })
  }

  loadProgress(collectionId: bigint): LoadProgress | undefined {
    const loaded = this.#collections.get(collectionId)
    return loaded === undefined ? undefined : { percent: loaded.progress, failure: loaded.failure?.message }
  }

  segments(collectionId: bigint): LoadedSegmentInfo[] {
    return this.#collections.get(collectionId)?.segmentInfos(this.nodeId) ?? []
  }

  serviceTimes(): ReadonlyMap<string, bigint> {
    return new Map([...this.#serviceTimes.channels].map(([channel, serviceTime]) => [channel, serviceTime.ts]))
  }

  /** Of the channels of a collection, where it is held here: others may stand still while nobody writes to them. */
  serviceTimesOf(collectionId: bigint): ReadonlyMap<string, bigint> {
    const loaded = this.#collections.get(collectionId)
    return new Map(loaded === undefined ? [] : [...channelsOf(loaded)].map((channel) => [channel, this.#serviceTimes.of(channel).ts]))
  }

  async #prepare(request: Omit<ReadRequest, 'outputFields'>): Promise<PreparedRead> {
    const collection = this.#collection(request.collectionId)
    const loaded = request.scope === undefined ? this.#loadedCollection(collection) : this.#heldCollection(collection)
    for (const id of request.partitionIds ?? []) {
      if (!loaded.isLoadedPartition(id)) throw new MilvusError(Code.PartitionNotLoaded, `partition not loaded[collection=${collection.schema.name}][partition=${id}]`)
    }
    const preparing = prepareFilter(request.filter, collection.schema)
    if (preparing !== undefined) await preparing
    const filter = this.#filters.compile(request.filter, collection.schema, request.templates)
    await this.#serviceTimes.wait(channelsOf(loaded), request.guaranteeTs > this.#seenFromTs ? request.guaranteeTs : this.#seenFromTs, request.signal)
    // Released while it waited, and perhaps loaded anew: what was found first is empty now.
    if ((request.scope === undefined ? this.#loadedCollection(collection) : this.#heldCollection(collection)) !== loaded) return this.#prepare(request)
    return { collection, loaded, filter }
  }

  #collection(id: bigint): CollectionMeta {
    const collection = this.#options.meta.collectionById(id)
    if (collection === undefined) throw new MilvusError(100, `collection not found[collection=${id}]`)
    return collection
  }

  #loadedCollection(collection: CollectionMeta): LoadedCollection {
    const loaded = this.#collections.get(collection.id)
    if (loaded?.failure !== undefined) {
      throw new MilvusError(101, `collection not fully loaded[collection=${collection.schema.name}]: ${loaded.failure.message}`)
    }
    if (loaded === undefined || loaded.progress < 100) {
      throw new MilvusError(101, `collection not loaded[database=${collection.dbName}][collection=${collection.schema.name}]`)
    }
    return loaded
  }

  /** Whatever is there of it: what a read names is looked for in it. */
  #heldCollection(collection: CollectionMeta): LoadedCollection {
    const loaded = this.#collections.get(collection.id)
    if (loaded === undefined || this.#closed) throw new NotServable('segment', `collection ${collection.schema.name} is not held by query node ${this.nodeId}`)
    return loaded
  }

  #views(loaded: LoadedCollection, request: Pick<ReadRequest, 'partitionIds' | 'ignoreGrowing' | 'scope' | 'momentTs' | 'keepMs'>): SegmentView[] {
    const { scope, ignoreGrowing, momentTs, keepMs } = request
    const partitions = request.partitionIds === undefined ? undefined : new Set(request.partitionIds)
    const collection = this.#options.meta.collectionById(loaded.id)
    const rule = collection === undefined ? undefined : expiryRule(collection)
    const all = (): SegmentView[] => [...loaded.shards.values()].flatMap((shard) => shard.views(partitions, ignoreGrowing))
    if (scope === undefined) {
      const views = (momentTs === undefined ? all() : loaded.viewsAt(momentTs, partitions, ignoreGrowing)).filter((view) => momentTs !== undefined || loaded.isShown(view))
      if (rule !== undefined) for (const view of views) expireRows(view, rule, this.#options.clock.now())
      return views
    }
    // What expires is dead for ever, whatever moment is looked at.
    if (rule !== undefined) for (const view of all()) expireRows(view, rule, this.#options.clock.now())
    return keepMs === undefined ? loaded.scopedViews(scope, partitions, ignoreGrowing) : loaded.keptViews(scope, partitions, ignoreGrowing, keepMs)
  }

  #openGraph(channel: string, serviceTime: ServiceTime): Promise<ChannelGraph> {
    const { mq, meta, clock, transactions, onFailure } = this.#options
    const name = `query/${channel}`
    const find = (collectionId: bigint, vchannel: string): LoadedShard | undefined => this.#shards.get(shardKey(collectionId, vchannel))
    const own = { name: channel, serviceTime, gate: this.#gate, find }
    const nodes = [new FilterNode(`${name}/filter`, own), new ApplyNode(`${name}/apply`, own, meta, () => clock.yieldToLoop()), new ServiceTimeNode(`${name}/service-time`, serviceTime)]
    return openChannelGraph({ mq, channel, subscription: name, position: this.#positions.get(channel), nodes, clock, transactions, onFailure })
  }

  #follow(change: MetaChange): void {
    if (change.kind === 'load') this.#followLoad(change.collectionId, change.before, change.after)
    else if (change.kind === 'index' && change.after !== undefined) this.#collections.get(change.after.collectionId)?.addVectorFields()
    else if (change.kind === 'collection') this.#followCollection(change.id, change.before, change.after)
    else if (change.kind === 'segment') this.#reconcile(change.after?.collectionId ?? change.before?.collectionId)
  }

  #followLoad(collectionId: bigint, before: LoadMeta | undefined, after: LoadMeta | undefined): void {
    const loaded = this.#collections.get(collectionId)
    const collection = this.#options.meta.collectionById(collectionId)
    if (after === undefined || collection === undefined) this.#release(collectionId)
    else if (loaded === undefined || loaded.failure !== undefined) {
      this.#release(collectionId)
      this.#load(collection)
    } else this.#reload(loaded, before === undefined || wantsMore(before, after))
  }

  #followCollection(id: bigint, before: CollectionMeta | undefined, after: CollectionMeta | undefined): void {
    const loaded = this.#collections.get(id)
    if (loaded === undefined) return
    if (after === undefined) return this.#release(id)
    for (const { id: gone } of before?.partitions ?? []) if (!after.partitions.some((kept) => kept.id === gone)) loaded.dropPartition(gone)
    if (after.truncatedTs !== before?.truncatedTs) {
      loaded.truncate(after.truncatedTs)
      this.#reconcile(id)
    }
  }

  #load(collection: CollectionMeta): void {
    const { meta, loader, engine, onBadIndex, targets, flushShard, clock } = this.#options
    if (targets !== undefined) this.#duties.set(collection.id, shardDuties(targets.replicas(collection.id), this.nodeId))
    const duties = { duty: (vchannel: string) => this.#duties.get(collection.id)?.get(vchannel) ?? NO_DUTY, flush: (vchannel: string, atLeast: bigint) => flushShard(collection.id, vchannel, atLeast) }
    const pause = (): Promise<void> => clock.yieldToLoop()
    const loaded = new LoadedCollection({ collection, meta, loader, engine, onBadIndex, pause, clock, kept: this.#kept, serviceTime: (channel) => this.#serviceTimes.of(channel), ...(targets === undefined ? {} : duties) })
    this.#collections.set(collection.id, loaded)
    for (const [vchannel, shard] of loaded.shards) this.#shards.set(shardKey(collection.id, vchannel), shard)
    this.#background(loaded, this.#fill(loaded, this.#running))
  }

  #followTargets(collectionId: bigint): void {
    const loaded = this.#collections.get(collectionId)
    if (loaded === undefined) return
    this.#duties.set(collectionId, shardDuties(this.#options.targets?.replicas(collectionId) ?? [], this.nodeId))
    loaded.followDuties()
    this.#background(loaded, loaded.reconcile())
  }

  /** The set of loaded partitions changed: drop what is no longer wanted, read from segments what the log no longer gives. */
  #reload(loaded: LoadedCollection, wantsMore: boolean): void {
    // Partitions that go keep nobody from reading the others.
    if (wantsMore) loaded.progress = Math.min(loaded.progress, 99)
    for (const { id } of this.#options.meta.collectionById(loaded.id)?.partitions ?? []) {
      if (loaded.isLoadedPartition(id)) continue
      loaded.dropPartition(id)
    }
    if (wantsMore) for (const shard of loaded.shards.values()) shard.collectAnew()
    if (wantsMore) this.#background(loaded, this.#fill(loaded, true))
  }

  async #fill(loaded: LoadedCollection, flushFirst: boolean): Promise<void> {
    // With duties each shard has flushed what it needs.
    if (flushFirst && this.#options.targets === undefined) {
      await Promise.all(
        [...loaded.shards.values()].map(({ shard }) =>
          this.#options.flushShard(loaded.id, shard.vchannel, this.#serviceTimes.of(shard.pchannel).ts),
        ),
      )
    }
    await loaded.reconcile()
    loaded.progress = 100
  }

  #reconcile(collectionId: bigint | undefined): void {
    const loaded = collectionId === undefined ? undefined : this.#collections.get(collectionId)
    if (loaded !== undefined) this.#background(loaded, loaded.reconcile())
  }

  /** A load that fails is told to those who ask for progress or search; one that was released meanwhile is nobody's. */
  #background(loaded: LoadedCollection, work: Promise<void>): void {
    work.then(
      () => {
        // A round that went well makes no whole of a load that failed.
        if (loaded.progress === 100) loaded.failure = undefined
        this.#options.onHoldings?.()
      },
      (error: unknown) => {
        if (this.#collections.get(loaded.id) !== loaded || this.#closed) return
        loaded.failure = error instanceof Error ? error : new Error(String(error))
        this.#options.onWarning(`loading collection ${loaded.id} failed`, error)
        if (!isLasting(error)) this.#retry(loaded)
      },
    )
  }

  /** A store that was away, a flush that was cut: nobody would ask again for what is already wanted. */
  #retry(loaded: LoadedCollection): void {
    this.#cancelRetries.get(loaded.id)?.()
    const cancel = this.#options.clock.setTimer(() => {
      this.#cancelRetries.delete(loaded.id)
      if (this.#closed || this.#collections.get(loaded.id) !== loaded || loaded.failure === undefined) return
      this.#background(loaded, loaded.progress < 100 ? this.#fill(loaded, true) : loaded.reconcile())
    }, RETRY_MS)
    this.#cancelRetries.set(loaded.id, cancel)
  }

  #release(collectionId: bigint): void {
    const loaded = this.#collections.get(collectionId)
    if (loaded === undefined) return
    this.#cancelRetries.get(collectionId)?.()
    this.#cancelRetries.delete(collectionId)
    this.#collections.delete(collectionId)
    this.#duties.delete(collectionId)
    for (const vchannel of loaded.shards.keys()) this.#shards.delete(shardKey(collectionId, vchannel))
    loaded.release()
  }
}
