/** Sparse vectors as words: dimension and value by turns. */

/** Words of the pairs: dimension and value by turns. */
export interface Pairs {
  readonly dims: Uint32Array
  readonly values: Float32Array
}

export function pairsOf(bytes: Uint8Array): Pairs {
  const own = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes)
  const words = own.byteLength >>> 2
  return { dims: new Uint32Array(own.buffer, own.byteOffset, words), values: new Float32Array(own.buffer, own.byteOffset, words) }
}

/** The place of a dimension among ascending ones, or -1. */
export function findDim(sorted: Uint32Array, wanted: number): number {
  let low = 0
  let high = sorted.length - 1
  while (low <= high) {
    const middle = (low + high) >>> 1
    const found = sorted[middle] as number
    if (found === wanted) return middle
    if (found < wanted) low = middle + 1
    else high = middle - 1
  }
  return -1
}
