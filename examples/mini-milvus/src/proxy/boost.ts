/** Milvus's boost rankers: hits that a filter names weigh more or less, or by chance. */
import { murmur3Of8Bytes, primaryKeyAt, type PrimaryKey, type PrimaryKeys } from '../model/primary-keys.ts'
import { MilvusError } from '../server/status.ts'
import type { FunctionSchema, FunctionScore } from '../wire/index.ts'
import { parseJson } from './rankers.ts'
import { toRecord } from './rpc-values.ts'

export interface Boost {
  /** '' : every hit. */
  readonly filter: string
  readonly weight: number
  /** A seed: the weight is multiplied by a number in [0, 1) that seed and key decide. */
  readonly seed: number | undefined
}

export interface Boosts {
  readonly functions: readonly Boost[]
  /** How several functions join, and how they meet the score. */
  readonly functionMode: Mode
  readonly boostMode: Mode
}

type Mode = 'multiply' | 'sum'

export function createBoosts({ functions, params }: FunctionScore): Boosts {
  const given = toRecord(params)
  return { functions: functions.map(boostOf), functionMode: modeOf(given['function_mode']), boostMode: modeOf(given['boost_mode']) }
}

function boostOf({ params }: FunctionSchema): Boost {
  const given = toRecord(params)
  const weight = Number(given['weight'])
  if (given['weight'] === undefined || !Number.isFinite(weight)) throw new MilvusError(1100, `boost function: expected \`weight\` to be a number, got ${given['weight'] ?? 'nothing'}`)
  const text = given['random_score']
  if (text === undefined || text === '') return { filter: given['filter'] ?? '', weight, seed: undefined }
  const random = parseJson(text)
  const seed = typeof random === 'object' && random !== null && 'seed' in random ? Number(random.seed) : 0
  if (!Number.isInteger(seed)) throw new MilvusError(1100, `boost function: expected \`seed\` of random_score to be an integer, got ${text.slice(0, 80)}`)
  return { filter: given['filter'] ?? '', weight, seed }
}

function modeOf(text = 'multiply'): Mode {
  const mode = text.toLowerCase()
  if (mode !== 'multiply' && mode !== 'sum') throw new MilvusError(1100, `unsupported mode of boost functions: ${text.slice(0, 80)}, only supports [Multiply, Sum]`)
  return mode
}

/** @param matches per function the keys that its filter names; undefined: all */
export function boostedScore({ functions, functionMode, boostMode }: Boosts, score: number, keys: PrimaryKeys, row: number, matches: readonly (ReadonlySet<PrimaryKey> | undefined)[]): number {
  const key = primaryKeyAt(keys, row)
  const weights = functions.flatMap(({ weight, seed }, index) => (matches[index]?.has(key) === false ? [] : [seed === undefined ? weight : weight * chance(seed, key)]))
  if (weights.length === 0) return score
  const weight = weights.reduce((all, one) => (functionMode === 'sum' ? all + one : all * one))
  return boostMode === 'sum' ? score + weight : score * weight
}

/** In [0, 1): the same for the same seed and key. */
function chance(seed: number, key: PrimaryKey): number {
  let hash = seed | 0
  for (const char of String(key)) hash = murmur3Of8Bytes(hash, char.codePointAt(0) ?? 0)
  return hash / 4_294_967_296
}
