/** The key-value parameters of Search and Query, checked and typed. Unknown keys are ignored, as SDKs send many. */
import { MilvusError } from '../server/status.ts'

export interface KeyValue {
  readonly key?: string | undefined
  readonly value?: string | undefined
}

/** Milvus's bound of topk, limit, offset + limit and nq. */
export const MAX_TOPK = 16_384

export interface SearchParams {
  readonly annsField: string
  readonly metric: string
  /** Rows to return per query. */
  readonly limit: number
  readonly offset: number
  readonly ef: number | undefined
  readonly radius: number | undefined
  readonly rangeFilter: number | undefined
  readonly ignoreGrowing: boolean
  /** Decimal places of scores, -1: all. */
  readonly roundDecimal: number
}

/** Asked for, but not served yet: refused rather than ignored. */
const UNSERVED = ['group_by_field', 'order_by_fields', 'search_iter_v2', 'iterator'] as const

export function searchParams(pairs: readonly KeyValue[] | undefined): SearchParams {
  const given = toMap(pairs)
  const nested = nestedParams(given.get('params'))
  const get = (key: string): unknown => nested.get(key) ?? given.get(key)
  for (const key of UNSERVED) if (isAsked(get(key))) throw new MilvusError(1100, `${key} is not supported by this version of mini-milvus`)
  const limit = integerParam('topk', given.get('topk') ?? given.get('limit') ?? nested.get('limit'), 1, MAX_TOPK)
  const offset = integerParam('offset', get('offset') ?? 0, 0, MAX_TOPK)
  if (limit + offset > MAX_TOPK) {
    throw new MilvusError(1100, `invalid max query result window, (offset+limit) should be in range [1, ${MAX_TOPK}], but got ${offset + limit}`)
  }
  const radius = numberParam('radius', get('radius'))
  const rangeFilter = numberParam('range_filter', get('range_filter'))
  if (rangeFilter !== undefined && radius === undefined) throw new MilvusError(1100, 'range_filter must be used together with radius: radius not found')
  const ef = get('ef')
  return {
    annsField: text(given.get('anns_field') ?? nested.get('anns_field')),
    metric: text(given.get('metric_type') ?? nested.get('metric_type')).toUpperCase(),
    limit,
    offset,
    ef: ef === undefined || ef === '' ? undefined : integerParam('ef', ef, 1, 1_000_000),
    radius,
    rangeFilter,
    ignoreGrowing: booleanParam('ignore_growing', get('ignore_growing')),
    roundDecimal: integerParam('round_decimal', get('round_decimal') ?? -1, -1, 6),
  }
}

export interface QueryParams {
  readonly limit: number | undefined
  readonly offset: number
  readonly ignoreGrowing: boolean
}

export function queryParams(pairs: readonly KeyValue[] | undefined): QueryParams {
  const given = toMap(pairs)
  for (const key of ['order_by_fields', 'group_by_fields'] as const) {
    if (isAsked(given.get(key))) throw new MilvusError(1100, `${key} is not supported by this version of mini-milvus`)
  }
  const limitText = given.get('limit')
  const limit = limitText === undefined || limitText === '' || limitText === '-1' ? undefined : integerParam('limit', limitText, 1, MAX_TOPK)
  const offset = integerParam('offset', given.get('offset') ?? 0, 0, MAX_TOPK)
  if (limit !== undefined && limit + offset > MAX_TOPK) {
    throw new MilvusError(1100, `invalid max query result window, (offset+limit) should be in range [1, ${MAX_TOPK}], but got ${offset + limit}`)
  }
  return { limit, offset, ignoreGrowing: booleanParam('ignore_growing', given.get('ignore_growing')) }
}

function toMap(pairs: readonly KeyValue[] | undefined): Map<string, string> {
  return new Map((pairs ?? []).map(({ key, value }) => [key ?? '', value ?? '']))
}

/** The JSON text under `params`; both SDKs put index parameters there, and some of the rest. */
function nestedParams(json: string | undefined): Map<string, unknown> {
  if (json === undefined || json.trim() === '') return new Map()
  try {
    const value: unknown = JSON.parse(json)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return new Map(Object.entries(value))
  } catch {
    // Said below.
  }
  throw new MilvusError(1100, `invalid search params: expected a JSON object, got ${json.slice(0, 80)}`)
}

function isAsked(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '' && value !== false && String(value).toLowerCase() !== 'false'
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function integerParam(name: string, value: unknown, min: number, max: number): number {
  const number = value === '' ? Number.NaN : Number(value)
  if (!Number.isInteger(number) || number < min || number > max) {
    throw new MilvusError(1100, `${name} [${String(value ?? '')}] is invalid, it should be an integer in range [${min}, ${max}]`)
  }
  return number
}

function numberParam(name: string, value: unknown): number | undefined {
  if (value === undefined || value === null || value === '') return undefined
  const number = Number(value)
  if (!Number.isFinite(number)) throw new MilvusError(1100, `${name} [${String(value)}] is invalid, it should be a number`)
  return number
}

function booleanParam(name: string, value: unknown): boolean {
  if (value === undefined || value === null || value === '') return false
  const lower = String(value).toLowerCase()
  if (lower !== 'true' && lower !== 'false') throw new MilvusError(1100, `${name} [${String(value)}] is invalid, it should be true or false`)
  return lower === 'true'
}
