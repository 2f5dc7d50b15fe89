/** FieldData as it lies on the wire: payloads by their oneof member, compact (without nulls), not yet held against a schema. */
import { isUtf8 } from 'node:buffer'
import { DELIMITED, FIXED32, FIXED64, malformed, VARINT, type ProtoReader } from './proto-reader.ts'

export type RawPayload =
  | { readonly member: 'bool'; readonly length: number; readonly values: Uint8Array }
  | { readonly member: 'int'; readonly length: number; readonly values: Int32Array }
  | { readonly member: 'long' | 'timestamptz'; readonly length: number; readonly values: BigInt64Array }
  /** Packed little-endian. */
  | { readonly member: 'float' | 'double'; readonly length: number; readonly data: Uint8Array }
  /** Row i is `data[offsets[i] .. offsets[i + 1])`; strings are valid UTF-8. */
  | { readonly member: 'string' | 'wkt' | 'json'; readonly length: number; readonly offsets: Uint32Array; readonly data: Uint8Array }
  | { readonly member: 'array'; readonly length: number; readonly elementType: number; readonly rows: readonly (RawPayload | undefined)[] }
  /** Lists of vectors. */
  | { readonly member: 'vector_array'; readonly length: number; readonly elementType: number; readonly rows: readonly (RawPayload | undefined)[] }
  | { readonly member: VectorMember; readonly dim: number; readonly data: Uint8Array }
  /** One piece of bytes a row. */
  | { readonly member: 'sparse_float_vector'; readonly rows: readonly Uint8Array[] }
  | { readonly member: 'unsupported'; readonly what: string }

export type VectorMember = 'float_vector' | 'binary_vector' | 'float16_vector' | 'bfloat16_vector' | 'int8_vector'

export interface RawField {
  readonly name: string
  readonly type: number
  readonly isDynamic: boolean
  readonly valid: Uint8Array | undefined
  /** Undefined where the message holds none: no rows, or nulls only. */
  readonly payload: RawPayload | undefined
  /** Of an array of structs, instead of a payload. */
  readonly subFields?: readonly RawField[] | undefined
}

/** @param depth 1 within an array of structs */
export function readField(reader: ProtoReader, depth = 0): RawField {
  let name = ''
  let type = 0
  let isDynamic = false
  let payload: RawPayload | undefined
  let subFields: readonly RawField[] | undefined
  const valid: Uint8Array[] = []
  while (!reader.done) {
    const tag = reader.varint()
    switch (tag) {
      case 0x08:
        type = reader.varint()
        break
      case 0x12:
        name = reader.string()
        break
      case 0x1a:
        payload = readScalars(reader.message(), valid, 0)
        break
      case 0x22:
        payload = readVectors(reader.message(), valid, 0)
        break
      case 0x30:
        isDynamic = reader.varint() !== 0
        break
      case 0x38:
      case 0x3a:
        valid.push(readBools(reader, tag & 7))
        break
      case 0x42:
        subFields = readSubFields(reader.message(), depth)
        break
      default:
        reader.skip(tag & 7)
    }
  }
  const field = { name, type, isDynamic, payload, valid: valid.length === 0 ? undefined : joinBytes(valid) }
  return subFields === undefined ? field : { ...field, subFields }
}

function readSubFields(reader: ProtoReader, depth: number): readonly RawField[] {
  if (depth > 0) throw malformed('structs within structs')
  const fields: RawField[] = []
  while (!reader.done) {
    const tag = reader.varint()
    if (tag === 0x0a) fields.push(readField(reader.message(), depth + 1))
    else reader.skip(tag & 7)
  }
  return fields
}

const UNSUPPORTED_SCALARS: ReadonlyMap<number, string> = new Map([
  [7, 'bytes_data'], [10, 'geometry_data (WKB)'], [13, 'mol_data'], [14, 'mol_smiles_data'], [15, 'date_data'], [16, 'time_data'],
])

