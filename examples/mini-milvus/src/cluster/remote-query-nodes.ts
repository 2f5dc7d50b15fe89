/** The query nodes of a cluster as a proxy sees them: read as one, after the targets; asked and told of what they hold. */
import { parseTimestamp } from '@timetick/tso'
import type { MetaReader } from '../coordinator/api.ts'
import type { NodeClock } from '../edge/system.ts'
import type { Placement, QueryNodes } from '../node/query-role.ts'
import { ReadRouter } from '../proxy/read-router.ts'
import { missingReplicas } from '../querycoord/progress.ts'
import type { PrimaryKeys } from '../model/primary-keys.ts'
import type { LoadedSegmentInfo, LoadProgress, Moment, QueryNodeApi, QueryRequest, QueryResult, ReadRequest, SearchRequest, SearchResult, TermsRequest, TermStats } from '../querynode/api.ts'
import type { CoordinatorClient } from './coordinator-client.ts'
import type { Directory } from './directory.ts'
import type { QueryServiceApi } from './query-service.ts'
import { RemoteQueryNode } from './remote-query-node.ts'
import type { TargetMirror } from './target-mirror.ts'

export interface RemoteQueryNodesOptions {
  readonly directory: Directory
  readonly apiOf: (address: string) => QueryServiceApi
  readonly clock: NodeClock
  readonly meta: MetaReader & { readonly revision: bigint }
  readonly targets: TargetMirror
  readonly coordinator: Pick<CoordinatorClient, 'loadProgress' | 'moveSegments' | 'transferReplicas'>
  /** How long a read looks for nodes that can answer it. */
  readonly maxWaitMs: number
}

/** Of moments that passed: what nodes have come to is asked for where it was not heard for so long. */
const OLD_MS = 1_000

export class RemoteQueryNodes implements QueryNodeApi, QueryNodes {
  readonly placement: Placement
  readonly #options: RemoteQueryNodesOptions
  readonly #nodes = new Map<bigint, RemoteQueryNode>()
  readonly #router: ReadRouter
  readonly #unsubscribe: () => void
  #progress: ReadonlyMap<bigint, LoadProgress> = new Map()

