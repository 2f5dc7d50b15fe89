/** Vectors of JSON to the wire's bytes, for rows and for queries. */
import { toBFloat16, toFloat16 } from '../codec/half.ts'
import { DataType, dataTypeName } from '../model/schema.ts'
import type { FieldData, FieldSchema, Init } from '../wire/index.ts'
import { isObject } from './body.ts'

/** Why a value is no vector of its field: what was expected. */
export class VectorError extends Error {
  override readonly name: string = 'VectorError'
}

const INT32 = 2 ** 32

export function dimOf(field: FieldSchema): number {
  return Number(field.type_params.find(({ key }) => key === 'dim')?.value ?? 0)
}

/** One vector's bytes, little-endian. Throws VectorError. */
export function vectorBytesOf(field: FieldSchema, value: unknown): Uint8Array {
  const dim = dimOf(field)
  switch (field.data_type) {
    case DataType.FloatVector: {
      const numbers = Float32Array.from(numbersOf(value, dim))
      return new Uint8Array(numbers.buffer)
    }
    case DataType.Float16Vector:
      return halfBytes(value, dim, toFloat16)
    case DataType.BFloat16Vector:
      return halfBytes(value, dim, toBFloat16)
    case DataType.Int8Vector:
      return Uint8Array.from(integersOf(value, dim, -128, 127), (item) => item & 0xff)
    case DataType.BinaryVector:
      return typeof value === 'string' ? base64Of(value, dim / 8) : Uint8Array.from(integersOf(value, dim / 8, 0, 255))
    case DataType.SparseFloatVector:
      return sparseBytes(value)
    default:
      throw new VectorError(`another type than ${dataTypeName(field.data_type)}`)
  }
}

function numbersOf(value: unknown, length: number): readonly number[] {
  if (!Array.isArray(value) || value.length !== length) throw new VectorError(`${length} numbers`)
  for (const item of value as readonly unknown[]) if (typeof item !== 'number') throw new VectorError(`${length} numbers`)
  return value as readonly number[]
}

function integersOf(value: unknown, length: number, least: number, most: number): readonly number[] {
  const numbers = numbersOf(value, length)
  if (!numbers.every((item) => Number.isInteger(item) && item >= least && item <= most)) throw new VectorError(`${length} integers in ${least}..${most}`)
  return numbers
}

function base64Of(text: string, length: number): Uint8Array {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length !== length) throw new VectorError(`${length} bytes in base64`)
  return bytes
}

/** Numbers, or the bytes in base64 as answers show them. */
function halfBytes(value: unknown, dim: number, convert: (item: number) => number): Uint8Array {
  if (typeof value === 'string') return base64Of(value, dim * 2)
  return new Uint8Array(Uint16Array.from(numbersOf(value, dim), convert).buffer)
}

/** `{ "3": 0.5 }` or `{ "indices": [3], "values": [0.5] }`; entries sorted by index, as the wire has them. */
function sparseBytes(value: unknown): Uint8Array {
  const pairs = [...sparsePairs(value)].sort(([a], [b]) => a - b)
  const bytes = new Uint8Array(pairs.length * 8)
  const view = new DataView(bytes.buffer)
  pairs.forEach(([index, weight], i) => {
    view.setUint32(i * 8, index, true)
    view.setFloat32(i * 8 + 4, weight, true)
  })
  return bytes
}

function sparsePairs(value: unknown): readonly (readonly [number, number])[] {
  const wrong = new VectorError('a sparse vector such as {"3":0.5} or {"indices":[3],"values":[0.5]}')
  if (!isObject(value)) throw wrong
  const { indices, values } = value
  const pairs: readonly (readonly [unknown, unknown])[] =
    Array.isArray(indices) && Array.isArray(values) && indices.length === values.length
      ? (indices as readonly unknown[]).map((index, i) => [index, (values as readonly unknown[])[i]] as const)
      : Object.entries(value).map(([index, weight]) => [/^\d{1,10}$/.test(index) ? Number(index) : index, weight] as const)
  return pairs.map(([index, weight]) => {
    if (typeof index !== 'number' || !Number.isInteger(index) || index < 0 || index >= INT32 || typeof weight !== 'number') throw wrong
    return [index, weight] as const
  })
}

/** The wire's column of one vector field. */
export function vectorColumn(field: FieldSchema, vectors: readonly Uint8Array[]): Init<FieldData>['vectors'] {
  const dim = dimOf(field)
  if (field.data_type === DataType.SparseFloatVector) {
    const width = vectors.reduce((most, bytes) => (bytes.length === 0 ? most : Math.max(most, lastIndex(bytes) + 1)), 0)
    return { dim: BigInt(width), sparse_float_vector: { dim: BigInt(width), contents: vectors } }
  }
  const bytes = Buffer.concat(vectors)
  switch (field.data_type) {
    case DataType.FloatVector:
      return { dim: BigInt(dim), float_vector: { data: Array.from(new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))) } }
    case DataType.Float16Vector:
      return { dim: BigInt(dim), float16_vector: bytes }
    case DataType.BFloat16Vector:
      return { dim: BigInt(dim), bfloat16_vector: bytes }
    case DataType.Int8Vector:
      return { dim: BigInt(dim), int8_vector: bytes }
    default:
      return { dim: BigInt(dim), binary_vector: bytes }
  }
}

function lastIndex(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 8, true)
}
