/**
 * Rows that live only for a time: `collection.ttl.seconds` counts from when a row was written, `ttl_field` names a Timestamptz field that
 * says until when (a null says for ever), both as in Milvus.
 */
import type { Column } from './column.ts'
import type { CollectionMeta } from './meta.ts'
import { DataType } from './schema.ts'

export const TTL_SECONDS = 'collection.ttl.seconds'
export const TTL_FIELD = 'ttl_field'

/** When the row expires, in milliseconds since 1970; Infinity for never. */
export type ExpiryOf = (row: number) => number

export interface ExpiryRule {
  /** Equal for equal rules. */
  readonly name: string
  expiryOf(timestamps: BigUint64Array, column: (fieldId: number) => Column | undefined): ExpiryOf
}

/** Undefined where rows live until they are deleted. */
export function expiryRule({ properties, schema }: Pick<CollectionMeta, 'properties' | 'schema'>): ExpiryRule | undefined {
  const field = schema.fields.find(({ name, type }) => name === properties[TTL_FIELD] && type === DataType.Timestamptz)
  if (field !== undefined) return { name: `${TTL_FIELD}=${field.id}`, expiryOf: (_timestamps, column) => byField(column(field.id)) }
  const seconds = Number(properties[TTL_SECONDS] ?? 0)
  if (!(seconds > 0)) return undefined
  return { name: `${TTL_SECONDS}=${seconds}`, expiryOf: (timestamps) => byAge(timestamps, seconds * 1000) }
}

/** Of a timestamp the upper 46 bits are milliseconds; they are read as two words, which costs less than a bigint per row. */
function byAge(timestamps: BigUint64Array, ttlMs: number): ExpiryOf {
  const words = new Uint32Array(timestamps.buffer, timestamps.byteOffset, timestamps.length * 2)
  return (row) => (words[row * 2 + 1] as number) * 16_384 + ((words[row * 2] as number) >>> 18) + ttlMs
}

function byField(column: Column | undefined): ExpiryOf {
  if (column?.kind !== 'int64') return () => Infinity
  const { valid, values } = column
  return (row) => (valid !== undefined && valid[row] === 0 ? Infinity : Number(values[row]) / 1000)
}
