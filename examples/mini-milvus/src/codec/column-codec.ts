/**
 * Rows as bytes, for the body of insert and delete messages in the log.
 *
 * Little-endian. Header: magic u32, version u16, columns u16, rows u32, 0 u32. Then per column a head of 24 bytes
 * (field id u32, kind u8, type u8, element type u8, flags u8, dim u32, bytes per row u32, payloads' length u64; of lists: their
 * elements, and the dimensions of a vector among them), then its
 * payloads, each padded to 8 bytes: validity, then values, or offsets and data. Payloads are aligned to 8 bytes from the
 * start of the body, so that an aligned body is read without a copy.
 */
import type { ArrayColumn, Column, NumberColumn, RowBatch, VectorColumn } from '../model/column.ts'
import { DataType, vectorBytes } from '../model/schema.ts'

const MAGIC = 0x4c4f4354
const VERSION = 1
const HEADER = 16
const COLUMN_HEAD = 24
const HAS_VALID = 1
const kinds = ['bool', 'number', 'int64', 'string', 'json', 'array', 'vector', 'sparse', 'vectors'] as const

/** @param columns all of `length` rows */
export function encodeColumns(columns: ReadonlyMap<number, Column>, length: number): Uint8Array {
  const parts = [...columns].map(([fieldId, column]) => ({ fieldId, column, payloads: payloadsOf(column) }))
  const size = parts.reduce((sum, { payloads }) => sum + COLUMN_HEAD + payloadBytes(payloads), HEADER)
  const bytes = new Uint8Array(size)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, MAGIC, true)
  view.setUint16(4, VERSION, true)
  view.setUint16(6, parts.length, true)
  view.setUint32(8, length, true)
  let at = HEADER
  for (const { fieldId, column, payloads } of parts) {
    view.setUint32(at, fieldId, true)
    view.setUint8(at + 4, kinds.indexOf(column.kind))
    view.setUint8(at + 5, column.type)
    view.setUint8(at + 6, 'elementType' in column ? column.elementType : 0)
    view.setUint8(at + 7, column.valid === undefined ? 0 : HAS_VALID)
    view.setUint32(at + 8, column.kind === 'vector' ? column.dim : 'elements' in column ? column.elements.length : 0, true)
    view.setUint32(at + 12, column.kind === 'vector' ? column.bytesPerRow : column.kind === 'vectors' ? column.elements.dim : 0, true)
    view.setBigUint64(at + 16, BigInt(payloadBytes(payloads)), true)
    at += COLUMN_HEAD
    for (const payload of payloads) {
      bytes.set(payload, at)
      at += padded(payload.length)
    }
  }
  return bytes
}

/** Columns over the bytes: views where they are aligned, which keep `bytes` alive. Throws for bytes that are no such body. */
export function decodeColumns(bytes: Uint8Array): RowBatch {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < HEADER || view.getUint32(0, true) !== MAGIC) throw new Error('expected the body of a row message, got other bytes')
  const version = view.getUint16(4, true)
  if (version !== VERSION) throw new Error(`expected a row message of version ${VERSION}, got ${version}`)
  const count = view.getUint16(6, true)
  const length = view.getUint32(8, true)
  const columns = new Map<number, Column>()
  let at = HEADER
  for (let index = 0; index < count; index++) {
    if (at + COLUMN_HEAD > bytes.length) throw new Error('a row message ends in the head of a column')
    const end = at + COLUMN_HEAD + Number(view.getBigUint64(at + 16, true))
    if (end > bytes.length) throw new Error('a row message ends in a column')
    columns.set(view.getUint32(at, true), readColumn(new PayloadReader(bytes, at + COLUMN_HEAD, end), view, at, length))
    at = end
  }
  return { length, columns }
}

function readColumn(reader: PayloadReader, view: DataView, at: number, length: number): Column {
  const kind = kinds[view.getUint8(at + 4)]
  const type = view.getUint8(at + 5) as DataType
  const elementType = view.getUint8(at + 6) as DataType
  const valid = (view.getUint8(at + 7) & HAS_VALID) === 0 ? undefined : reader.bytes(length)
  const base = { type, length, valid }
  switch (kind) {
    case 'bool':
      return { ...base, kind, values: reader.bytes(length) }
    case 'number':
      return { ...base, kind, values: reader.numbers(type, length) }
    case 'int64':
      return { ...base, kind, values: reader.int64(length) }
    case 'string':
    case 'json':
    case 'sparse': {
      const offsets = reader.offsets(length)
      return { ...base, kind, offsets, data: reader.bytes(offsets[length] as number) }
    }
    case 'array': {
      const offsets = reader.offsets(length)
      const count = view.getUint32(at + 8, true)
      if ((offsets[length] as number) > count) throw new Error('a row message has arrays that end behind their elements')
      return { ...base, kind, elementType, offsets, elements: readElements(reader, elementType, count) }
    }
    case 'vectors': {
      const offsets = reader.offsets(length)
      const count = view.getUint32(at + 8, true)
      if ((offsets[length] as number) > count) throw new Error('a row message has lists that end behind their vectors')
      return { ...base, kind, elementType, offsets, elements: readVectors(reader, elementType, view.getUint32(at + 12, true), count) }
    }
    case 'vector': {
      const bytesPerRow = view.getUint32(at + 12, true)
      return { ...base, kind, dim: view.getUint32(at + 8, true), bytesPerRow, data: reader.bytes(length * bytesPerRow) }
    }
    default:
      throw new Error('a row message has a column of unknown kind')
  }
}

