/** Which scalar indexes have a structure of their own here, and which one, whatever name it was asked for by. */
import { indexParam, jsonIndexOf } from './json-index.ts'
import type { IndexMeta } from './meta.ts'
import { DataType, type FieldSchema } from './schema.ts'

/** Rows in the order of their values, rows by the grams of their texts, or rows by the boxes of their geometries. */
export type ScalarStructure =
  | { readonly kind: 'sorted' }
  | { readonly kind: 'grams'; readonly min: number; readonly max: number }
  | { readonly kind: 'boxes' }

const SORTED_NAMES: ReadonlySet<string> = new Set(['STL_SORT', 'INVERTED', 'BITMAP', 'TRIE', 'MARISA-TRIE', 'AUTOINDEX'])

const TEXT_TYPES: ReadonlySet<number> = new Set([DataType.VarChar, DataType.String, DataType.Text])
const SORTED_TYPES: ReadonlySet<number> = new Set([
  DataType.Bool, DataType.Int8, DataType.Int16, DataType.Int32, DataType.Int64, DataType.Timestamptz,
  DataType.Float, DataType.Double, ...TEXT_TYPES,
])

type Named = Pick<IndexMeta, 'indexType' | 'params'>

/** Undefined: none, filters read the column. */
export function scalarStructure(field: FieldSchema, index: Named): ScalarStructure | undefined {
  const json = jsonIndexOf(field, index)
  if (field.type === DataType.Geometry) return index.indexType === 'RTREE' || index.indexType === 'AUTOINDEX' ? { kind: 'boxes' } : undefined
  if (field.type === DataType.JSON && json === undefined) return undefined
  if (index.indexType === 'NGRAM') return TEXT_TYPES.has(json === undefined ? field.type : json.cast) && json?.isList !== true ? gramsOf(index) : undefined
  const type = json === undefined && field.type === DataType.Array ? (field.elementType ?? DataType.None) : (json?.cast ?? field.type)
  return SORTED_NAMES.has(index.indexType) && SORTED_TYPES.has(type) ? { kind: 'sorted' } : undefined
}

export function hasStructure(field: FieldSchema, index: Named): boolean {
  return scalarStructure(field, index) !== undefined
}

/** Undefined where one of them is missing or makes no sense, as older releases took them. */
function gramsOf({ params }: Named): ScalarStructure | undefined {
  const min = Number(indexParam(params, 'min_gram') ?? '')
  const max = Number(indexParam(params, 'max_gram') ?? '')
  return Number.isInteger(min) && Number.isInteger(max) && min >= 1 && max >= min ? { kind: 'grams', min, max } : undefined
}
