/** A value for `{name}` in a filter. Integers are bigints: an integral number is a float, as a float literal is. */
export type TemplateValue = boolean | bigint | number | string | Uint8Array | readonly TemplateValue[]

const MAX_DEPTH = 16
const decoder = new TextDecoder()

/**
 * The values of a request's `expr_template_values` (TemplateValue messages as protobufjs decodes them with kept case; int64 as Long,
 * bigint, number or decimal text).
 * @throws {TypeError} for a message of another shape.
 */
export function templatesFromWire(values: Readonly<Record<string, unknown>> | undefined): ReadonlyMap<string, TemplateValue> {
  const templates = new Map<string, TemplateValue>()
  for (const [name, value] of Object.entries(values ?? {})) templates.set(name, templateValue(value, name))
  return templates
}

/** protobufjs puts zeros of all members on its prototypes: own members alone say which one is set. */
function own(message: unknown, name: string): unknown {
  return typeof message === 'object' && message !== null && Object.hasOwn(message, name) ? (message as Record<string, unknown>)[name] : undefined
}

function templateValue(message: unknown, name: string): TemplateValue {
  const bool = own(message, 'bool_val')
  if (typeof bool === 'boolean') return bool
  const int64 = own(message, 'int64_val')
  if (int64 !== undefined && int64 !== null) return toBigInt(int64, name)
  const float = own(message, 'float_val')
  if (typeof float === 'number') return float
  const string = own(message, 'string_val')
  if (typeof string === 'string') return string
  const array = own(message, 'array_val')
  if (typeof array === 'object' && array !== null) return arrayValue(array, name, 0)
  const bytes = own(message, 'bytes_val')
  if (bytes instanceof Uint8Array) return bytes
  throw new TypeError(`expected template {${name}} to hold a value`)
}

function arrayValue(message: object, name: string, depth: number): readonly TemplateValue[] {
  if (depth > MAX_DEPTH) throw new TypeError(`expected template {${name}} to be nested at most ${MAX_DEPTH} deep`)
  for (const member of ['bool_data', 'double_data', 'string_data'] as const) {
    const data = dataOf(own(message, member))
    if (data !== undefined) return data.filter((item) => typeof item === 'boolean' || typeof item === 'number' || typeof item === 'string')
  }
  const longs = dataOf(own(message, 'long_data'))
  if (longs !== undefined) return longs.map((item) => toBigInt(item, name))
  const arrays = dataOf(own(message, 'array_data'))
  if (arrays !== undefined) return arrays.map((item) => arrayValue(item as object, name, depth + 1))
  const jsons = dataOf(own(message, 'json_data'))
  if (jsons !== undefined) return jsons.map((item) => jsonValue(item, name))
  return []
}

function dataOf(message: unknown): readonly unknown[] | undefined {
  if (typeof message !== 'object' || message === null) return undefined
  const data: unknown = (message as { data?: unknown }).data
  return Array.isArray(data) ? data : []
}

function toBigInt(value: unknown, name: string): bigint {
  if (typeof value === 'bigint') return value
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value)
  const text = typeof value === 'object' && value !== null ? (value as { toString(): string }).toString() : value
  if (typeof text === 'string' && /^-?\d{1,20}$/.test(text)) return BigInt(text)
  throw new TypeError(`expected template {${name}} to hold an int64`)
}

function jsonValue(bytes: unknown, name: string): TemplateValue {
  const value: unknown = JSON.parse(bytes instanceof Uint8Array ? decoder.decode(bytes) : String(bytes))
  return fromJson(value, name, 0)
}

function fromJson(value: unknown, name: string, depth: number): TemplateValue {
  if (typeof value === 'boolean' || typeof value === 'string') return value
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value
  if (Array.isArray(value) && depth < MAX_DEPTH) return value.map((item) => fromJson(item, name, depth + 1))
  throw new TypeError(`expected the JSON of template {${name}} to hold bools, numbers, strings and lists`)
}
