/**
 * Several query nodes as one: a read is divided after the newest target, answered by all nodes of one replica as of the same moment,
 * and merged. A node that cannot serve its part, or is gone, costs another attempt, never a part of the answer.
 */
import type { MetaReader } from '../coordinator/api.ts'
import type { NodeClock } from '../edge/system.ts'
import type { CollectionMeta } from '../model/meta.ts'
import type { PrimaryKeys } from '../model/primary-keys.ts'
import type { ReplicaRecord, TargetReader } from '../model/target.ts'
import type { LoadedSegmentInfo, LoadProgress, Moment, QueryNodeApi, QueryRequest, QueryResult, ReadRequest, SearchRequest, SearchResult, TermsRequest, TermStats } from '../querynode/api.ts'
import { termsOf } from '../querynode/bm25.ts'
import { mergeQueries, mergeSearches, mergeTermStats } from '../querynode/merge-results.ts'
import { isMomentGone, isRefusal, NotServable } from '../querynode/scope.ts'
import { Code, MilvusError } from '../server/status.ts'
import { planRead, type PlannedPart } from './read-plan.ts'
import { ReadPins, type ReadPin } from './read-pins.ts'

export interface ReadRouterOptions {
  readonly meta: MetaReader
  readonly targets: TargetReader
  /** A query node that lives, or undefined. */
  readonly node: (nodeId: bigint) => QueryNodeApi | undefined
  readonly nodeIds: () => readonly bigint[]
  readonly loadProgress: (collectionId: bigint) => LoadProgress | undefined
  /** Before a read at or above `ts`: learns how far these nodes have come with these channels by themselves, where that is not known. */
  readonly prepare?: ((nodeIds: readonly bigint[], channels: ReadonlySet<string>, ts: bigint) => Promise<void>) | undefined
  readonly clock: NodeClock
  /** How long a read is tried again, if its client gives it longer. */
  readonly maxWaitMs: number
}

/** Between two attempts, unless a target changes before. */
const RETRY_MS = 50

interface Plan {
  readonly record: ReplicaRecord
  readonly parts: readonly PlannedPart[]
}

type AnyRead = Omit<ReadRequest, 'outputFields'>

export class ReadRouter implements QueryNodeApi {
  readonly #options: ReadRouterOptions
  readonly #pins: ReadPins
  #turn = 0

  constructor(options: ReadRouterOptions) {
    this.#options = options
    this.#pins = new ReadPins(options.clock)
  }

  /** The first that lives. */
  get nodeId(): bigint {
    const [id] = this.#options.nodeIds()
    if (id === undefined) throw new MilvusError(Code.NotReady, 'service not ready: there is no query node')
    return id
  }

  async search(request: SearchRequest): Promise<SearchResult> {
    const termStats = this.#isWeighted(request) && request.termStats === undefined ? await this.termStats({ ...request, partitionIds: undefined, ignoreGrowing: false, terms: termsOf(request.queries) }) : request.termStats
    return this.#read({ ...request, termStats }, (node, part) => node.search({ ...part, offset: 0 }), (results, { schema }) => mergeSearches(results, request, schema))
  }

  query(request: QueryRequest): Promise<QueryResult> {
    const limit = request.limit === undefined ? undefined : request.offset + request.limit
    return this.#read(request, (node, part) => node.query({ ...part, limit, offset: 0 }), (results, { schema }) => mergeQueries(results, request, schema))
  }

  matchingKeys(request: AnyRead): Promise<readonly PrimaryKeys[]> {
    return this.#read(request, (node, part) => node.matchingKeys(part), (results) => results.flat())
  }

  termStats(request: TermsRequest): Promise<TermStats> {
    return this.#read(request, (node, part) => node.termStats(part), mergeTermStats)
  }

