/** Searches whose hits are scored anew by functions: decay and boost. */
import { primaryKeyList, type PrimaryKey } from '../model/primary-keys.ts'
import type { CollectionSchema, FieldSchema } from '../model/schema.ts'
import { ascendingMetric, compareKeys } from '../querynode/merge-hits.ts'
import { primaryKeyAt } from '../model/primary-keys.ts'
import type { QueryNodeApi, SearchRequest, SearchResult } from '../querynode/api.ts'
import { MilvusError } from '../server/status.ts'
import { FunctionType, type FunctionScore } from '../wire/index.ts'
import { boostedScore, createBoosts, type Boosts } from './boost.ts'
import { createDecay, type Decay } from './decay.ts'
import { takeHits } from './search-hits.ts'
import { toRecord } from './rpc-values.ts'

export interface Rescoring {
  /** Fields that it reads. */
  readonly fields: readonly FieldSchema[]
  /** The hits of each query with their new scores, in the new order. */
  rescore(queryNode: QueryNodeApi, asked: SearchRequest, result: SearchResult): Promise<SearchResult>
}

/** Undefined where no function scores. Throws 1100 for functions that are none of these. */
export function createRescoring(schema: CollectionSchema, score: FunctionScore | null): Rescoring | undefined {
  const [first] = score?.functions ?? []
  if (score === null || first === undefined) return undefined
  const names = score.functions.map(({ type, params }) => (type === FunctionType.Rerank ? (toRecord(params)['reranker'] ?? '').toLowerCase() : ''))
  if (names.every((name) => name === 'boost')) return byBoost(createBoosts(score))
  if (names.length === 1 && names[0] === 'decay') return byDecay(createDecay(schema, first))
  throw new MilvusError(1100, `function_score: expected one function of reranker decay, or some of reranker boost, got [${names.join(', ').slice(0, 80)}]`)
}

function byDecay(decay: Decay): Rescoring {
  return {
    fields: [decay.field],
    async rescore(_queryNode, _asked, result) {
      const column = decay.field.isPrimary ? result.keys : result.columns.get(decay.field.id)
      if (column === undefined) throw new Error(`field ${decay.field.name} is missing in a result`)
      return reordered(result, (row) => decay.worth(result.metric, result.scores[row] as number) * decay.factor(column, row), false)
    },
  }
}

function byBoost(boosts: Boosts): Rescoring {
  return {
    fields: [],
    async rescore(queryNode, asked, result) {
      const matches = await Promise.all(boosts.functions.map(async ({ filter }) => (filter.trim() === '' ? undefined : keysThatMatch(queryNode, asked, result, filter))))
      return reordered(result, (row) => boostedScore(boosts, result.scores[row] as number, result.keys, row, matches), ascendingMetric(result.metric))
    },
  }
}

async function keysThatMatch(queryNode: QueryNodeApi, asked: SearchRequest, result: SearchResult, filter: string): Promise<ReadonlySet<PrimaryKey>> {
  const { collectionId, partitionIds, templates, guaranteeTs, momentTs, ignoreGrowing, signal } = asked
  const keys = primaryKeyList(result.keys)
  const found = await queryNode.query({ collectionId, partitionIds, templates, guaranteeTs, momentTs, ignoreGrowing, signal, filter, keys, outputFields: [], limit: undefined, offset: 0, count: false })
  return new Set(primaryKeyList(found.keys))
}

function reordered(result: SearchResult, scoreOf: (row: number) => number, ascending: boolean): SearchResult {
  const scores = Float32Array.from(result.scores, (_score, row) => scoreOf(row))
  const rows: number[] = []
  for (const count of result.counts) {
    const start = rows.length
    const mine = Array.from({ length: count }, (_, hit) => start + hit)
    mine.sort((a, b) => {
      const order = (scores[a] as number) - (scores[b] as number)
      if (order !== 0) return ascending ? order : -order
      return compareKeys(primaryKeyAt(result.keys, a), primaryKeyAt(result.keys, b))
    })
    rows.push(...mine)
  }
  return takeHits({ ...result, scores }, rows, result.counts)
}

/** Of each query the hits from `offset` on. */
export function withoutFirst(result: SearchResult, offset: number): SearchResult {
  if (offset === 0) return result
  const rows: number[] = []
  let start = 0
  const counts = result.counts.map((count) => {
    for (let hit = offset; hit < count; hit++) rows.push(start + hit)
    start += count
    return Math.max(0, count - offset)
  })
  return takeHits(result, rows, counts)
}
