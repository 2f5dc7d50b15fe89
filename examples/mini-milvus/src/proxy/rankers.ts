/** How hybrid search joins the hits of its parts to one list, as Milvus's rankers do: by ranks (RRF) or by weighted scores. */
import { ascendingMetric } from '../querynode/merge-hits.ts'
import { MilvusError } from '../server/status.ts'

/** The hits of one part for one query, best first: rows that are numbered over all parts, equal rows by equal `identity`. */
export interface RankedList {
  readonly metric: string
  readonly identities: readonly unknown[]
  readonly scores: readonly number[]
}

export interface Ranker {
  /** Scores by identity. */
  score(lists: readonly RankedList[]): Map<unknown, number>
  /** True where the best score is the least. */
  isAscending(metrics: readonly string[]): boolean
}

type Read = (key: string) => unknown

const DEFAULT_K = 60

/** @param read the ranker's own parameters */
export function createRanker(strategy: string, read: Read, parts: number): Ranker {
  if (strategy === '' || strategy === 'rrf') return rrf(kOf(read('k')))
  if (strategy === 'weighted') return weighted(weightsOf(read('weights'), parts), String(read('norm_score') ?? 'true').toLowerCase() !== 'false')
  throw new MilvusError(1100, `unsupported rank type ${strategy.slice(0, 80)}`)
}

function kOf(value: unknown): number {
  const k = value === undefined || value === '' ? DEFAULT_K : Number(value)
  if (!(k > 0 && k < 16_384)) throw new MilvusError(1100, `the rank params k should be in range (0, 16384), got ${String(value)}`)
  return k
}

function weightsOf(value: unknown, parts: number): readonly number[] {
  const weights: unknown = typeof value === 'string' ? parseJson(value) : value
  if (!Array.isArray(weights)) throw new MilvusError(1100, 'weights not found in rank_params')
  if (weights.length !== parts) {
    throw new MilvusError(1100, `the length of weights param mismatch with ann search requests: invalid parameter[expected=${parts}][actual=${weights.length}]`)
  }
  return weights.map((weight: unknown) => {
    if (typeof weight !== 'number' || !(weight >= 0 && weight <= 1)) throw new MilvusError(1100, `rank param weight should be in range [0, 1], got ${String(weight)}`)
    return weight
  })
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new MilvusError(1100, `expected JSON in rank params, got ${text.slice(0, 80)}`)
  }
}

function rrf(k: number): Ranker {
  return {
    isAscending: () => false,
    score: (lists) => sum(lists, (_list, _score, position) => 1 / (k + position + 1)),
  }
}

function weighted(weights: readonly number[], normalise: boolean): Ranker {
  const isMixed = (metrics: readonly string[]) => new Set(metrics.map(ascendingMetric)).size > 1
  return {
    isAscending: (metrics) => !normalise && !isMixed(metrics) && metrics.every(ascendingMetric),
    score(lists) {
      const mixed = isMixed(lists.map(({ metric }) => metric))
      return sum(lists, ({ metric }, score, _position, part) => (weights[part] ?? 0) * (normalise || (mixed && ascendingMetric(metric)) ? normalised(metric, score) : score))
    },
  }
}

function sum(lists: readonly RankedList[], worth: (list: RankedList, score: number, position: number, part: number) => number): Map<unknown, number> {
  const scores = new Map<unknown, number>()
  lists.forEach((list, part) => {
    list.identities.forEach((identity, position) => {
      scores.set(identity, (scores.get(identity) ?? 0) + worth(list, list.scores[position] as number, position, part))
    })
  })
  return scores
}

/** Into 0 to 1, the better the greater (Milvus's formulas). */
export function normalised(metric: string, score: number): number {
  switch (metric) {
    case 'COSINE':
      return (1 + score) / 2
    case 'IP':
    case 'MAX_SIM':
    case 'MAX_SIM_COSINE':
    case 'MAX_SIM_IP':
      return 0.5 + Math.atan(score) / Math.PI
    case 'BM25':
      return (2 * Math.atan(score)) / Math.PI
    default:
      return 1 - (2 * Math.atan(score)) / Math.PI
  }
}
