/** A query node over the internal calls: the same questions as {@link QueryNodeApi}, and what it holds, asked for before it is shown. */
import type { NodeClock } from '../edge/system.ts'
import { RpcError } from '../internal/errors.ts'
import { createClient, type CallOptions, type ServiceDefinition } from '../internal/service.ts'
import type { Transport } from '../internal/transport.ts'
import type { PrimaryKeys } from '../model/primary-keys.ts'
import type { LoadedSegmentInfo, LoadProgress, QueryNodeApi, QueryRequest, QueryResult, ReadRequest, SearchRequest, SearchResult, TermsRequest, TermStats } from '../querynode/api.ts'
import type { Directory } from './directory.ts'

type Sent<Request> = Omit<Request, 'signal'>

export interface QueryNodeState {
  readonly progress: ReadonlyMap<bigint, LoadProgress>
  readonly segments: readonly LoadedSegmentInfo[]
  readonly serviceTimes: ReadonlyMap<string, bigint>
}

export interface QueryServiceApi {
  search(request: Sent<SearchRequest>, options?: CallOptions): Promise<SearchResult>
  query(request: Sent<QueryRequest>, options?: CallOptions): Promise<QueryResult>
  matchingKeys(request: Sent<Omit<ReadRequest, 'outputFields'>>, options?: CallOptions): Promise<readonly PrimaryKeys[]>
  termStats(request: Sent<TermsRequest>, options?: CallOptions): Promise<TermStats>
  state(request: { readonly collectionIds: readonly bigint[]; readonly metaRevision: bigint }, options?: CallOptions): Promise<QueryNodeState>
}

/** Reads wait for their guarantee; the caller's own deadline is shorter, or not. */
const READ_MS = 60_000

export const QUERY: ServiceDefinition<QueryServiceApi> = {
  name: 'Query',
  methods: { search: { timeoutMs: READ_MS }, query: { timeoutMs: READ_MS }, matchingKeys: { timeoutMs: READ_MS }, termStats: { timeoutMs: READ_MS }, state: { timeoutMs: 5_000 } },
}

/** @param node the instance that runs now; throws while there is none */
export function createQueryService(node: () => QueryNodeApi, awaitMeta: (revision: bigint) => Promise<void>): QueryServiceApi {
  const signalOf = ({ signal }: CallOptions = {}): AbortSignal => signal ?? new AbortController().signal
  return {
    search: async (request, options) => node().search({ ...request, signal: signalOf(options) }),
    query: async (request, options) => node().query({ ...request, signal: signalOf(options) }),
    matchingKeys: async (request, options) => node().matchingKeys({ ...request, signal: signalOf(options) }),
    termStats: async (request, options) => node().termStats({ ...request, signal: signalOf(options) }),
    async state({ collectionIds, metaRevision }) {
      await awaitMeta(metaRevision)
      const progress = new Map<bigint, LoadProgress>()
      for (const id of collectionIds) {
        const found = node().loadProgress(id)
        if (found !== undefined) progress.set(id, found)
      }
      return { progress, segments: collectionIds.flatMap((id) => [...node().segments(id)]), serviceTimes: node().serviceTimes() }
    },
  }
}

export interface RemoteQueryNodesOptions {
  readonly directory: Directory
  readonly transport: Pick<Transport, 'call'>
  readonly clock: NodeClock
  readonly meta: { collections(): readonly { readonly id: bigint }[]; readonly revision: bigint }
  /** The query role of this process and its address, where it has one. */
  readonly local?: { readonly address: string; readonly api: QueryServiceApi } | undefined
}

const NOTHING: QueryNodeState = { progress: new Map(), segments: [], serviceTimes: new Map() }
const RETRY_MS = 50
/** Of a read that its node did not answer: another is asked for so long. */
const FAILOVER_MS = 10_000

/** Every query node holds everything: one answers, and another when it fails. */
export class RemoteQueryNodes implements QueryNodeApi {
  readonly #options: RemoteQueryNodesOptions
  readonly #clients = new Map<string, QueryServiceApi>()
  #state = NOTHING
  #next = 0

