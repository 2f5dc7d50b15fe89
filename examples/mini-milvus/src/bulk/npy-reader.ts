/** NumPy: one `.npy` file a field, named after it, all of one length. */
import { isUtf8 } from 'node:buffer'
import type { RawField, RawPayload, VectorMember } from '../codec/raw-field.ts'
import { toFloat16 } from '../codec/half.ts'
import { toRowBatch } from '../codec/row-batch.ts'
import { DataType, dataTypeName, isVectorType, vectorBytes, type FieldSchema } from '../model/schema.ts'
import { ImportError, ofFile } from './errors.ts'
import { MAX_HEADER_BYTES, type NpyHeader, parseNpyHeader } from './npy-header.ts'
import { BATCH_BYTES, BATCH_ROWS, type BatchOfFile, type FileReader, type ReadOptions } from './reader.ts'
import type { BulkFile } from './source.ts'

interface NpyColumn {
  readonly file: BulkFile
  readonly field: FieldSchema
  readonly header: NpyHeader
  readonly rowBytes: number
}

export async function openNpyFiles(files: readonly BulkFile[], options: ReadOptions): Promise<FileReader> {
  const columns: NpyColumn[] = []
  for (const file of files) columns.push(await openColumn(file, options))
  const [first] = columns
  if (first === undefined) throw new ImportError('expected at least one .npy file')
  const totalRows = first.header.shape[0] as number
  for (const { file, header, field } of columns) {
    if (header.shape[0] !== totalRows) throw new ImportError(`${file.path}: has ${header.shape[0]} rows, but ${first.file.path} has ${totalRows}`)
    if (columns.some((other) => other.field === field && other.file !== file)) throw new ImportError(`${file.path}: another file gives field ${field.name}, too`)
  }
  const rowBytes = columns.reduce((sum, column) => sum + column.rowBytes, 0)
  const step = Math.max(1, Math.min(BATCH_ROWS, Math.floor(BATCH_BYTES / Math.max(1, rowBytes))))
  return { totalRows, batches: (firstRow) => batches(columns, options, totalRows, firstRow, step) }
}

async function openColumn(file: BulkFile, { schema }: ReadOptions): Promise<NpyColumn> {
  try {
    const name = (file.path.split('/').at(-1) ?? '').replace(/\.npy$/i, '')
    const field = schema.fields.find((candidate) => candidate.name === name)
    if (field === undefined) throw new ImportError(`expected a file that is named after a field, and the collection has no field ${JSON.stringify(name.slice(0, 64))}`)
    const header = parseNpyHeader(await file.read(0, Math.min(file.bytes, MAX_HEADER_BYTES + 12)), file.bytes)
    checkType(field, header)
    return { file, field, header, rowBytes: header.shape.slice(1).reduce((product, length) => product * length, header.itemBytes) }
  } catch (error) {
    throw ofFile(error, file.path, 0)
  }
}

async function* batches(columns: readonly NpyColumn[], { schema, allowInsertAutoId }: ReadOptions, total: number, from: number, step: number): AsyncGenerator<BatchOfFile, void, undefined> {
  for (let firstRow = from; firstRow < total; firstRow += step) {
    const rows = Math.min(step, total - firstRow)
    const fields: RawField[] = []
    for (const column of columns) fields.push(await readField(column, firstRow, rows))
    try {
      const batch = toRowBatch({ dbName: '', collectionName: schema.name, partitionName: '', numRows: rows, schemaTimestamp: 0n, fields }, schema, { allowInsertAutoId })
      yield { batch, firstRow, read: (firstRow + rows) / total }
    } catch (error) {
      throw ofFile(error, (columns[0] as NpyColumn).file.path.replace(/[^/]*$/, '*.npy'), firstRow)
    }
  }
}

