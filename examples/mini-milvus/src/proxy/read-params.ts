/** The key-value parameters of Search and Query, checked and typed. Unknown keys are ignored, as SDKs send many. */
import { MilvusError } from '../server/status.ts'

export interface KeyValue {
  readonly key?: string | undefined
  readonly value?: string | undefined
}

/** Milvus's bound of topk, limit, offset + limit and nq. */
export const MAX_TOPK = 16_384

/** One hit, or a few, per value of a field. */
export interface GroupBy {
  readonly field: string
  /** Hits per group. */
  readonly size: number
  /** Look on until groups are full. */
  readonly strict: boolean
}

/** One page of a search iterator, version 2. */
export interface SearchIterator {
  readonly batchSize: number
  /** Score of the last hit of the page before; undefined for the first page. */
  readonly lastBound: number | undefined
  /** Of the page before, '' for the first. */
  readonly token: string
  /** That the token names. Undefined for the first page. */
  readonly ts: bigint | undefined
}

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
  readonly groupBy: GroupBy | undefined
  /** `price:desc,id` */
  readonly orderBy: string | undefined
  readonly iterator: SearchIterator | undefined
}

type Read = (key: string) => unknown

export function searchParams(pairs: readonly KeyValue[] | undefined): SearchParams {
  const given = toMap(pairs)
  const nested = nestedParams(given.get('params'))
  const get: Read = (key) => nested.get(key) ?? given.get(key)
  const limit = integerParam('topk', given.get('topk') ?? given.get('limit') ?? nested.get('limit'), 1, MAX_TOPK)
  const offset = integerParam('offset', get('offset') ?? 0, 0, MAX_TOPK)
  if (limit + offset > MAX_TOPK) {
    throw new MilvusError(1100, `invalid max query result window, (offset+limit) should be in range [1, ${MAX_TOPK}], but got ${offset + limit}`)
  }
  const radius = numberParam('radius', get('radius'))
  const rangeFilter = numberParam('range_filter', get('range_filter'))
  if (rangeFilter !== undefined && radius === undefined) throw new MilvusError(1100, 'range_filter must be used together with radius: radius not found')
  const ef = get('ef')
  const groupBy = groupByOf(get)
  const iterator = iteratorOf(get)
  const orderBy = isAsked(get('order_by_fields')) ? text(get('order_by_fields')) : undefined
  if (groupBy !== undefined && radius !== undefined) throw new MilvusError(1100, 'not support doing range search when performing search group by')
  if (iterator !== undefined && (groupBy !== undefined || orderBy !== undefined || offset > 0)) {
    throw new MilvusError(1100, 'a search iterator takes no group_by_field, no order_by_fields and no offset')
  }
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
    groupBy,
    orderBy,
    iterator,
  }
}

function groupByOf(get: Read): GroupBy | undefined {
  const field = get('group_by_field')
  if (!isAsked(field)) return undefined
  const size = get('group_size')
  return {
    field: text(field),
    size: size === undefined || size === null || size === '' ? 1 : integerParam('group_size', size, 1, 1024),
    strict: booleanParam('strict_group_size', get('strict_group_size')),
  }
}

function iteratorOf(get: Read): SearchIterator | undefined {
  if (!booleanParam('search_iter_v2', get('search_iter_v2'))) return undefined
  const token = text(get('search_iter_id'))
  const named = /^iterator-([0-9]{1,19})$/.exec(token)?.[1]
  if (token !== '' && named === undefined) throw new MilvusError(1100, `search_iter_id [${token.slice(0, 80)}] is invalid, it should be what the first page was answered with`)
  return {
    batchSize: integerParam('search_iter_batch_size', get('search_iter_batch_size'), 1, MAX_TOPK),
    lastBound: numberParam('search_iter_last_bound', get('search_iter_last_bound')),
    token,
    ts: named === undefined ? undefined : BigInt(named),
  }
}

export interface QueryParams {
  readonly limit: number | undefined
  readonly offset: number
  readonly ignoreGrowing: boolean
  /** `price:desc,id` */
  readonly orderBy: string | undefined
  /** A page of an iterator, or what opens one. */
  readonly isIterator: boolean
}

export function queryParams(pairs: readonly KeyValue[] | undefined): QueryParams {
  const given = toMap(pairs)
  // Asked for, but not served yet: refused rather than ignored.
  if (isAsked(given.get('group_by_fields'))) throw new MilvusError(1100, 'group_by_fields is not supported by this version of mini-milvus')
  const orderBy = given.get('order_by_fields')
  const limitText = given.get('limit')
  const limit = limitText === undefined || limitText === '' || limitText === '-1' ? undefined : integerParam('limit', limitText, 1, MAX_TOPK)
  const offset = integerParam('offset', given.get('offset') ?? 0, 0, MAX_TOPK)
  if (limit !== undefined && limit + offset > MAX_TOPK) {
    throw new MilvusError(1100, `invalid max query result window, (offset+limit) should be in range [1, ${MAX_TOPK}], but got ${offset + limit}`)
  }
  return { limit, offset, ignoreGrowing: booleanParam('ignore_growing', given.get('ignore_growing')), orderBy: isAsked(orderBy) ? orderBy : undefined, isIterator: booleanParam('iterator', given.get('iterator')) }
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
