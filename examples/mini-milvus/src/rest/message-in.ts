/**
 * JSON to a message of any type, as protobuf's own JSON mapping reads it and more: names in snake_case or camelCase, enums by number or
 * name, int64 as number or text, bytes in base64, key-value lists also as an object, text for numbers (path and query have only text).
 */
import type protobuf from 'protobufjs/light.js'
import { asText, isObject, type JsonObject } from './body.ts'
import { invalidParameter } from './errors.ts'

type Field = protobuf.Field

const fieldsByName = new WeakMap<protobuf.Type, ReadonlyMap<string, Field>>()

function plain(name: string): string {
  return name.replaceAll('_', '').toLowerCase()
}

export function fieldsOf(type: protobuf.Type): ReadonlyMap<string, Field> {
  let fields = fieldsByName.get(type)
  if (fields === undefined) {
    fields = new Map(type.fieldsArray.map((field) => [plain(field.name), field.resolve()]))
    fieldsByName.set(type, fields)
  }
  return fields
}

/** What the type has no field for is not read. Throws RestError 1803. */
export function fillMessage(type: protobuf.Type, values: JsonObject, at: string): Record<string, unknown> {
  const fields = fieldsOf(type)
  const message: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(values)) {
    const field = fields.get(plain(name))
    if (field === undefined || value === undefined || value === null) continue
    message[field.name] = fieldValue(field, value, at === '' ? name : `${at}.${name}`)
  }
  return message
}

function fieldValue(field: Field, value: unknown, at: string): unknown {
  if (field.map) {
    if (!isObject(value)) throw invalidParameter(at, 'an object')
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, oneValue(field, item, `${at}.${key}`)]))
  }
  if (!field.repeated) return oneValue(field, value, at)
  if (field.resolvedType?.name === 'KeyValuePair' && isObject(value)) return Object.entries(value).map(([key, item]) => ({ key, value: asText(item) }))
  const items = Array.isArray(value) ? (value as readonly unknown[]) : [value]
  return items.map((item, i) => oneValue(field, item, `${at}[${i}]`))
}

function oneValue(field: Field, value: unknown, at: string): unknown {
  const { resolvedType } = field
  if (resolvedType !== null && 'values' in resolvedType) return enumValue(resolvedType, value, at)
  if (resolvedType !== null) {
    if (!isObject(value)) throw invalidParameter(at, 'an object')
    return fillMessage(resolvedType, value, at)
  }
  switch (field.type) {
    case 'string':
      return stringValue(value, at)
    case 'bool':
      if (typeof value === 'boolean') return value
      if (value === 'true' || value === 'false') return value === 'true'
      throw invalidParameter(at, 'a boolean')
    case 'bytes':
      if (typeof value !== 'string') throw invalidParameter(at, 'bytes in base64')
      return Buffer.from(value, 'base64')
    case 'float':
    case 'double':
      return numberValue(value, at)
    case 'int64':
    case 'uint64':
    case 'sint64':
    case 'fixed64':
    case 'sfixed64':
      return int64Value(value, field.type.includes('u') || field.type === 'fixed64', at)
    default:
      return int32Value(value, field.type.startsWith('u'), at)
  }
}

/** Numbers and objects become their text: params and metric requests are JSON in text. */
function stringValue(value: unknown, at: string): string {
  if (typeof value === 'string') return value
  if (typeof value === 'object' || typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return asText(value)
  throw invalidParameter(at, 'a string')
}

function enumValue(type: protobuf.Enum, value: unknown, at: string): number {
  const known = typeof value === 'string' && Object.hasOwn(type.values, value) ? type.values[value] : undefined
  return known ?? int32Value(value, false, at)
}

function numberValue(value: unknown, at: string): number {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : typeof value === 'bigint' ? Number(value) : value
  if (typeof number !== 'number' || Number.isNaN(number)) throw invalidParameter(at, 'a number')
  return number
}

function int32Value(value: unknown, unsigned: boolean, at: string): number {
  const number = numberValue(value, at)
  const [least, beyond] = unsigned ? [0, 2 ** 32] : [-(2 ** 31), 2 ** 31]
  if (!Number.isInteger(number) || number < least || number >= beyond) throw invalidParameter(at, `an integer in ${least}..${beyond - 1}`)
  return number
}

function int64Value(value: unknown, unsigned: boolean, at: string): bigint {
  const ok = typeof value === 'bigint' || Number.isSafeInteger(value) || (typeof value === 'string' && /^-?\d{1,20}$/.test(value))
  const integer = ok ? BigInt(value as string) : undefined
  const [least, beyond] = unsigned ? [0n, 2n ** 64n] : [-(2n ** 63n), 2n ** 63n]
  if (integer === undefined || integer < least || integer >= beyond) throw invalidParameter(at, 'a 64-bit integer, as number or decimal text')
  return integer
}