async function readField({ file, field, header, rowBytes }: NpyColumn, firstRow: number, rows: number): Promise<RawField> {
  const bytes = aligned(await file.read(header.dataOffset + firstRow * rowBytes, rows * rowBytes))
  const payload = isVectorType(field.type) ? vectorPayload(field, header, bytes) : scalarPayload(field, header, bytes, rows)
  return { name: field.name, type: field.type, isDynamic: field.isDynamic, valid: undefined, payload }
}

/** A copy that begins at a multiple of eight, unless it does so already. */
function aligned(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset % 8 === 0 ? bytes : bytes.slice()
}

const INTEGERS = ['i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4']
const VECTORS: ReadonlyMap<DataType, readonly [member: VectorMember, types: readonly string[]]> = new Map([
  [DataType.FloatVector, ['float_vector', ['f4', 'f8']]],
  [DataType.BinaryVector, ['binary_vector', ['u1']]],
  [DataType.Float16Vector, ['float16_vector', ['f2', 'u1', 'f4', 'f8']]],
  [DataType.BFloat16Vector, ['bfloat16_vector', ['u1', 'u2']]],
  [DataType.Int8Vector, ['int8_vector', ['i1']]],
])

function typesOf(field: FieldSchema): readonly string[] {
  switch (field.type) {
    case DataType.Bool:
      return ['b1']
    case DataType.Int8:
    case DataType.Int16:
    case DataType.Int32:
    case DataType.Int64:
      return INTEGERS
    case DataType.Float:
    case DataType.Double:
      return ['f4', 'f8']
    case DataType.VarChar:
    case DataType.String:
    case DataType.Text:
    case DataType.Geometry:
    case DataType.Timestamptz:
    case DataType.JSON:
      return ['U', 'S']
    default:
      return VECTORS.get(field.type)?.[1] ?? []
  }
}

function checkType(field: FieldSchema, { type, shape, itemBytes }: NpyHeader): void {
  const types = typesOf(field)
  const isText = types.includes('U')
  if (!types.includes(isText ? type.charAt(0) : type)) {
    const wanted = types.length === 0 ? 'a format other than NumPy' : `one of the types ${types.join(', ')}`
    throw new ImportError(`field ${field.name}: expected ${wanted} for ${dataTypeName(field.type)}, got ${type}`)
  }
  if (!isVectorType(field.type)) {
    if (shape.length !== 1) throw new ImportError(`field ${field.name}: expected one dimension, got ${shape.join(' x ')}`)
    return
  }
  const isBytes = type === 'u1' || type === 'u2'
  const wanted = isBytes ? vectorBytes(field.type, field.dim ?? 0) / itemBytes : (field.dim ?? 0)
  if (shape.length !== 2 || shape[1] !== wanted) {
    throw new ImportError(`field ${field.name}: expected rows of ${wanted} items for dim ${field.dim ?? 0}, got ${shape.join(' x ')}`)
  }
}

function vectorPayload(field: FieldSchema, { type }: NpyHeader, bytes: Uint8Array): RawPayload {
  const member = VECTORS.get(field.type)?.[0]
  if (member === undefined) throw new ImportError(`field ${field.name}: ${dataTypeName(field.type)} cannot come from NumPy`)
  const dim = field.dim ?? 0
  if (field.type === DataType.FloatVector && type === 'f8') return { member, dim, data: bytesOf(Float32Array.from(numbersOf(type, bytes) as Float64Array)) }
  if (field.type === DataType.Float16Vector && (type === 'f4' || type === 'f8')) {
    return { member, dim, data: bytesOf(Uint16Array.from(numbersOf(type, bytes) as Float64Array, toFloat16)) }
  }
  return { member, dim, data: bytes }
}

