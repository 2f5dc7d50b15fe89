/** Between the wire's forms and the model's: key-value lists, names, default values. */
import { formatTimestamptz, parseTimestamptz } from '../codec/timestamptz.ts'
import { DataType, dataTypeName, type FieldSchema, type ScalarValue } from '../model/schema.ts'
import { invalid } from '../server/status.ts'
import type { Init, KeyValuePair, ValueField } from '../wire/index.ts'

/** The last of equal keys wins. Any key is an ordinary own property. */
export function toRecord(pairs: readonly Pick<KeyValuePair, 'key' | 'value'>[]): Readonly<Record<string, string>> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, value]))
}

export function toPairs(record: Readonly<Record<string, string>>): Init<KeyValuePair>[] {
  return Object.entries(record).map(([key, value]) => ({ key, value }))
}

const MAX_NAME = 255

/** @param kind as Milvus says it: `collection name`, `collection alias`, `partition name`, `field name`, `index name`, `database name` */
export function checkName(kind: string, name: string): void {
  const subject = kind.replace('collection alias', 'collection name')
  if (name === '') throw invalid(`${subject} should not be empty`)
  const wrong = `Invalid ${kind}: ${name.slice(0, 300)}.`
  if (name.length > MAX_NAME) throw invalid(`${wrong} the length of a ${subject} must be less than ${MAX_NAME} characters`)
  if (!/^[A-Za-z_]/.test(name)) throw invalid(`${wrong} the first character of a ${subject} must be an underscore or letter`)
  if (!/^[A-Za-z0-9_]+$/.test(name)) throw invalid(`${wrong} ${subject} can only contain numbers, letters and underscores`)
}

type ValueKey = Exclude<keyof ValueField, 'date_data' | 'time_data'>

const valueKeys: ReadonlyMap<number, ValueKey> = new Map<number, ValueKey>([
  [DataType.Bool, 'bool_data'],
  [DataType.Int8, 'int_data'],
  [DataType.Int16, 'int_data'],
  [DataType.Int32, 'int_data'],
  [DataType.Int64, 'long_data'],
  [DataType.Float, 'float_data'],
  [DataType.Double, 'double_data'],
  [DataType.VarChar, 'string_data'],
  [DataType.Geometry, 'string_data'],
  [DataType.JSON, 'bytes_data'],
  [DataType.Timestamptz, 'timestamptz_data'],
])

const ranges: ReadonlyMap<number, number> = new Map([
  [DataType.Int8, 2 ** 7],
  [DataType.Int16, 2 ** 15],
  [DataType.Int32, 2 ** 31],
])

const decoder = new TextDecoder('utf-8', { fatal: true })
const encoder = new TextEncoder()

/** What a field's default is, from the wire. Throws 1100 where its type or size does not fit the field. */
export function defaultFromWire(field: Pick<FieldSchema, 'name' | 'type' | 'maxLength'>, wire: ValueField): ScalarValue | undefined {
  const given = Object.keys(wire).find((name) => wire[name as keyof ValueField] !== undefined)
  if (given === undefined) return undefined
  const { name, type } = field
  const key = valueKeys.get(type)
  if (key === undefined) throw invalid(`type not support default_value, type:${dataTypeName(type)}, name:${name}`)
  if (type === DataType.Timestamptz && wire.string_data !== undefined) return timestamptzDefault(name, wire.string_data)
  const value = wire[key]
  if (value === undefined)
    throw invalid(
      `type (${dataTypeName(type)}) of field (${name}) is not equal to the type(${given.replace('_data', '')}) of default_value`,
    )
  if (value instanceof Uint8Array) return jsonDefault(name, value)
  if (typeof value === 'string' && type === DataType.VarChar) checkLength(field, value)
  if (typeof value === 'number') checkNumber(type, value)
  return value
}

function timestamptzDefault(name: string, text: string): bigint {
  const micros = parseTimestamptz(text)
  if (micros === undefined) throw invalid(`default value ${JSON.stringify(text.slice(0, 80))} of field ${name} is no timestamp`)
  return micros
}

function jsonDefault(name: string, bytes: Uint8Array): string {
  try {
    const text = decoder.decode(bytes)
    JSON.parse(text)
    return text
  } catch {
    throw invalid(`default value of field ${name} is not valid JSON`)
  }
}

function checkLength({ maxLength }: Pick<FieldSchema, 'maxLength'>, value: string): void {
  const bytes = encoder.encode(value).length
  if (maxLength !== undefined && bytes > maxLength) throw invalid(`the length (${bytes}) of string exceeds max length (${maxLength})`)
}

function checkNumber(type: DataType, value: number): void {
  const range = ranges.get(type)
  if (range !== undefined && (value < -range || value >= range))
    throw invalid(`[${value}] out of range of ${dataTypeName(type)} [${-range}, ${range - 1}]`)
  if (!Number.isFinite(value)) throw invalid(`default value ${value} is not a finite number`)
}

/** The wire form that describe shows: Timestamptz as ISO text (Milvus). */
export function defaultToWire({ type, defaultValue: value }: Pick<FieldSchema, 'type' | 'defaultValue'>): Init<ValueField> | null {
  if (value === undefined) return null
  if (type === DataType.Timestamptz && typeof value === 'bigint') return { string_data: formatTimestamptz(value) }
  if (type === DataType.JSON && typeof value === 'string') return { bytes_data: encoder.encode(value) }
  const key = valueKeys.get(type)
  return key === undefined ? null : { [key]: value }
}
