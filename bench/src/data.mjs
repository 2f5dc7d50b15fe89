/**
 * The vectors of the bench: **latent**, like embeddings. 32 Gaussian dimensions are mixed into `dim` by a fixed matrix and divided by the root of
 * 32, plus Gaussian noise of 0.2. Rows and queries come from one distribution and different seeds; the truth is found by brute force.
 */
import { gaussian } from './random.mjs'

const LATENT = 32
const NOISE = 0.2
const MATRIX_SEED = 1
const matrices = new Map()

function mixing(dim) {
  let matrix = matrices.get(dim)
  if (matrix === undefined) {
    const next = gaussian(MATRIX_SEED)
    matrix = Float64Array.from({ length: LATENT * dim }, next)
    matrices.set(dim, matrix)
  }
  return matrix
}

/** `count` vectors, row by row. The same seed gives the same vectors; a smaller count gives the first of them. */
export function latentVectors(count, { dim = 128, seed = 42 } = {}) {
  const matrix = mixing(dim)
  const next = gaussian(seed)
  const vectors = new Float32Array(count * dim)
  const latent = new Float64Array(LATENT)
  const row = new Float64Array(dim)
  const scale = 1 / Math.sqrt(LATENT)
  for (let i = 0; i < count; i += 1) {
    for (let l = 0; l < LATENT; l += 1) latent[l] = next()
    row.fill(0)
    for (let l = 0; l < LATENT; l += 1) {
      const weight = latent[l] * scale
      const base = l * dim
      for (let d = 0; d < dim; d += 1) row[d] += weight * matrix[base + d]
    }
    for (let d = 0; d < dim; d += 1) vectors[i * dim + d] = row[d] + NOISE * next()
  }
  return vectors
}

/** Queries of the same distribution as {@link latentVectors}, none of them among the rows. */
export const latentQueries = (count, { dim = 128, seed = 7_000_001 } = {}) => latentVectors(count, { dim, seed })

/** Row numbers of the `k` nearest rows by L2, nearest first, ties by row number: `truth[q * k + i]`. `keep(row)` restricts the rows. `dim` is even. */
export function bruteForce(vectors, queries, { dim = 128, k = 10, keep } = {}) {
  const rows = vectors.length / dim
  const count = queries.length / dim
  const truth = new Int32Array(count * k).fill(-1)
  const distances = new Float64Array(k)
  for (let q = 0; q < count; q += 1) {
    const query = queries.subarray(q * dim, (q + 1) * dim)
    const ids = truth.subarray(q * k, (q + 1) * k)
    let size = 0
    for (let row = 0; row < rows; row += 1) {
      if (keep !== undefined && !keep(row)) continue
      const base = row * dim
      let a = 0
      let b = 0
      for (let d = 0; d < dim; d += 2) {
        const x = vectors[base + d] - query[d]
        const y = vectors[base + d + 1] - query[d + 1]
        a += x * x
        b += y * y
      }
      const sum = a + b
      if (size === k && sum >= distances[k - 1]) continue
      let at = size < k ? size++ : k - 1
      while (at > 0 && distances[at - 1] > sum) {
        distances[at] = distances[at - 1]
        ids[at] = ids[at - 1]
        at -= 1
      }
      distances[at] = sum
      ids[at] = row
    }
  }
  return truth
}

/** The share of the truth that was found. `found` is a list per query of row numbers. */
export function recallAt(found, truth, k = 10) {
  let hits = 0
  let possible = 0
  found.forEach((ids, q) => {
    const wanted = new Set([...truth.subarray(q * k, (q + 1) * k)].filter((id) => id >= 0))
    possible += wanted.size
    for (const id of ids) if (wanted.delete(Number(id))) hits += 1
  })
  return possible === 0 ? 1 : hits / possible
}
