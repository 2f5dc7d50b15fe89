import { lengthOf } from './scan.ts'

/** Scales each vector to length 1, in place; undefined where one has no length (it stays as it is). */
export function toUnits(vectors: Float32Array, dim: number): Float32Array | undefined {
  let hasZero = false
  for (let base = 0; base < vectors.length; base += dim) {
    const length = lengthOf(vectors, base, dim)
    if (length > 0) for (let i = base; i < base + dim; i++) vectors[i] = (vectors[i] as number) / length
    else hasZero = true
  }
  return hasZero ? undefined : vectors
}
