import type { SearchResult } from '../../src/engine/index.ts'

export function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/** Vectors of few hidden dimensions and a little noise, as embeddings are. The mixture is the same for every seed. */
export function latent(rows: number, dim: number, seed: number): Float32Array {
  const hidden = Math.min(16, dim)
  const mixer = randomOf(42)
  const mix = Float64Array.from({ length: hidden * dim }, () => gaussian(mixer) / Math.sqrt(hidden))
  const random = randomOf(seed)
  const out = new Float32Array(new SharedArrayBuffer(rows * dim * 4))
  const z = new Float64Array(hidden)
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < hidden; j++) z[j] = gaussian(random)
    for (let d = 0; d < dim; d++) {
      let sum = 0.2 * gaussian(random)
      for (let j = 0; j < hidden; j++) sum += (z[j] ?? 0) * (mix[j * dim + d] ?? 0)
      out[i * dim + d] = sum
    }
  }
  return out
}

export function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

export interface Hit {
  readonly row: number
  readonly score: number
}

/** What the search must give: every allowed row scored in doubles, rounded, in order. */
export function truth(
  values: Float32Array,
  query: Float32Array,
  metric: string,
  k: number,
  allowed: (row: number, score: number) => boolean = () => true,
): Hit[] {
  const dim = query.length
  const hits: Hit[] = []
  for (let row = 0; row * dim < values.length; row++) {
    let dot = 0
    let squares = 0
    let own = 0
    let length = 0
    for (let d = 0; d < dim; d++) {
      const v = values[row * dim + d] ?? 0
      const q = query[d] ?? 0
      dot += v * q
      squares += (v - q) ** 2
      own += v * v
      length += q * q
    }
    const score = Math.fround(metric === 'L2' ? squares : metric === 'IP' ? dot : own * length === 0 ? 0 : dot / Math.sqrt(own * length))
    if (allowed(row, score)) hits.push({ row, score })
  }
  hits.sort((a, b) => (metric === 'L2' ? a.score - b.score : b.score - a.score) || a.row - b.row)
  return hits.slice(0, k)
}

export function hitsOf(result: SearchResult): Hit[][] {
  let at = 0
  return [...result.counts].map((count) => {
    const hits = Array.from({ length: count }, (_, i) => ({ row: result.rows[at + i] ?? -1, score: result.scores[at + i] ?? NaN }))
    at += count
    return hits
  })
}

export function recall(found: readonly Hit[], expected: readonly Hit[]): number {
  if (expected.length === 0) return found.length === 0 ? 1 : 0
  const rows = new Set(found.map(({ row }) => row))
  return expected.filter(({ row }) => rows.has(row)).length / expected.length
}
