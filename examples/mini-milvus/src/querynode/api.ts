/** What the proxy asks of a query node: plain data both ways, so that the same calls can go over gRPC. */
import type { Column } from '../model/column.ts'
import type { PrimaryKey, PrimaryKeys } from '../model/primary-keys.ts'
import type { TemplateValue } from '../filter/index.ts'
import type { ReadScope } from './scope.ts'

export interface ReadRequest {
  readonly collectionId: bigint
  /** Undefined: all loaded partitions. */
  readonly partitionIds: readonly bigint[] | undefined
  /** '' : every row. */
  readonly filter: string
  readonly templates: ReadonlyMap<string, TemplateValue>
  /** Everything written at or below this must be seen. */
  readonly guaranteeTs: bigint
  readonly ignoreGrowing: boolean
  /** Field ids whose values come back, row by row as the result's rows. */
  readonly outputFields: readonly number[]
  readonly signal: AbortSignal
  /** Where several nodes answer together: what this one covers. Without it: everything. */
  readonly scope?: ReadScope | undefined
  /** Exactly this moment, of {@link QueryNodeApi.moment}: another look of the same call. */
  readonly momentTs?: bigint | undefined
  /** Of a page of an iterator: the moment is looked at again within so long. */
  readonly keepMs?: number | undefined
}

export interface SearchRequest extends ReadRequest {
  readonly fieldId: number
  /** `nq` vectors, packed as the field's type. */
  readonly queries: Uint8Array
  /** Of sparse vectors: query i is bytes `queryOffsets[i] .. queryOffsets[i + 1]` of `queries`; of lists: so many vectors. */
  readonly queryOffsets?: Uint32Array | undefined
  readonly nq: number
  /** Best rows per query, offset included. */
  readonly k: number
  /** Of those the first so many are left out. */
  readonly offset: number
  /** '' : the index's. Another than the index's is refused. */
  readonly metric: string
  readonly ef: number | undefined
  readonly radius: number | undefined
  readonly rangeFilter: number | undefined
  /** Of a BM25 search whose terms were counted on all nodes. Without it they are counted here. */
  readonly termStats?: TermStats | undefined
}

export interface TermsRequest extends Omit<ReadRequest, 'outputFields'> {
  readonly fieldId: number
  /** Dimensions of the sparse field. */
  readonly terms: readonly number[]
}

/** Of all live rows: what the weights of BM25 are made from. */
export interface TermStats {
  readonly rows: number
  /** Terms of all rows. */
  readonly length: number
  /** By term: rows that have it. */
  readonly rowsWith: ReadonlyMap<number, number>
}

export interface SearchResult {
  readonly metric: string
  /** Hits per query. */
  readonly counts: Uint32Array
  /** One per hit, query after query, best first. */
  readonly scores: Float32Array
  /** Where hits are elements of the rows' lists: their places in these, one per hit. */
  readonly elements?: Uint32Array | undefined
  readonly keys: PrimaryKeys
  readonly columns: ReadonlyMap<number, Column>
  /** Everything at or below was seen. */
  readonly serviceTs: bigint
}

export interface QueryRequest extends ReadRequest {
  /** Undefined: all that match. */
  readonly limit: number | undefined
  readonly offset: number
  /** Only count. */
  readonly count: boolean
  /** Rows must have one of these keys (get by id); the filter applies too. */
  readonly keys?: readonly PrimaryKey[] | undefined
}

export interface QueryResult {
  readonly count: number
  readonly keys: PrimaryKeys
  /** Rows ascend by primary key. */
  readonly columns: ReadonlyMap<number, Column>
  /** Of a filter with `element_filter`: which elements of each row's list match. */
  readonly elements?: readonly Uint32Array[] | undefined
  readonly serviceTs: bigint
}

/** A moment of a collection. Reads that name its timestamp see the same rows, whatever is written meanwhile, until it is released. */
export interface Moment {
  readonly ts: bigint
  /** Idempotent. Of a moment that was asked for with `keepMs` it does nothing: that ends by itself. */
  release(): void
}

export interface LoadProgress {
  /** 0 to 100. */
  readonly percent: number
  readonly failure: string | undefined
}

/** A segment as it is in memory here. */
export interface LoadedSegmentInfo {
  readonly segmentId: bigint
  readonly collectionId: bigint
  readonly partitionId: bigint
  readonly rows: number
  readonly sealed: boolean
  readonly indexed: boolean
  readonly nodeIds: readonly bigint[]
}

/** What a node can serve of a collection now, of that which targets name. */
export interface CollectionHoldings {
  readonly collectionId: bigint
  readonly segmentIds: readonly bigint[]
  /** Shards that are led here, and the timestamp above which all their rows are here. */
  readonly growing: readonly { readonly vchannel: string; readonly fromTs: bigint }[]
  readonly failure: string | undefined
}

export interface QueryNodeApi {
  readonly nodeId: bigint
  search(request: SearchRequest): Promise<SearchResult>
  query(request: QueryRequest): Promise<QueryResult>
  /** Keys of all rows that match, in pieces of bounded length and in no order; a key that has several rows may come as often. */
  matchingKeys(request: Omit<ReadRequest, 'outputFields'>): Promise<readonly PrimaryKeys[]>
  /** Counted over all partitions, whatever the filter. */
  termStats(request: TermsRequest): Promise<TermStats>
  /** At or above the guarantee. Undefined where calls that look twice may see two moments. */
  moment?(request: Pick<ReadRequest, 'collectionId' | 'guaranteeTs' | 'signal' | 'keepMs'>): Promise<Moment>
  loadProgress(collectionId: bigint): LoadProgress | undefined
  segments(collectionId: bigint): readonly LoadedSegmentInfo[]
  /** How far each channel has been applied. */
  serviceTimes(): ReadonlyMap<string, bigint>
}
