/** Which indexes and metrics which fields take, with Milvus's names, defaults and wording. */
import { DataType, dataTypeName, type FieldSchema, isSearchable, isVectorType } from '../model/schema.ts'
import { vectorTypeOf } from '../model/structs.ts'
import { Code, MilvusError } from '../server/status.ts'
import { checkScalarParams } from './scalar-index-rules.ts'

/** What serves an index: exact scan (all of binary vectors), a graph, postings of sparse vectors (exact too), or nothing of its own (scalar filters scan columns, unless `scalarStructure` says otherwise). */
export type ServedBy = 'FLAT' | 'BIN_FLAT' | 'HNSW' | 'SPARSE_INVERTED_INDEX' | 'SCAN'

const FLOAT_TYPES = [
  'FLAT',
  'IVF_FLAT',
  'IVF_SQ8',
  'IVF_PQ',
  'IVF_RABITQ',
  'HNSW',
  'HNSW_SQ',
  'HNSW_PQ',
  'HNSW_PRQ',
  'SCANN',
  'DISKANN',
  'AUTOINDEX',
]
const BINARY_TYPES = ['BIN_FLAT', 'BIN_IVF_FLAT', 'MINHASH_LSH', 'AUTOINDEX']
const SPARSE_TYPES = ['SPARSE_INVERTED_INDEX', 'SPARSE_WAND', 'AUTOINDEX']
const FLOAT_METRICS = ['COSINE', 'IP', 'L2']
const BINARY_METRICS = ['HAMMING', 'JACCARD', 'MHJACCARD']
/** A list of vectors against a list. MAX_SIM is that of cosine. */
const LIST_METRICS = ['MAX_SIM', 'MAX_SIM_COSINE', 'MAX_SIM_IP', 'MAX_SIM_L2']
const BINARY_LIST_METRICS = ['MAX_SIM_HAMMING', 'MAX_SIM_JACCARD']
const SPARSE_METRICS = ['IP', 'BM25']
const SCALAR_TYPES = ['STL_SORT', 'TRIE', 'MARISA-TRIE', 'INVERTED', 'BITMAP', 'NGRAM', 'RTREE', 'AUTOINDEX']

const numeric: readonly number[] = [
  DataType.Int8,
  DataType.Int16,
  DataType.Int32,
  DataType.Int64,
  DataType.Float,
  DataType.Double,
  DataType.Timestamptz,
]
const texts: readonly number[] = [DataType.VarChar, DataType.String, DataType.Text]

export function servedBy({ indexType, metricType }: { readonly indexType: string; readonly metricType: string }): ServedBy {
  if (metricType === '') return 'SCAN'
  if (BINARY_METRICS.includes(metricType) || BINARY_LIST_METRICS.includes(metricType)) return 'BIN_FLAT'
  if (LIST_METRICS.includes(metricType)) return 'FLAT'
  if (indexType !== 'AUTOINDEX' && SPARSE_TYPES.includes(indexType)) return 'SPARSE_INVERTED_INDEX'
  return indexType === 'FLAT' ? 'FLAT' : 'HNSW'
}

/** Milvus's default metric of a vector type. */
export function defaultMetric(type: DataType): string {
  if (type === DataType.ArrayOfVector) return 'MAX_SIM_COSINE'
  if (!isVectorType(type)) return ''
  if (type === DataType.BinaryVector) return 'HAMMING'
  return type === DataType.SparseFloatVector ? 'IP' : 'COSINE'
}

function defaultMetricOf(field: FieldSchema): string {
  return field.type === DataType.ArrayOfVector && field.elementType === DataType.BinaryVector ? 'MAX_SIM_HAMMING' : defaultMetric(field.type)
}

export interface IndexDefinition {
  /** Upper case. */
  readonly indexType: string
  readonly metricType: string
  /** For describe: as asked, completed by index_type and metric_type. */
  readonly params: Readonly<Record<string, string>>
}

function wrong(expected: string, actual: string): MilvusError {
  return new MilvusError(Code.ParameterInvalid, `invalid parameter[expected=${expected}][actual=${actual}]`)
}

/**
 * Checks what a client asks for and completes it. Throws MilvusError 1100.
 * @param isFilled by a BM25 function
 */
export function defineIndex(field: FieldSchema, asked: Readonly<Record<string, string>>, isFilled = false): IndexDefinition {
  const flat = { ...parseParams(asked['params']), ...asked }
  const indexType = (flat['index_type'] ?? '').toUpperCase() || 'AUTOINDEX'
  const metricType = isSearchable(field) ? (flat['metric_type'] ?? '').toUpperCase() || (isFilled ? 'BM25' : defaultMetricOf(field)) : ''
  checkType(field, indexType)
  if (!isSearchable(field)) checkScalarParams(field, indexType, flat)
  if (isSearchable(field)) checkMetric(field, metricType)
  if (isFilled && metricType !== 'BM25') throw wrong('BM25', `index metric type of BM25 function output field must be BM25, got ${metricType}`)
  if (!isFilled && metricType === 'BM25') throw wrong('valid index params', 'only BM25 Function output field support BM25 metric type')
  if (metricType === 'BM25') bm25Params(flat)
  checkRange(flat, 'M', 2, 2048)
  checkRange(flat, 'efConstruction', 1, 2_147_483_647)
  checkRange(flat, 'nlist', 1, 65_536)
  const params = { ...asked, index_type: asked['index_type'] || indexType, ...(metricType === '' ? {} : { metric_type: metricType }) }
  return { indexType, metricType, params }
}

