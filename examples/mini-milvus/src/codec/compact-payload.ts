/** Payloads as results carry them, a value below each null, in the form in which inserts carry them: without. */
import type { RawField, RawPayload } from './raw-field.ts'

/** Vectors come without nulls anyway. */
export function withoutNullValues(field: RawField): RawField {
  const { valid, payload } = field
  if (valid === undefined || payload === undefined || !('length' in payload) || payload.length !== valid.length || !valid.includes(0)) return field
  const rows = Uint32Array.from(valid.keys()).filter((row) => valid[row] === 1)
  return { ...field, payload: picked(payload, rows) }
}

type Counted = Extract<RawPayload, { readonly length: number }>

function picked(payload: Counted, rows: Uint32Array): RawPayload {
  const { length } = rows
  switch (payload.member) {
    case 'bool':
      return { ...payload, length, values: Uint8Array.from(rows, (row) => payload.values[row] as number) }
    case 'int':
      return { ...payload, length, values: Int32Array.from(rows, (row) => payload.values[row] as number) }
    case 'long':
    case 'timestamptz':
      return { ...payload, length, values: BigInt64Array.from(Array.from(rows, (row) => payload.values[row] as bigint)) }
    case 'float':
    case 'double': {
      const size = payload.member === 'float' ? 4 : 8
      return { ...payload, length, data: joined(Array.from(rows, (row) => payload.data.subarray(row * size, row * size + size))).data }
    }
    case 'string':
    case 'wkt':
    case 'json':
      return { ...payload, length, ...joined(Array.from(rows, (row) => payload.data.subarray(payload.offsets[row], payload.offsets[row + 1]))) }
    case 'array':
    case 'vector_array':
      return { ...payload, length, rows: Array.from(rows, (row) => payload.rows[row]) }
  }
}

function joined(parts: readonly Uint8Array[]): { readonly offsets: Uint32Array; readonly data: Uint8Array } {
  const offsets = new Uint32Array(parts.length + 1)
  parts.forEach((part, row) => (offsets[row + 1] = (offsets[row] as number) + part.length))
  const data = new Uint8Array(offsets[parts.length] as number)
  parts.forEach((part, row) => data.set(part, offsets[row]))
  return { offsets, data }
}