function readElements(reader: PayloadReader, type: DataType, length: number): ArrayColumn['elements'] {
  const base = { type, length, valid: undefined }
  switch (type) {
    case DataType.Bool:
      return { ...base, kind: 'bool', values: reader.bytes(length) }
    case DataType.Int64:
      return { ...base, kind: 'int64', values: reader.int64(length) }
    case DataType.VarChar:
    case DataType.String: {
      const offsets = reader.offsets(length)
      return { ...base, kind: 'string', offsets, data: reader.bytes(offsets[length] as number) }
    }
    default:
      return { ...base, kind: 'number', values: reader.numbers(type, length) }
  }
}

function readVectors(reader: PayloadReader, type: DataType, dim: number, length: number): VectorColumn {
  const bytesPerRow = vectorBytes(type, dim)
  return { kind: 'vector', type, length, valid: undefined, dim, bytesPerRow, data: reader.bytes(length * bytesPerRow) }
}

/** Reads a column's payloads one after the other, and nothing beyond its end. */
class PayloadReader {
  readonly #bytes: Uint8Array
  readonly #end: number
  #at: number

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
  }

  bytes(length: number): Uint8Array {
    const start = this.#at
    if (start + length > this.#end) throw new Error('a row message ends in the payload of a column')
    this.#at = start + padded(length)
    return this.#bytes.subarray(start, start + length)
  }

  int64(length: number): BigInt64Array {
    const bytes = this.#aligned(length, 8)
    return new BigInt64Array(bytes.buffer, bytes.byteOffset, length)
  }

  offsets(length: number): Uint32Array {
    const bytes = this.#aligned(length + 1, 4)
    const offsets = new Uint32Array(bytes.buffer, bytes.byteOffset, length + 1)
    for (let row = 0; row < length; row++) {
      if ((offsets[row] as number) > (offsets[row + 1] as number)) throw new Error('a row message has offsets that fall')
    }
    return offsets
  }

  numbers(type: DataType, length: number): NumberColumn['values'] {
    switch (type) {
      case DataType.Int8: {
        const bytes = this.#aligned(length, 1)
        return new Int8Array(bytes.buffer, bytes.byteOffset, length)
      }
      case DataType.Int16: {
        const bytes = this.#aligned(length, 2)
        return new Int16Array(bytes.buffer, bytes.byteOffset, length)
      }
      case DataType.Float: {
        const bytes = this.#aligned(length, 4)
        return new Float32Array(bytes.buffer, bytes.byteOffset, length)
      }
      case DataType.Double: {
        const bytes = this.#aligned(length, 8)
        return new Float64Array(bytes.buffer, bytes.byteOffset, length)
      }
      case DataType.Int32: {
        const bytes = this.#aligned(length, 4)
        return new Int32Array(bytes.buffer, bytes.byteOffset, length)
      }
      default:
        throw new Error(`a row message has numbers of type ${type}`)
    }
  }

  #aligned(length: number, size: number): Uint8Array {
    const bytes = this.bytes(length * size)
    return bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes)
  }
}

function payloadsOf(column: Column): Uint8Array[] {
  const valid = column.valid === undefined ? [] : [column.valid.subarray(0, column.length)]
  return [...valid, ...valuesOf(column)]
}

function valuesOf(column: Column): Uint8Array[] {
  const { length } = column
  switch (column.kind) {
    case 'bool':
      return [column.values.subarray(0, length)]
    case 'number':
    case 'int64':
      return [raw(column.values, length)]
    case 'string':
    case 'json':
    case 'sparse':
      return textPayloads(column.offsets, column.data, length)
    case 'array':
    case 'vectors':
      return [raw(column.offsets, length + 1), ...valuesOf(column.elements)]
    case 'vector':
      return [column.data.subarray(0, length * column.bytesPerRow)]
  }
}

/** Offsets from zero, whatever the column's begin at. */
function textPayloads(offsets: Uint32Array, data: Uint8Array, length: number): Uint8Array[] {
  const start = offsets[0] as number
  const own = start === 0 ? offsets : offsets.map((offset) => offset - start)
  return [raw(own, length + 1), data.subarray(start, offsets[length])]
}

function raw(values: NumberColumn['values'] | BigInt64Array | Uint32Array, length: number): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, length * values.BYTES_PER_ELEMENT)
}

function payloadBytes(payloads: readonly Uint8Array[]): number {
  return payloads.reduce((sum, payload) => sum + padded(payload.length), 0)
}

function padded(length: number): number {
  return (length + 7) & ~7
}
