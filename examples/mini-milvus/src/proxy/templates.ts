/** Filter templates as they come by gRPC. Values stay values: they never become text of a filter. */
import type { TemplateValue as FilterValue } from '../filter/index.ts'
import { MilvusError } from '../server/status.ts'
import type { TemplateArrayValue, TemplateValue } from '../wire/index.ts'

export function filterTemplates(values: Readonly<Record<string, TemplateValue>>): ReadonlyMap<string, FilterValue> {
  return new Map(Object.entries(values).map(([name, value]) => [name, templateValue(name, value)]))
}

function templateValue(name: string, value: TemplateValue): FilterValue {
  if (value.bool_val !== undefined) return value.bool_val
  if (value.int64_val !== undefined) return value.int64_val
  if (value.float_val !== undefined) return value.float_val
  if (value.string_val !== undefined) return value.string_val
  if (value.bytes_val !== undefined) return value.bytes_val
  if (value.array_val !== undefined) return arrayValue(value.array_val)
  throw new MilvusError(1100, `template ${name} has no value`)
}

function arrayValue(array: TemplateArrayValue): FilterValue {
  if (array.bool_data !== undefined) return array.bool_data.data
  if (array.long_data !== undefined) return array.long_data.data
  if (array.double_data !== undefined) return array.double_data.data
  if (array.string_data !== undefined) return array.string_data.data
  if (array.array_data !== undefined) return array.array_data.data.map((item) => arrayValue(item))
  if (array.json_data !== undefined) return array.json_data.data.map((item) => jsonValue(item))
  return []
}

const decoder = new TextDecoder('utf-8', { fatal: true })
const jsonToken = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

/** A JSON text as a value of a filter: its integers are bigints, exactly. */
function jsonValue(bytes: Uint8Array): FilterValue {
  let value: unknown
  try {
    // Valid before it is touched; then integers become strings with a mark, and other strings get another.
    const text = decoder.decode(bytes)
    JSON.parse(text)
    value = JSON.parse(text.replace(jsonToken, (token) => (token.startsWith('"') ? `"s${token.slice(1)}` : /^-?\d+$/.test(token) ? `"n${token}"` : token)))
  } catch (error) {
    throw new MilvusError(1100, 'a template value is not valid JSON', undefined, { cause: error })
  }
  return unmarked(value)
}

function unmarked(value: unknown): FilterValue {
  if (typeof value === 'string') return value.startsWith('n') ? BigInt(value.slice(1)) : value.slice(1)
  if (typeof value === 'number' || typeof value === 'boolean') return value
  if (Array.isArray(value)) return value.map((item) => unmarked(item))
  throw new MilvusError(1100, 'a template value of JSON must not hold null or an object')
}