function readScalars(reader: ProtoReader, valid: Uint8Array[], depth: number): RawPayload | undefined {
  let payload: RawPayload | undefined
  while (!reader.done) {
    const tag = reader.varint()
    const member = tag >>> 3
    if (member === 17) valid.push(readBools(reader, tag & 7))
    else if ((tag & 7) !== DELIMITED || member === 0 || member > 16) reader.skip(tag & 7)
    else payload = readMember(member, reader.message(), depth)
  }
  return payload
}

function readMember(member: number, reader: ProtoReader, depth: number): RawPayload {
  switch (member) {
    case 1: {
      const values = readAll(reader, readBools)
      return { member: 'bool', length: values.length, values }
    }
    case 2: {
      const values = readInts(reader)
      return { member: 'int', length: values.length, values }
    }
    case 3:
    case 11: {
      const values = readLongs(reader)
      return { member: member === 3 ? 'long' : 'timestamptz', length: values.length, values }
    }
    case 4: {
      const data = readAll(reader, (inner, wireType) => readFixed(inner, wireType, FIXED32, 4))
      return { member: 'float', length: data.length / 4, data }
    }
    case 5: {
      const data = readAll(reader, (inner, wireType) => readFixed(inner, wireType, FIXED64, 8))
      return { member: 'double', length: data.length / 8, data }
    }
    case 6:
      return readTexts(reader, 'string')
    case 9:
      return readTexts(reader, 'json')
    case 12:
      return readTexts(reader, 'wkt')
    case 8:
      if (depth > 0) return { member: 'unsupported', what: 'arrays of arrays' }
      return readArrays(reader)
    default:
      return { member: 'unsupported', what: UNSUPPORTED_SCALARS.get(member) ?? `member ${member}` }
  }
}

/** Field 1 of a message of one repeated field, packed or not, in as many pieces as it comes. */
function readAll(reader: ProtoReader, readPiece: (reader: ProtoReader, wireType: number) => Uint8Array): Uint8Array {
  const pieces: Uint8Array[] = []
  while (!reader.done) {
    const tag = reader.varint()
    if (tag >>> 3 === 1) pieces.push(readPiece(reader, tag & 7))
    else reader.skip(tag & 7)
  }
  return joinBytes(pieces)
}

function joinBytes(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces
  if (first === undefined) return new Uint8Array(0)
  if (pieces.length === 1) return first
  const joined = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    joined.set(piece, at)
    at += piece.length
  }
  return joined
}

function readBools(reader: ProtoReader, wireType: number): Uint8Array {
  if (wireType === VARINT) return Uint8Array.of(reader.varint() === 0 ? 0 : 1)
  if (wireType !== DELIMITED) throw malformed('a bool of another wire type')
  const inner = reader.message()
  const values = new Uint8Array(inner.countVarints())
  for (let i = 0; !inner.done; i++) values[i] = inner.varint() === 0 ? 0 : 1
  return values
}

function readFixed(reader: ProtoReader, wireType: number, single: number, size: number): Uint8Array {
  if (wireType === single) return reader.fixed(size)
  if (wireType !== DELIMITED) throw malformed('a float of another wire type')
  const bytes = reader.bytes()
  if (bytes.length % size !== 0) throw malformed('packed floats are cut short')
  return bytes
}

function readInts(reader: ProtoReader): Int32Array {
  const bytes = readAll(reader, (inner, wireType) => {
    if (wireType !== VARINT && wireType !== DELIMITED) throw malformed('an integer of another wire type')
    const source = wireType === VARINT ? undefined : inner.message()
    const values = new Int32Array(source === undefined ? 1 : source.countVarints())
    if (source === undefined) values[0] = inner.varint()
    else for (let i = 0; !source.done; i++) values[i] = source.varint()
    return new Uint8Array(values.buffer)
  })
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
}

