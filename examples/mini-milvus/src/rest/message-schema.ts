/** Messages as JSON Schema, for the OpenAPI document: one component per type, named as in the protobuf files. */
import type protobuf from 'protobufjs/light.js'
import { fieldsOf } from './message-in.ts'
import { int64Schema, type JsonSchema } from './schemas.ts'

const seen = new Map<string, protobuf.Type>()

export function componentName(type: protobuf.Type): string {
  return type.fullName.replace(/^\.?milvus\.proto\./, '')
}

/** A reference; the type becomes a component. */
export function messageRef(type: protobuf.Type): JsonSchema {
  const name = componentName(type)
  if (!seen.has(name)) {
    seen.set(name, type)
    for (const field of type.fieldsArray) if (field.resolve().resolvedType instanceof Object && !isEnum(field)) messageRef(field.resolvedType as protobuf.Type)
  }
  return { $ref: `#/components/schemas/${name}` }
}

function isEnum(field: protobuf.Field): boolean {
  return field.resolvedType !== null && 'values' in field.resolvedType
}

/** Every type that a route names, and those within. */
export function messageComponents(): Readonly<Record<string, JsonSchema>> {
  return Object.fromEntries([...seen].map(([name, type]) => [name, { type: 'object', properties: Object.fromEntries(messageMembers(type)) }]))
}

export function messageMembers(type: protobuf.Type): ReadonlyMap<string, JsonSchema> {
  return new Map([...fieldsOf(type).values()].map((field) => [field.name, fieldSchema(field)]))
}

function fieldSchema(field: protobuf.Field): JsonSchema {
  const one = valueSchema(field)
  if (field.map) return { type: 'object', additionalProperties: one }
  return field.repeated ? { type: 'array', items: one } : one
}

function valueSchema(field: protobuf.Field): JsonSchema {
  const { resolvedType, type } = field
  if (resolvedType !== null) return isEnum(field) ? { type: ['integer', 'string'] } : messageRef(resolvedType as protobuf.Type)
  if (type === 'bytes') return { type: 'string', contentEncoding: 'base64' }
  if (type === 'bool') return { type: 'boolean' }
  if (type === 'string') return { type: 'string' }
  if (type === 'float' || type === 'double') return { type: 'number' }
  return type.includes('64') ? int64Schema : { type: 'integer', format: type.startsWith('u') ? 'uint32' : 'int32' }
}