  constructor(options: RemoteQueryNodesOptions) {
    this.#options = options
    const { meta, targets, clock, maxWaitMs, directory } = options
    this.#router = new ReadRouter({
      meta, targets, clock, maxWaitMs,
      node: (nodeId) => this.#nodes.get(nodeId),
      nodeIds: () => this.nodeIds(),
      loadProgress: (collectionId) => this.loadProgress(collectionId),
      prepare: (nodeIds, channels, ts) => this.#hearOf(nodeIds, channels, ts),
    })
    this.placement = this.#placement()
    this.#unsubscribe = directory.onChange(() => this.#follow())
    this.#follow()
  }

  get nodeId(): bigint {
    return this.nodeIds()[0] ?? 0n
  }

  /** Those that leave answer reads still, and take nothing new. */
  nodeIds(): readonly bigint[] {
    return this.#options.directory.members('query').flatMap(({ nodeId, stopping }) => (stopping ? [] : [nodeId]))
  }

  /** Nobody asks: the log is kept for a time. */
  oldestReader(): bigint | undefined {
    return undefined
  }

  search(request: SearchRequest): Promise<SearchResult> {
    return this.#router.search(request)
  }

  query(request: QueryRequest): Promise<QueryResult> {
    return this.#router.query(request)
  }

  matchingKeys(request: Omit<ReadRequest, 'outputFields'>): Promise<readonly PrimaryKeys[]> {
    return this.#router.matchingKeys(request)
  }

  moment(request: Pick<ReadRequest, 'collectionId' | 'guaranteeTs' | 'signal' | 'keepMs'>): Promise<Moment> {
    return this.#router.moment(request)
  }

  termStats(request: TermsRequest): Promise<TermStats> {
    return this.#router.termStats(request)
  }

  /** Of what is not there yet: as of the last {@link refresh}. */
  loadProgress(collectionId: bigint): LoadProgress | undefined {
    const { meta, targets } = this.#options
    const load = meta.load(collectionId)
    if (load === undefined) return undefined
    if (missingReplicas(targets.replicas(collectionId), load)?.length === 0) return { percent: 100, failure: undefined }
    const { percent = 0, failure } = this.#progress.get(collectionId) ?? {}
    return { percent: Math.min(99, percent), failure }
  }

  /** As of the last {@link look}. */
  segments(collectionId: bigint): readonly LoadedSegmentInfo[] {
    return this.#router.segments(collectionId)
  }

  /** Sealed segments that reads find, whatever replica they go to. */
  served(collectionId: bigint): ReadonlySet<bigint> {
    const [first, ...others] = this.#options.targets.replicas(collectionId).map(({ current }) => new Set(current?.segments.map(({ segmentId }) => segmentId)))
    return new Set([...(first ?? [])].filter((id) => others.every((ids) => ids.has(id))))
  }

  serviceTimes(): ReadonlyMap<string, bigint> {
    return this.#router.serviceTimes()
  }

  /** Sees all that was decided before the call. */
  catchUp(signal?: AbortSignal): Promise<void> {
    return this.#options.targets.catchUp(signal)
  }

  /** Sees all that was decided before, and asks the coordinator how far that is which is not there yet. */
  async refresh(signal?: AbortSignal): Promise<void> {
    const { meta, targets, coordinator } = this.#options
    await this.catchUp(signal)
    const collectionIds = meta.collections().flatMap(({ id }) => {
      const load = meta.load(id)
      return load !== undefined && missingReplicas(targets.replicas(id), load)?.length !== 0 ? [id] : []
    })
    if (collectionIds.length === 0) return
    const { progress, revision } = await coordinator.loadProgress(collectionIds, signal)
    this.#progress = progress
    await targets.waitFor(revision, signal)
  }

  /** Asks all nodes what they hold of these collections. */
  async look(collectionIds: readonly bigint[]): Promise<void> {
    await Promise.all([...this.#nodes.values()].map((node) => node.look(collectionIds)))
  }

  /** Of a node, as of the last {@link look}. */
  usageOf(nodeId: bigint): RemoteQueryNode['usage'] {
    return this.#nodes.get(nodeId)?.usage
  }

  async close(): Promise<void> {
    this.#unsubscribe()
    for (const node of this.#nodes.values()) node.leave()
  }

  #placement(): Placement {
    const { targets, coordinator, meta } = this.#options
    return {
      replicas: (collectionId) => targets.replicas(collectionId),
      segments: (nodeId) => meta.collections().flatMap(({ id }) => this.#nodes.get(nodeId)?.segments(id) ?? []),
      async moveSegments(collectionId, from, to, segmentIds) {
        await targets.waitFor(await coordinator.moveSegments({ collectionId, from, to, segmentIds }))
      },
      async transferReplicas(collectionId, from, to, count) {
        await targets.waitFor(await coordinator.transferReplicas({ collectionId, from, to, count }))
      },
      // The coordinator that leads follows them by itself.
      useResourceGroups: () => undefined,
    }
  }

  #follow(): void {
    const { directory, apiOf, clock, meta } = this.#options
    const members = new Map(directory.members('query').map((member) => [member.nodeId, member]))
    for (const [nodeId, node] of this.#nodes) {
      if (members.get(nodeId)?.address === node.address) continue
      this.#nodes.delete(nodeId)
      node.leave()
    }
    for (const [nodeId, { address }] of members) {
      if (!this.#nodes.has(nodeId)) this.#nodes.set(nodeId, new RemoteQueryNode({ nodeId, address, api: apiOf(address), clock, metaRevision: () => meta.revision }))
    }
  }

  /** Reads that may look at the past look at the latest that all nodes have come to: it has to be known. */
  async #hearOf(nodeIds: readonly bigint[], channels: ReadonlySet<string>, ts: bigint): Promise<void> {
    if (parseTimestamp(ts).physicalMs > this.#options.clock.now() - OLD_MS) return
    const old = nodeIds.flatMap((id) => this.#nodes.get(id) ?? []).filter((node) => node.silentMs(channels) > OLD_MS)
    await Promise.all(old.map((node) => node.refresh()))
  }
}