function readLongs(reader: ProtoReader): BigInt64Array {
  const bytes = readAll(reader, (inner, wireType) => {
    if (wireType !== VARINT && wireType !== DELIMITED) throw malformed('an integer of another wire type')
    const source = wireType === VARINT ? undefined : inner.message()
    const words = new Int32Array((source === undefined ? 1 : source.countVarints()) * 2)
    if (source === undefined) inner.words(words, 0)
    else for (let at = 0; !source.done; at += 2) source.words(words, at)
    return new Uint8Array(words.buffer)
  })
  return new BigInt64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8)
}

function readTexts(reader: ProtoReader, member: 'string' | 'json' | 'wkt'): RawPayload {
  const rows: Uint8Array[] = []
  while (!reader.done) {
    const tag = reader.varint()
    if (tag === 0x0a) rows.push(reader.bytes())
    else reader.skip(tag & 7)
  }
  const offsets = new Uint32Array(rows.length + 1)
  let size = 0
  rows.forEach((row, i) => (offsets[i + 1] = size += row.length))
  const data = new Uint8Array(size)
  rows.forEach((row, i) => data.set(row, offsets[i]))
  // JSON is bytes on the wire, and read as text all the same. A row that begins inside of a character is not UTF-8, though the whole may be.
  if (!isUtf8(data) || rows.some((row) => row.length > 0 && ((row[0] as number) & 0xc0) === 0x80)) throw malformed('a string is not UTF-8')
  return { member, length: rows.length, offsets, data }
}

function readArrays(reader: ProtoReader): RawPayload {
  const rows: (RawPayload | undefined)[] = []
  let elementType = 0
  while (!reader.done) {
    const tag = reader.varint()
    if (tag === 0x0a) rows.push(readScalars(reader.message(), [], 1))
    else if (tag === 0x10) elementType = reader.varint()
    else reader.skip(tag & 7)
  }
  return { member: 'array', length: rows.length, elementType, rows }
}

const VECTOR_MEMBERS: ReadonlyMap<number, VectorMember> = new Map([
  [2, 'float_vector'], [3, 'binary_vector'], [4, 'float16_vector'], [5, 'bfloat16_vector'], [7, 'int8_vector'],
])

function readVectors(reader: ProtoReader, valid: Uint8Array[], depth: number): RawPayload | undefined {
  let dim = 0
  let found: { member: VectorMember; data: Uint8Array } | undefined
  let sparse: Uint8Array[] | undefined
  let lists: RawPayload | undefined
  while (!reader.done) {
    const tag = reader.varint()
    const field = tag >>> 3
    const member = VECTOR_MEMBERS.get(field)
    if (tag === 0x08) dim = reader.varint()
    else if (field === 9) valid.push(readBools(reader, tag & 7))
    else if ((tag & 7) !== DELIMITED) reader.skip(tag & 7)
    else if (field === 8) lists = readVectorLists(reader.message(), depth)
    else if (field === 6) sparse = readSparse(reader.message(), sparse)
    else if (member !== undefined) {
      const data = member === 'float_vector' ? readAll(reader.message(), (inner, wireType) => readFixed(inner, wireType, FIXED32, 4)) : reader.bytes()
      found = { member, data }
    } else reader.skip(tag & 7)
  }
  if (lists !== undefined) return lists
  if (sparse !== undefined) return { member: 'sparse_float_vector', rows: sparse }
  return found === undefined ? undefined : { ...found, dim }
}

function readVectorLists(reader: ProtoReader, depth: number): RawPayload {
  if (depth > 0) throw malformed('lists of lists of vectors')
  const rows: (RawPayload | undefined)[] = []
  let elementType = 0
  while (!reader.done) {
    const tag = reader.varint()
    if (tag === 0x12) rows.push(readVectors(reader.message(), [], depth + 1))
    else if (tag === 0x18) elementType = reader.varint()
    else reader.skip(tag & 7)
  }
  return { member: 'vector_array', length: rows.length, elementType, rows }
}

function readSparse(reader: ProtoReader, before: readonly Uint8Array[] = []): Uint8Array[] {
  const rows = [...before]
  while (!reader.done) {
    const tag = reader.varint()
    if (tag === 0x0a) rows.push(reader.bytes())
    else reader.skip(tag & 7)
  }
  return rows
}
