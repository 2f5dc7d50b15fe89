/** Indexes of JSON paths, as a client asks for them: `json_path: 'doc["a"][0]'`, `json_cast_type: 'double'`. */
import type { IndexMeta } from './meta.ts'
import { DataType, type FieldSchema } from './schema.ts'

/** The values at a path that are of one type; others are not in the index. */
export interface JsonIndex {
  readonly path: readonly (string | number)[]
  readonly cast: JsonCast
  /** The elements of lists at the path, instead of single values. */
  readonly isList: boolean
}

export type JsonCast = typeof DataType.Bool | typeof DataType.Double | typeof DataType.VarChar

const CASTS: ReadonlyMap<string, JsonCast> = new Map([['BOOL', DataType.Bool], ['DOUBLE', DataType.Double], ['VARCHAR', DataType.VarChar]])
const LIST = 'ARRAY_'

/** Undefined for what has no structure of its own here: casts of other names, paths that are none. */
export function jsonIndexOf(field: FieldSchema, { params }: Pick<IndexMeta, 'params'>): JsonIndex | undefined {
  if (field.type !== DataType.JSON) return undefined
  const name = (indexParam(params, 'json_cast_type') ?? '').trim().toUpperCase()
  const isList = name.startsWith(LIST)
  const cast = CASTS.get(isList ? name.slice(LIST.length) : name)
  const path = pathOf(field, indexParam(params, 'json_path') ?? '')
  return cast === undefined || path === undefined ? undefined : { path, cast, isList }
}

/** SDKs send it by itself, or in the JSON text under `params`. */
export function indexParam(params: Readonly<Record<string, string>>, name: 'json_path' | 'json_cast_type' | 'min_gram' | 'max_gram'): string | undefined {
  const own = params[name]
  if (own !== undefined || params['params'] === undefined) return own
  try {
    const nested: unknown = JSON.parse(params['params'])
    const value: unknown = typeof nested === 'object' && nested !== null ? new Map<string, unknown>(Object.entries(nested)).get(name) : undefined
    return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined
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

export function jsonIndexKey(fieldId: number, { path, cast, isList }: JsonIndex): IndexKey {
  return `${fieldId} ${isList ? 'list ' : ''}${cast} ${JSON.stringify(path)}`
}
