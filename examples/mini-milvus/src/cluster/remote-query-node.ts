/** One query node of another process, as a proxy reads from it. */
import type { NodeClock } from '../edge/system.ts'
import { isPassing, RpcError } from '../internal/errors.ts'
import type { CallOptions } from '../internal/service.ts'
import { underSignals } from '../internal/under-signals.ts'
import type { PrimaryKeys } from '../model/primary-keys.ts'
import type { LoadedSegmentInfo, LoadProgress, QueryNodeApi, QueryRequest, QueryResult, ReadRequest, SearchRequest, SearchResult, TermsRequest, TermStats } from '../querynode/api.ts'
import { isRefusal, NotServable } from '../querynode/scope.ts'
import type { Answered, QueryNodeState, QueryServiceApi, Sent } from './query-service.ts'

export interface RemoteQueryNodeOptions {
  readonly nodeId: bigint
  readonly address: string
  readonly api: QueryServiceApi
  readonly clock: Pick<NodeClock, 'monotonic'>
  /** Of the metadata as it is known here. */
  readonly metaRevision: () => bigint
}

export class RemoteQueryNode implements QueryNodeApi {
  readonly nodeId: bigint
  readonly address: string
  readonly #options: RemoteQueryNodeOptions
  readonly #gone = new AbortController()
  #state: QueryNodeState | undefined
  readonly #serviceTimes = new Map<string, bigint>()
  readonly #heardAt = new Map<string, number>()
  #refreshing: Promise<void> | undefined

  constructor(options: RemoteQueryNodeOptions) {
    this.#options = options
    this.nodeId = options.nodeId
    this.address = options.address
  }

  search(request: SearchRequest): Promise<SearchResult> {
    return this.#ask<SearchRequest, SearchResult>(request, (sent, options) => this.#options.api.search(sent, options))
  }

  query(request: QueryRequest): Promise<QueryResult> {
    return this.#ask<QueryRequest, QueryResult>(request, (sent, options) => this.#options.api.query(sent, options))
  }

  matchingKeys(request: Omit<ReadRequest, 'outputFields'>): Promise<readonly PrimaryKeys[]> {
    return this.#ask<Omit<ReadRequest, 'outputFields'>, readonly PrimaryKeys[]>(request, (sent, options) => this.#options.api.matchingKeys(sent, options))
  }

  termStats(request: TermsRequest): Promise<TermStats> {
    return this.#ask<TermsRequest, TermStats>(request, (sent, options) => this.#options.api.termStats(sent, options))
  }

  /** The coordinator knows. */
  loadProgress(): LoadProgress | undefined {
    return undefined
  }

  /** As of the last {@link look}. */
  segments(collectionId: bigint): readonly LoadedSegmentInfo[] {
    return this.#state?.segments.filter((segment) => segment.collectionId === collectionId) ?? []
  }

  /** As of the last answers: a read tells of the channels that it looked at. */
  serviceTimes(): ReadonlyMap<string, bigint> {
    return this.#serviceTimes
  }

  get usage(): QueryNodeState['usage'] | undefined {
    return this.#state?.usage
  }

  /** For how long nothing was heard of how far it is with one of these channels. */
  silentMs(channels: Iterable<string>): number {
    const heardAt = Array.from(channels, (channel) => this.#heardAt.get(channel) ?? -Infinity)
    return this.#options.clock.monotonic() - Math.min(...heardAt)
  }

  /** Asks for what it holds; one that does not answer holds nothing. */
  async look(collectionIds: readonly bigint[]): Promise<void> {
    const { api, metaRevision } = this.#options
    try {
      const state = await api.state({ collectionIds, metaRevision: metaRevision() }, { signal: this.#gone.signal })
      this.#state = state
      this.#heard(state.serviceTimes)
    } catch {
      this.#state = undefined
    }
  }

  /** How far it is by now. Those who ask meanwhile share one question. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.look([]).finally(() => {
      this.#refreshing = undefined
    })
    return this.#refreshing
  }

  /** It is not in the cluster any more: nobody waits for it. */
  leave(): void {
    this.#gone.abort(new RpcError('RPC_UNAVAILABLE', `query node ${this.nodeId} has left the cluster`))
  }

  #heard(serviceTimes: ReadonlyMap<string, bigint>): void {
    const now = this.#options.clock.monotonic()
    for (const [channel, ts] of serviceTimes) {
      if (ts > (this.#serviceTimes.get(channel) ?? 0n)) this.#serviceTimes.set(channel, ts)
      this.#heardAt.set(channel, now)
    }
  }

  async #ask<Request extends { readonly signal: AbortSignal }, Result>(request: Request, run: (sent: Sent<Request>, options: CallOptions) => Promise<Answered<Result>>): Promise<Result> {
    const { signal, ...asked } = request
    try {
      const { result, serviceTimes } = await underSignals([signal, this.#gone.signal], (either) => run({ ...asked, metaRevision: this.#options.metaRevision() }, { signal: either }))
      this.#heard(serviceTimes)
      return result
    } catch (error) {
      signal.throwIfAborted()
      // Another target, node or moment: whoever asked looks for it.
      if (isRefusal(error, 'moment')) await this.refresh()
      else if (error instanceof RpcError && isPassing(error)) throw new NotServable('channel', `query node ${this.nodeId} does not answer: ${error.message}`)
      throw error
    }
  }
}
