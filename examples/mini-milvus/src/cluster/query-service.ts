/** A query node over the internal calls: the same questions as {@link QueryNodeApi}, and what it holds, asked for before it is shown. */
import { systemUsage } from '../edge/system.ts'
import { createClient, type CallOptions, type ServiceDefinition } from '../internal/service.ts'
import type { Transport } from '../internal/transport.ts'
import type { Meter } from '../node/metrics/meter.ts'
import { watchRead } from '../node/metrics/reads.ts'
import type { PrimaryKeys } from '../model/primary-keys.ts'
import type { CollectionHoldings, LoadedSegmentInfo, QueryRequest, QueryResult, ReadRequest, SearchRequest, SearchResult, TermsRequest, TermStats } from '../querynode/api.ts'
import type { QueryNode } from '../querynode/query-node.ts'

/** What is read is known as of this revision of the metadata, or later. */
export type Sent<Request> = Omit<Request, 'signal'> & { readonly metaRevision: bigint }

export interface Answered<Result> {
  readonly result: Result
  /** How far the node has applied the channels of the collection that was read. */
  readonly serviceTimes: ReadonlyMap<string, bigint>
}

export interface QueryNodeState {
  readonly segments: readonly LoadedSegmentInfo[]
  readonly serviceTimes: ReadonlyMap<string, bigint>
  readonly usage: { readonly processors: number; readonly memoryBytes: number; readonly usedMemoryBytes: number }
}

export interface HoldingsRequest {
  readonly collectionIds: readonly bigint[]
  /** Of collections, the version of what the one who asks knows already. */
  readonly known: ReadonlyMap<bigint, number>
}

export interface HoldingsReply {
  /** Query nodes that there were in this process: another one has lost what the former held. */
  readonly starts: number
  /** Of all collections that are held: other versions than are known in full, the others by their version alone. */
  readonly held: ReadonlyMap<bigint, { readonly version: number; readonly holdings?: CollectionHoldings | undefined }>
}

export interface QueryServiceApi {
  search(request: Sent<SearchRequest>, options?: CallOptions): Promise<Answered<SearchResult>>
  query(request: Sent<QueryRequest>, options?: CallOptions): Promise<Answered<QueryResult>>
  matchingKeys(request: Sent<Omit<ReadRequest, 'outputFields'>>, options?: CallOptions): Promise<Answered<readonly PrimaryKeys[]>>
  termStats(request: Sent<TermsRequest>, options?: CallOptions): Promise<Answered<TermStats>>
  holdings(request: HoldingsRequest, options?: CallOptions): Promise<HoldingsReply>
  /** `collectionIds`: those whose segments are asked for. */
  state(request: { readonly collectionIds: readonly bigint[]; readonly metaRevision: bigint }, options?: CallOptions): Promise<QueryNodeState>
}

/** Reads wait for their guarantee; the caller's own deadline is shorter, or not. */
const READ_MS = 60_000

export const QUERY: ServiceDefinition<QueryServiceApi> = {
  name: 'Query',
  methods: {
    search: { timeoutMs: READ_MS },
    query: { timeoutMs: READ_MS },
    matchingKeys: { timeoutMs: READ_MS },
    termStats: { timeoutMs: READ_MS },
    holdings: { timeoutMs: 1_000 },
    state: { timeoutMs: 5_000 },
  },
}

export interface QueryServiceOptions {
  /** The instance that runs now; throws while there is none. */
  readonly node: () => QueryNode
  readonly starts: () => number
  readonly awaitMeta: (revision: bigint, signal?: AbortSignal) => Promise<void>
  readonly meter?: Meter | undefined
}

export function createQueryService({ node, starts, awaitMeta, meter }: QueryServiceOptions): QueryServiceApi {
  const versions = new HoldingVersions()
  /** What the caller knows of the metadata is known here first. */
  const read = async <Asked extends Sent<{ readonly collectionId: bigint }>, Result>(request: Asked, options: CallOptions | undefined, run: (node: QueryNode, asked: Omit<Asked, 'metaRevision'> & { readonly signal: AbortSignal }) => Promise<Result>): Promise<Answered<Result>> => {
    const { metaRevision, ...asked } = request
    const signal = options?.signal ?? new AbortController().signal
    await awaitMeta(metaRevision, signal)
    const instance = node()
    const result = await run(instance, { ...asked, signal })
    return { result, serviceTimes: instance.serviceTimesOf(request.collectionId) }
  }
  return {
    search: (request, options) => read(request, options, (instance, asked) => watchRead(meter, 'search', () => instance.search(asked))),
    query: (request, options) => read(request, options, (instance, asked) => watchRead(meter, 'query', () => instance.query(asked))),
    matchingKeys: (request, options) => read(request, options, (instance, asked) => watchRead(meter, 'query', () => instance.matchingKeys(asked))),
    termStats: (request, options) => read(request, options, (instance, asked) => instance.termStats(asked)),
    async holdings({ collectionIds, known }) {
      return { starts: starts(), held: versions.changed(node().holdings(collectionIds), known) }
    },
    async state({ collectionIds, metaRevision }, options) {
      await awaitMeta(metaRevision, options?.signal)
      return { segments: collectionIds.flatMap((id) => [...node().segments(id)]), serviceTimes: node().serviceTimes(), usage: systemUsage() }
    },
  }
}

/** Which versions of its holdings a node has told of: what did not change is not told twice. */
class HoldingVersions {
  readonly #last = new Map<bigint, { readonly version: number; readonly holdings: CollectionHoldings }>()
  #version = 0

  changed(holdings: readonly CollectionHoldings[], known: ReadonlyMap<bigint, number>): HoldingsReply['held'] {
    return new Map(
      holdings.map((one) => {
        const last = this.#last.get(one.collectionId)
        const version = last !== undefined && isSame(last.holdings, one) ? last.version : (this.#version += 1)
        if (version !== last?.version) this.#last.set(one.collectionId, { version, holdings: one })
        if (this.#last.size > MAX_VERSIONS) this.#last.clear()
        return [one.collectionId, known.get(one.collectionId) === version ? { version } : { version, holdings: one }] as const
      }),
    )
  }
}

const MAX_VERSIONS = 10_000

function isSame(a: CollectionHoldings, b: CollectionHoldings): boolean {
  return (
    a.failure === b.failure &&
    a.segmentIds.length === b.segmentIds.length &&
    a.growing.length === b.growing.length &&
    a.segmentIds.every((id, i) => id === b.segmentIds[i]) &&
    a.growing.every(({ vchannel, fromTs }, i) => vchannel === b.growing[i]?.vchannel && fromTs === b.growing[i]?.fromTs)
  )
}

/** The query role of this process and its address, where it has one: called without a detour. */
export interface LocalQueryService {
  readonly address: string
  readonly api: QueryServiceApi
}

/** Query nodes by the addresses of their processes. */
export function createQueryClients(transport: Pick<Transport, 'call'>, local: LocalQueryService | undefined): (address: string) => QueryServiceApi {
  const clients = new Map<string, QueryServiceApi>()
  return (address) => {
    if (address === local?.address) return local.api
    let api = clients.get(address)
    if (api === undefined) {
      if (clients.size >= 1_000) clients.clear()
      clients.set(address, (api = createClient(QUERY, transport, () => address)))
    }
    return api
  }
}