  /** Nodes tell of moments that passed by themselves: that of a call is fixed here, for all its looks and all nodes. */
  async moment({ collectionId, guaranteeTs, keepMs }: Pick<ReadRequest, 'collectionId' | 'guaranteeTs' | 'signal' | 'keepMs'>): Promise<Moment> {
    await this.#options.prepare?.(this.#options.nodeIds(), this.#channelsOf(collectionId), guaranteeTs)
    const times = this.#nodes().map((node) => node.serviceTimes())
    const channels = [...this.#channelsOf(collectionId)]
    const flushed = this.#options.targets.replicas(collectionId).flatMap(({ current }) => current?.shards.map((shard) => shard.flushedTs) ?? [])
    const reached = channels.flatMap((channel) => times.map((of) => of.get(channel) ?? 0n)).reduce<bigint | undefined>((least, ts) => (least === undefined || ts < least ? ts : least), undefined)
    const ts = [guaranteeTs, reached ?? 0n, ...flushed].reduce((latest, one) => (one > latest ? one : latest))
    const collection = this.#options.meta.collectionById(collectionId)
    if (keepMs !== undefined && collection !== undefined) this.#pins.add(collection, ts, keepMs)
    return { ts, release: () => undefined }
  }

  loadProgress(collectionId: bigint): LoadProgress | undefined {
    return this.#options.loadProgress(collectionId)
  }

  /** Each segment that reads find whatever replica they go to, once, with all nodes that have it. */
  segments(collectionId: bigint): readonly LoadedSegmentInfo[] {
    const read = this.#options.targets.replicas(collectionId).flatMap(({ current }) => (current === undefined ? [] : [new Set(current.segments.map(({ segmentId }) => segmentId))]))
    const infos = new Map<bigint, LoadedSegmentInfo>()
    for (const info of this.#nodes().flatMap((node) => node.segments(collectionId))) {
      const known = infos.get(info.segmentId)
      infos.set(info.segmentId, known === undefined ? info : { ...known, indexed: known.indexed && info.indexed, nodeIds: [...known.nodeIds, ...info.nodeIds] })
    }
    return [...infos.values()].filter(({ segmentId }) => read.length > 0 && read.every((ids) => ids.has(segmentId)))
  }

  /** By channel, of the node that is furthest behind. */
  serviceTimes(): ReadonlyMap<string, bigint> {
    const times = new Map<string, bigint>()
    for (const node of this.#nodes()) for (const [channel, ts] of node.serviceTimes()) times.set(channel, ts < (times.get(channel) ?? ts) ? ts : (times.get(channel) ?? ts))
    return times
  }

  #nodes(): QueryNodeApi[] {
    return this.#options.nodeIds().map((id) => this.#options.node(id)).filter((node) => node !== undefined)
  }

  #channelsOf(collectionId: bigint): ReadonlySet<string> {
    return new Set(this.#options.meta.collectionById(collectionId)?.shards.map(({ pchannel }) => pchannel))
  }

  #isWeighted({ collectionId, fieldId }: SearchRequest): boolean {
    const field = this.#options.meta.collectionById(collectionId)?.schema.fields.find(({ id }) => id === fieldId)
    return field !== undefined && this.#options.meta.indexes(collectionId).some((index) => index.fieldId === fieldId && index.metricType === 'BM25')
  }

  async #read<Request extends AnyRead, Result>(request: Request, ask: (node: QueryNodeApi, part: Request) => Promise<Result>, merge: (results: readonly Result[], collection: CollectionMeta) => Result): Promise<Result> {
    const { clock, maxWaitMs } = this.#options
    const end = clock.monotonic() + maxWaitMs
    const failed = new Set<bigint>()
    for (;;) {
      const collection = this.#collection(request)
      const pin = this.#pinOf(collection, request)
      const changed = this.#nextChange(request.collectionId, request.signal)
      try {
        const { record, parts } = this.#plan(collection, request, failed, pin?.record)
        try {
          const results = await this.#askAll(parts, request, ask)
          // Dropped or truncated while it was looked at: not all of them need have seen that.
          if (pin !== undefined && this.#pinOf(this.#collection(request), request) === pin) pin.record = record
          return merge(results, collection)
        } catch (error) {
          failed.add(record.replicaId)
          if (pin?.record === record) pin.record = undefined
          throw error
        }
      } catch (error) {
        request.signal.throwIfAborted()
        // Another attempt is at another moment: it is the whole call's.
        if (!isPassing(error) || (request.momentTs !== undefined && isMomentGone(error))) throw error
        if (clock.monotonic() >= end) throw lastWord(error)
        await changed.soon()
      } finally {
        changed.forget()
      }
    }
  }