  constructor(options: RemoteQueryNodesOptions) {
    this.#options = options
  }

  get nodeId(): bigint {
    return this.#options.directory.members('query')[0]?.nodeId ?? 0n
  }

  get nodeIds(): bigint[] {
    return this.#options.directory.members('query').map(({ nodeId }) => nodeId)
  }

  search(request: SearchRequest): Promise<SearchResult> {
    return this.#read(request, (api, sent, options) => api.search(sent, options))
  }

  query(request: QueryRequest): Promise<QueryResult> {
    return this.#read(request, (api, sent, options) => api.query(sent, options))
  }

  matchingKeys(request: Omit<ReadRequest, 'outputFields'>): Promise<readonly PrimaryKeys[]> {
    return this.#read(request, (api, sent, options) => api.matchingKeys(sent, options))
  }

  termStats(request: TermsRequest): Promise<TermStats> {
    return this.#read(request, (api, sent, options) => api.termStats(sent, options))
  }

  /** Of the slowest, as of the last {@link refresh}. */
  loadProgress(collectionId: bigint): LoadProgress | undefined {
    return this.#state.progress.get(collectionId)
  }

  segments(collectionId: bigint): readonly LoadedSegmentInfo[] {
    return this.#state.segments.filter((segment) => segment.collectionId === collectionId)
  }

  serviceTimes(): ReadonlyMap<string, bigint> {
    return this.#state.serviceTimes
  }

  /** Asks all nodes what they hold. A node that does not answer holds nothing. */
  async refresh(): Promise<void> {
    const { meta, directory } = this.#options
    const request = { collectionIds: meta.collections().map(({ id }) => id), metaRevision: meta.revision }
    const states = await Promise.all(directory.members('query').map(({ address }) => this.#apiOf(address).state(request).catch(() => NOTHING)))
    const progress = new Map<bigint, LoadProgress>()
    for (const id of request.collectionIds) {
      const found = states.map((state) => state.progress.get(id))
      const known = found.filter((one) => one !== undefined)
      if (known.length === 0) continue
      const percent = known.length < found.length ? 0 : Math.min(...known.map((one) => one.percent))
      progress.set(id, { percent, failure: known.find(({ failure }) => failure !== undefined)?.failure })
    }
    this.#state = { progress, segments: states[0]?.segments ?? [], serviceTimes: states[0]?.serviceTimes ?? new Map() }
  }

  async #read<Request extends { readonly signal: AbortSignal }, Result>(request: Request, run: (api: QueryServiceApi, sent: Sent<Request>, options: CallOptions) => Promise<Result>): Promise<Result> {
    const { directory, clock } = this.#options
    const { signal, ...sent } = request
    const end = clock.monotonic() + FAILOVER_MS
    for (;;) {
      signal.throwIfAborted()
      const nodes = directory.members('query').filter(({ stopping }) => !stopping)
      const node = nodes[this.#next++ % Math.max(1, nodes.length)]
      let failure: unknown = new RpcError('RPC_UNAVAILABLE', 'there is no query node', { outcome: 'not-applied' })
      if (node !== undefined) {
        try {
          return await run(this.#apiOf(node.address), sent, { signal })
        } catch (error) {
          failure = error
        }
      }
      // A read changes nothing: what failed on the way is asked again.
      if (!(failure instanceof RpcError) || !failure.retryable || clock.monotonic() + RETRY_MS >= end) throw failure
      await new Promise<void>((resolve) => {
        clock.setTimer(resolve, RETRY_MS)
      })
    }
  }

  #apiOf(address: string): QueryServiceApi {
    const { local, transport } = this.#options
    if (address === local?.address) return local.api
    let api = this.#clients.get(address)
    if (api === undefined) {
      api = createClient(QUERY, transport, () => address)
      if (this.#clients.size >= 1_000) this.#clients.clear()
      this.#clients.set(address, api)
    }
    return api
  }
}