function scalarPayload(field: FieldSchema, { type, itemBytes }: NpyHeader, bytes: Uint8Array, length: number): RawPayload {
  switch (field.type) {
    case DataType.Bool:
      return { member: 'bool', length, values: bytes.map((byte) => (byte === 0 ? 0 : 1)) }
    case DataType.Int64: {
      const values = numbersOf(type, bytes)
      return { member: 'long', length, values: values instanceof BigInt64Array ? values : BigInt64Array.from(values, BigInt) }
    }
    case DataType.Int8:
    case DataType.Int16:
    case DataType.Int32:
      return { member: 'int', length, values: Int32Array.from(numbersOf(type, bytes) as ArrayLike<number | bigint>, (value, row) => int32(field, value, row)) }
    case DataType.Float:
      return { member: 'float', length, data: bytesOf(Float32Array.from(numbersOf(type, bytes) as Float64Array)) }
    case DataType.Double:
      return { member: 'double', length, data: bytesOf(Float64Array.from(numbersOf(type, bytes) as Float64Array)) }
    default:
      return textPayload(field, type, itemBytes, bytes, length)
  }
}

function int32(field: FieldSchema, value: number | bigint, row: number): number {
  if (typeof value === 'bigint' ? BigInt.asIntN(32, value) !== value : (value | 0) !== value) {
    throw new ImportError(`field ${field.name}: ${value} is out of the range of ${dataTypeName(field.type)}, row number: ${row}`)
  }
  return Number(value)
}

function numbersOf(type: string, { buffer, byteOffset, byteLength }: Uint8Array): Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | BigInt64Array | Float32Array | Float64Array {
  switch (type) {
    case 'i1':
      return new Int8Array(buffer, byteOffset, byteLength)
    case 'u1':
      return new Uint8Array(buffer, byteOffset, byteLength)
    case 'i2':
      return new Int16Array(buffer, byteOffset, byteLength / 2)
    case 'u2':
      return new Uint16Array(buffer, byteOffset, byteLength / 2)
    case 'i4':
      return new Int32Array(buffer, byteOffset, byteLength / 4)
    case 'u4':
      return new Uint32Array(buffer, byteOffset, byteLength / 4)
    case 'i8':
      return new BigInt64Array(buffer, byteOffset, byteLength / 8)
    case 'f4':
      return new Float32Array(buffer, byteOffset, byteLength / 4)
    case 'f8':
      return new Float64Array(buffer, byteOffset, byteLength / 8)
    default:
      throw new ImportError(`items of type ${type} are not read`)
  }
}

/** Fixed-size texts: UTF-32 (`U`) or bytes (`S`), filled up with zeros. */
function textPayload(field: FieldSchema, type: string, itemBytes: number, bytes: Uint8Array, length: number): RawPayload {
  const encoder = new TextEncoder()
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const texts = Array.from({ length }, (_, row) => {
    const start = row * itemBytes
    if (type.startsWith('S')) {
      let end = start + itemBytes
      while (end > start && bytes[end - 1] === 0) end--
      return bytes.subarray(start, end)
    }
    const points: number[] = []
    for (let at = start; at < start + itemBytes; at += 4) points.push(view.getUint32(at, true))
    while (points.at(-1) === 0) points.pop()
    if (points.some((point) => point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))) throw new ImportError(`field ${field.name}: a text is no Unicode, row number: ${row}`)
    return encoder.encode(points.map((point) => String.fromCodePoint(point)).join(''))
  })
  return joinTexts(field, texts)
}

/** Texts as the payload of their field; checked to be UTF-8. */
export function joinTexts(field: FieldSchema, texts: readonly Uint8Array[]): RawPayload {
  const offsets = new Uint32Array(texts.length + 1)
  texts.forEach((text, row) => (offsets[row + 1] = (offsets[row] as number) + text.length))
  const data = new Uint8Array(offsets[texts.length] as number)
  texts.forEach((text, row) => {
    if (!isUtf8(text)) throw new ImportError(`field ${field.name}: a text is not UTF-8, row number: ${row}`)
    data.set(text, offsets[row])
  })
  return { member: field.type === DataType.JSON ? 'json' : field.type === DataType.Geometry ? 'wkt' : 'string', length: texts.length, offsets, data }
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Float64Array | Uint16Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
