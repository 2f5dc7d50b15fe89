/** Vector columns of the wire to JSON: numbers, sparse objects, base64 where Milvus's REST has bytes. */
import type { FieldData } from '../wire/index.ts'

type VectorField = NonNullable<FieldData['vectors']>

/** One value per vector that is there. */
export function vectorsToJson(vectors: VectorField | undefined): readonly unknown[] {
  if (vectors === undefined) return []
  const dim = Number(vectors.dim)
  if (vectors.sparse_float_vector !== undefined) return vectors.sparse_float_vector.contents.map(sparseToJson)
  if (vectors.vector_array !== undefined) return vectors.vector_array.data.map(vectorsToJson)
  if (dim === 0) return []
  if (vectors.float_vector !== undefined) {
    const { data } = vectors.float_vector
    return Array.from({ length: data.length / dim }, (_, row) => data.slice(row * dim, (row + 1) * dim))
  }
  if (vectors.int8_vector !== undefined) return slices(vectors.int8_vector, dim).map((bytes) => Array.from(new Int8Array(bytes)))
  if (vectors.binary_vector !== undefined) return slices(vectors.binary_vector, dim / 8).map(base64)
  const halves = vectors.float16_vector ?? vectors.bfloat16_vector
  return halves === undefined ? [] : slices(halves, dim * 2).map(base64)
}

function slices(bytes: Uint8Array, width: number): readonly Uint8Array[] {
  return Array.from({ length: bytes.length / width }, (_, row) => bytes.subarray(row * width, (row + 1) * width))
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')
}

function sparseToJson(bytes: Uint8Array): object {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const entries = Array.from({ length: bytes.length / 8 }, (_, i) => [view.getUint32(i * 8, true), view.getFloat32(i * 8 + 4, true)] as const)
  return Object.fromEntries(entries)
}
