/** Which scalar indexes have a structure of their own here: rows in the order of their values, whatever name it was asked for by. */
import { jsonIndexOf } from './json-index.ts'
import type { IndexMeta } from './meta.ts'
import { DataType, type FieldSchema } from './schema.ts'

const SORTED_NAMES: ReadonlySet<string> = new Set(['STL_SORT', 'INVERTED', 'BITMAP', 'TRIE', 'MARISA-TRIE', 'AUTOINDEX'])

const SORTED_TYPES: ReadonlySet<number> = new Set([
  DataType.Bool, DataType.Int8, DataType.Int16, DataType.Int32, DataType.Int64, DataType.Timestamptz,
  DataType.Float, DataType.Double, DataType.VarChar, DataType.String, DataType.Text,
])

/** Geometries and n-grams have none, nor have JSON paths cast to lists: their filters read columns. */
export function isSortedIndex(field: FieldSchema, index: Pick<IndexMeta, 'indexType' | 'params'>): boolean {
  if (field.type === DataType.JSON) return jsonIndexOf(field, index) !== undefined
  const type = field.type === DataType.Array ? (field.elementType ?? DataType.None) : field.type
  return SORTED_NAMES.has(index.indexType) && SORTED_TYPES.has(type)
}
