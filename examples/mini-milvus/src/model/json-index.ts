/** Indexes of JSON paths, as a client asks for them: `json_path: 'doc["a"][0]'`, `json_cast_type: 'double'`. */
import type { IndexMeta } from './meta.ts'
import { DataType, type FieldSchema } from './schema.ts'

/** The values at a path that are of one type; others are not in the index. */
export interface JsonIndex {
  readonly path: readonly (string | number)[]
  readonly cast: JsonCast
}

export type JsonCast = typeof DataType.Bool | typeof DataType.Double | typeof DataType.VarChar

const CASTS: ReadonlyMap<string, JsonCast> = new Map([['BOOL', DataType.Bool], ['DOUBLE', DataType.Double], ['VARCHAR', DataType.VarChar]])
const SORTED_NAMES: ReadonlySet<string> = new Set(['STL_SORT', 'INVERTED', 'BITMAP', 'AUTOINDEX'])

/** Undefined for what has no structure of its own here: arrays, n-grams, paths that are none. */
export function jsonIndexOf(field: FieldSchema, { indexType, params }: Pick<IndexMeta, 'indexType' | 'params'>): JsonIndex | undefined {
  if (field.type !== DataType.JSON || !SORTED_NAMES.has(indexType)) return undefined
  const cast = CASTS.get((jsonParam(params, 'json_cast_type') ?? '').toUpperCase())
  const path = pathOf(field, jsonParam(params, 'json_path') ?? '')
  return cast === undefined || path === undefined ? undefined : { path, cast }
}

/** SDKs send it by itself, or in the JSON text under `params`. */
export function jsonParam(params: Readonly<Record<string, string>>, name: 'json_path' | 'json_cast_type'): string | undefined {
  const own = params[name]
  if (own !== undefined || params['params'] === undefined) return own
  try {
    const nested: unknown = JSON.parse(params['params'])
    const value: unknown = typeof nested === 'object' && nested !== null ? new Map<string, unknown>(Object.entries(nested)).get(name) : undefined
    return typeof value === 'string' ? value : undefined
  } catch {
    return undefined
  }
}

/** Behind the field's name; a key of the dynamic field may stand alone. */
function pathOf(field: FieldSchema, text: string): (string | number)[] | undefined {
  const match = /^\s*([A-Za-z_$][A-Za-z0-9_$]*)((?:\[(?:\d{1,9}|"(?:[^"\\]|\\.)*"|'[^'\\]*')\])*)\s*$/.exec(text)
  if (match === null) return undefined
  const [, root = '', rest = ''] = match
  const path = [...rest.matchAll(/\[(?:(\d+)|("(?:[^"\\]|\\.)*")|'([^']*)')\]/g)].map(([, index, double, single]) => (index !== undefined ? Number(index) : double !== undefined ? unquoted(double) : (single ?? '')))
  const whole = root === field.name ? path : field.isDynamic ? [root, ...path] : []
  return whole.length === 0 || whole.includes(undefined) ? undefined : whole.filter((step) => step !== undefined)
}

function unquoted(text: string): string | undefined {
  try {
    return String(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** A field, or a JSON path of one, as filters and segments name what is indexed. */
export type IndexKey = number | string

export function jsonIndexKey(fieldId: number, { path, cast }: JsonIndex): IndexKey {
  return `${fieldId} ${cast} ${JSON.stringify(path)}`
}
