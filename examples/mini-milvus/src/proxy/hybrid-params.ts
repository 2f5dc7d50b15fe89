/** The parameters of a hybrid search: `rank_params`, or a function that ranks. */
import type { CollectionSchema } from '../model/schema.ts'
import { MilvusError } from '../server/status.ts'
import { FunctionType, type HybridSearchRequest } from '../wire/index.ts'
import { createDecay, type Decay } from './decay.ts'
import { createRanker, parseJson, type Ranker } from './rankers.ts'
import { MAX_TOPK, searchParams, type SearchParams } from './read-params.ts'
import { toRecord } from './rpc-values.ts'

/** Milvus's bound of the parts of one hybrid search. */
const MAX_PARTS = 1024

export interface HybridParams {
  readonly limit: number
  readonly offset: number
  readonly roundDecimal: number
  readonly groupBy: SearchParams['groupBy']
  /** What a group is worth: its best hit's score, the sum of its hits' scores, or their mean. */
  readonly groupScorer: 'max' | 'sum' | 'avg'
  readonly ranker: Ranker
  /** A decay that joined scores are multiplied by. */
  readonly decay: Decay | undefined
  /** One per part. */
  readonly parts: readonly SearchParams[]
}

export function hybridParams(schema: CollectionSchema, request: HybridSearchRequest): HybridParams {
  const parts = request.requests.map((part) => searchParams(part.search_params))
  if (parts.length === 0 || parts.length > MAX_PARTS) throw new MilvusError(1100, `maximum of ann search requests is ${MAX_PARTS}, minimum 1, got ${parts.length}`)
  const given = toRecord(request.rank_params)
  const limit = given['limit'] ?? String(parts[0]?.limit ?? '')
  const own = searchParams([...request.rank_params.filter(({ key }) => key !== 'params'), { key: 'topk', value: limit }])
  const groupBy = own.groupBy ?? parts.find((part) => part.groupBy !== undefined)?.groupBy
  const groupScorer = given['rank_group_scorer']?.toLowerCase() ?? 'max'
  if (groupScorer !== 'max' && groupScorer !== 'sum' && groupScorer !== 'avg') throw new MilvusError(1100, `rank_group_scorer should be max, sum or avg, got ${groupScorer.slice(0, 80)}`)
  for (const part of parts) if (part.iterator !== undefined) throw new MilvusError(1100, 'a search iterator does not support hybrid search')
  return { limit: own.limit, offset: own.offset, roundDecimal: own.roundDecimal, groupBy, groupScorer, ...rankerOf(schema, request, given, parts.length), parts }
}

function rankerOf(schema: CollectionSchema, request: HybridSearchRequest, given: Readonly<Record<string, string>>, parts: number): Pick<HybridParams, 'ranker' | 'decay'> {
  const functions = request.function_score?.functions ?? []
  const [ranking] = functions
  if (ranking === undefined) {
    const nested = parseJson(given['params'] === undefined || given['params'] === '' ? '{}' : given['params'])
    const read = (key: string): unknown => (typeof nested === 'object' && nested !== null ? new Map<string, unknown>(Object.entries(nested)).get(key) : undefined) ?? given[key]
    return { ranker: createRanker((given['strategy'] ?? '').toLowerCase(), read, parts), decay: undefined }
  }
  if (functions.length > 1 || ranking.type !== FunctionType.Rerank) throw new MilvusError(1100, 'expected one function of type Rerank in function_score')
  const params = toRecord(ranking.params)
  const name = (params['reranker'] ?? '').toLowerCase()
  if (name === 'decay') {
    const decay = createDecay(schema, ranking)
    return { decay, ranker: joinedWorth(decay) }
  }
  if (name !== 'rrf' && name !== 'weighted') throw new MilvusError(1100, `reranker ${name.slice(0, 80)} is not supported in hybrid search by this version of mini-milvus`)
  // A function normalises only when it says so.
  return { ranker: createRanker(name, (key) => params[key] ?? (key === 'norm_score' ? 'false' : undefined), parts), decay: undefined }
}

/** What a decay multiplies: the greatest, the sum or the mean of what a row is worth in the parts that found it. */
function joinedWorth(decay: Decay): Ranker {
  return {
    isAscending: () => false,
    score(lists) {
      const found = new Map<unknown, number[]>()
      for (const { metric, identities, scores } of lists) {
        identities.forEach((identity, hit) => found.set(identity, [...(found.get(identity) ?? []), decay.worth(metric, scores[hit] as number)]))
      }
      const join = (values: readonly number[]): number => {
        const sum = values.reduce((all, value) => all + value, 0)
        return decay.scoreMode === 'max' ? Math.max(...values) : decay.scoreMode === 'sum' ? sum : sum / values.length
      }
      return new Map([...found].map(([identity, values]) => [identity, join(values)]))
    },
  }
}

/** Hits that each part looks for. */
export function partLimit(part: SearchParams, { offset }: Pick<HybridParams, 'offset'>): number {
  return Math.min(MAX_TOPK, part.limit + offset)
}