/** How a BM25 index weighs: how much repetition counts, and how much length takes away. Throws MilvusError 1100. */
export function bm25Params(flat: Readonly<Record<string, string>>): { readonly k1: number; readonly b: number } {
  return { k1: realParam(flat, 'bm25_k1', 1.2, 3), b: realParam(flat, 'bm25_b', 0.75, 1) }
}

function realParam(flat: Readonly<Record<string, string>>, key: string, fallback: number, max: number): number {
  const text = flat[key]
  if (text === undefined) return fallback
  const value = Number(text)
  if (text.trim() === '' || Number.isNaN(value)) throw wrong('valid index params', `param '${key}' (${text}) should be a number`)
  if (value < 0 || value > max) throw wrong('valid index params', `Out of range in json: param '${key}' (${text}) should be in range [0, ${max}]`)
  return value
}

/** The JSON text under `params`, values as text. */
export function parseParams(text: string | undefined): Record<string, string> {
  if (text === undefined || text === '') return {}
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw wrong('a JSON object in params', text.slice(0, 200))
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw wrong('a JSON object in params', text.slice(0, 200))
  return Object.fromEntries(Object.entries(parsed).map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]))
}

function checkType(field: FieldSchema, indexType: string): void {
  const known = [...FLOAT_TYPES, ...BINARY_TYPES, ...SPARSE_TYPES, ...SCALAR_TYPES]
  if (!known.includes(indexType)) throw wrong('valid index', `invalid index type: ${indexType}`)
  if (!typesFor(field).includes(indexType)) {
    const element = field.elementType === undefined ? '' : ` of ${dataTypeName(field.elementType)}`
    throw wrong(
      'valid index params',
      `invalid index params: data type ${dataTypeName(field.type)}${element} can't build with this index ${indexType}`,
    )
  }
}

function typesFor(field: FieldSchema): readonly string[] {
  switch (vectorTypeOf(field)) {
    case DataType.FloatVector:
    case DataType.Float16Vector:
    case DataType.BFloat16Vector:
    case DataType.Int8Vector:
      return FLOAT_TYPES
    case DataType.BinaryVector:
      return BINARY_TYPES
    case DataType.SparseFloatVector:
      return SPARSE_TYPES
    case DataType.Geometry:
      return ['RTREE', 'AUTOINDEX']
    case DataType.JSON:
      return ['INVERTED', 'AUTOINDEX', 'NGRAM', 'STL_SORT', 'BITMAP']
    case DataType.Array:
      return scalarTypes(field.elementType ?? DataType.None).filter(
        (type) => type === 'INVERTED' || type === 'BITMAP' || type === 'AUTOINDEX',
      )
    default:
      return scalarTypes(field.type)
  }
}

function scalarTypes(type: number): readonly string[] {
  if (texts.includes(type)) return ['TRIE', 'MARISA-TRIE', 'INVERTED', 'BITMAP', 'STL_SORT', 'NGRAM', 'AUTOINDEX']
  const isFloat = type === DataType.Float || type === DataType.Double
  if (numeric.includes(type)) return isFloat ? ['STL_SORT', 'INVERTED', 'AUTOINDEX'] : ['STL_SORT', 'INVERTED', 'BITMAP', 'AUTOINDEX']
  return type === DataType.Bool ? ['INVERTED', 'BITMAP', 'AUTOINDEX'] : ['AUTOINDEX']
}

function checkMetric(field: FieldSchema, metricType: string): void {
  const type = vectorTypeOf(field)
  const ofLists = field.type !== DataType.ArrayOfVector ? [] : type === DataType.BinaryVector ? BINARY_LIST_METRICS : LIST_METRICS
  const single = type === DataType.BinaryVector ? BINARY_METRICS : type === DataType.SparseFloatVector ? SPARSE_METRICS : FLOAT_METRICS
  const metrics = [...single, ...ofLists]
  if (!metrics.includes(metricType)) {
    throw wrong('valid index params', `metric type ${metricType} not found or not supported, supported: [${metrics.join(' ')}]`)
  }
}

function checkRange(flat: Readonly<Record<string, string>>, key: string, min: number, max: number): void {
  const text = flat[key]
  if (text === undefined) return
  const value = Number(text)
  if (text.trim() === '' || !Number.isInteger(value)) throw wrong('valid index params', `param '${key}' (${text}) should be an integer`)
  if (value < min || value > max)
    throw wrong('valid index params', `Out of range in json: param '${key}' (${text}) should be in range [${min}, ${max}]`)
}

/** Equal indexes: the same type, metric and parameters, however they were written. */
export function sameDefinition(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  return normalised(a) === normalised(b)
}

function normalised(params: Readonly<Record<string, string>>): string {
  const { params: nested, ...rest } = params
  const flat: Record<string, string> = { ...parseParams(nested), ...rest, index_type: (rest['index_type'] ?? '').toUpperCase() }
  const kept = Object.entries(flat).filter(([key]) => key !== 'mmap.enabled' && key !== 'warmup')
  return JSON.stringify(kept.sort(([x], [y]) => (x < y ? -1 : 1)))
}