  /** Of a page of an iterator. Throws NotServable where its moment is gone. */
  #pinOf(collection: CollectionMeta, { momentTs, keepMs }: AnyRead): ReadPin | undefined {
    if (momentTs === undefined || keepMs === undefined) return undefined
    const pin = this.#pins.find(collection, momentTs)
    if (pin === undefined) throw new NotServable('moment', `timestamp ${momentTs} of collection ${collection.schema.name} is not kept here`)
    return pin
  }

  #collection({ collectionId: id, partitionIds = [] }: AnyRead): CollectionMeta {
    const { meta } = this.#options
    const collection = meta.collectionById(id)
    if (collection === undefined) throw new MilvusError(100, `collection not found[collection=${id}]`)
    const load = meta.load(id)
    // No target will cover it: nobody waits for one.
    const released = load === undefined || load.wholeCollection ? undefined : partitionIds.find((partition) => !load.partitionIds.includes(partition))
    if (released !== undefined) throw new MilvusError(Code.PartitionNotLoaded, `partition not loaded[collection=${collection.schema.name}][partition=${released}]`)
    // A replica that is there is read while others are still loaded.
    const isLoaded = load !== undefined && this.#options.targets.replicas(id).some(({ current }) => current !== undefined)
    if (isLoaded) return collection
    const progress = this.#options.loadProgress(id)
    if (progress?.failure !== undefined) throw new MilvusError(101, `collection not fully loaded[collection=${collection.schema.name}]: ${progress.failure}`)
    throw new MilvusError(101, `collection not loaded[database=${collection.dbName}][collection=${collection.schema.name}]`)
  }

  /** Replicas take turns; one that failed this read is asked again only when all have. Later pages of an iterator stay with what the first one was answered by, if they can. */
  #plan(collection: CollectionMeta, request: AnyRead, failed: Set<bigint>, pinned: ReplicaRecord | undefined): Plan {
    const kept = pinned === undefined ? [] : this.#plans(collection, request, [pinned])
    const plans = kept.length > 0 ? kept : this.#plans(collection, request, this.#options.targets.replicas(collection.id))
    if (plans.every(({ record }) => failed.has(record.replicaId))) failed.clear()
    const fresh = plans.filter(({ record }) => !failed.has(record.replicaId))
    const chosen = fresh[this.#turn++ % Math.max(1, fresh.length)]
    if (chosen === undefined) throw new NotServable('channel', `no replica of collection ${collection.schema.name} can be read now`)
    return chosen
  }

  #plans(collection: CollectionMeta, { partitionIds, ignoreGrowing, guaranteeTs, keepMs }: AnyRead, records: readonly ReplicaRecord[]): Plan[] {
    const { meta, node } = this.#options
    // Of a moment that is kept everything is: another page may name other partitions.
    const named = keepMs === undefined ? { partitionIds, ignoreGrowing } : { partitionIds: undefined, ignoreGrowing: false }
    const load = meta.load(collection.id)
    return records.flatMap((record) => {
      if (record.current === undefined || load === undefined) return []
      const parts = planRead({ ...named, target: record.current, collection, load, ts: guaranteeTs })
      return parts === undefined || parts.some(({ nodeId }) => node(nodeId) === undefined) ? [] : [{ record, parts }]
    })
  }

  async #askAll<Request extends AnyRead, Result>(parts: readonly PlannedPart[], request: Request, ask: (node: QueryNodeApi, part: Request) => Promise<Result>): Promise<Result[]> {
    await this.#options.prepare?.(parts.map(({ nodeId }) => nodeId), this.#channelsOf(request.collectionId), request.guaranteeTs)
    const ts = request.momentTs ?? this.#moment(parts, request.collectionId)
    if (ts < (parts[0] as PlannedPart).scope.ts) throw new NotServable('moment', `timestamp ${ts} is before the last flush of the target`)
    const abort = new AbortController()
    const signal = AbortSignal.any([request.signal, abort.signal])
    try {
      return await Promise.all(
        parts.map(async ({ nodeId, scope }) => {
          const node = this.#options.node(nodeId)
          if (node === undefined) throw new NotServable('channel', `query node ${nodeId} is gone`)
          return ask(node, { ...request, signal, guaranteeTs: ts, scope: { ...scope, ts } })
        }),
      )
    } catch (error) {
      abort.abort(error)
      throw error
    }
  }

  /** The same for all: at least what is asked for, and no longer ago than all of them have come by themselves. */
  #moment(parts: readonly PlannedPart[], collectionId: bigint): bigint {
    const channels = this.#channelsOf(collectionId)
    let reached: bigint | undefined
    for (const { nodeId } of parts) {
      for (const [channel, ts] of this.#options.node(nodeId)?.serviceTimes() ?? []) if (channels.has(channel) && (reached === undefined || ts < reached)) reached = ts
    }
    const least = (parts[0] as PlannedPart).scope.ts
    return reached !== undefined && reached > least ? reached : least
  }

  #nextChange(collectionId: bigint, signal: AbortSignal): { soon(): Promise<void>; forget(): void } {
    const { targets, clock } = this.#options
    let wake = (): void => undefined
    let isOver = false
    const done = (): void => {
      isOver = true
      wake()
    }
    const unsubscribe = targets.onChange((id) => {
      if (id === collectionId) done()
    })
    let cancelTimer = (): void => undefined
    signal.addEventListener('abort', done, { once: true })
    return {
      soon: () =>
        new Promise((resolve) => {
          if (isOver || signal.aborted) return resolve()
          wake = resolve
          cancelTimer = clock.setTimer(done, RETRY_MS)
        }),
      forget() {
        unsubscribe()
        cancelTimer()
        signal.removeEventListener('abort', done)
      },
    }
  }
}

/** What another moment, node or target heals. */
function isPassing(error: unknown): boolean {
  return isRefusal(error) || (error instanceof MilvusError && error.code === Code.NotReady)
}

function lastWord(error: unknown): unknown {
  return isRefusal(error) ? new MilvusError(Code.NotReady, `service not ready: ${(error as MilvusError).message}`, undefined, { cause: error }) : error
}
