import { DataType } from '../model/schema.ts'

/** Float32 values of packed rows [begin, end): a view where the bytes are aligned float32, else a copy. */
export function decodeRows(bytes: Uint8Array, type: DataType, dim: number, begin: number, end: number): Float32Array {
  const count = (end - begin) * dim
  if (type === DataType.FloatVector) {
    if (bytes.byteOffset % 4 === 0) return new Float32Array(bytes.buffer, bytes.byteOffset + begin * dim * 4, count)
    // Not `slice`: of a Buffer that would be a view.
    return new Float32Array(new Uint8Array(bytes.subarray(begin * dim * 4, end * dim * 4)).buffer)
  }
  const target = new Float32Array(count)
  if (type === DataType.Int8Vector) {
    target.set(new Int8Array(bytes.buffer, bytes.byteOffset + begin * dim, count))
    return target
  }
  if (type !== DataType.Float16Vector && type !== DataType.BFloat16Vector)
    throw new TypeError(`vectors of type ${type} have no float values`)
  const table = type === DataType.Float16Vector ? halfTable() : bfloatTable()
  const base = begin * dim * 2
  for (let i = 0; i < count; i++) target[i] = table[(bytes[base + 2 * i] ?? 0) | ((bytes[base + 2 * i + 1] ?? 0) << 8)] ?? 0
  return target
}

let halves: Float32Array | undefined
let bfloats: Float32Array | undefined

function bfloatTable(): Float32Array {
  if (bfloats === undefined) bfloats = new Float32Array(Uint32Array.from({ length: 65536 }, (_, i) => i << 16).buffer)
  return bfloats
}

function halfTable(): Float32Array {
  if (halves !== undefined) return halves
  halves = new Float32Array(65536)
  for (let i = 0; i < 65536; i++) {
    const exponent = (i >> 10) & 31
    const fraction = i & 1023
    const size =
      exponent === 0
        ? fraction * 2 ** -24
        : exponent === 31
          ? fraction === 0
            ? Infinity
            : NaN
          : (1 + fraction / 1024) * 2 ** (exponent - 15)
    halves[i] = i & 0x8000 ? -size : size
  }
  return halves
}
