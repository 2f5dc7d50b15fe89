/** Finds the rows whose text may contain given texts: those that have all of their grams. */
import { coveringGrams, type GramSizes } from './gram-keys.ts'

/** Of a long pattern the rarest grams are enough. */
const MAX_LISTS = 16
/** Beyond so many bytes a candidate, testing the candidates costs less than going through one more list. */
const BYTES_PER_CANDIDATE = 8

export class GramIndex {
  readonly kind = 'grams'
  readonly #sizes: GramSizes
  readonly #offsets: Uint32Array
  readonly #data: Uint8Array
  readonly #rows: number

  /** @param data the rows of a bucket: `offsets[bucket] .. offsets[bucket + 1]` */
  constructor(sizes: GramSizes, offsets: Uint32Array, data: Uint8Array, rows: number) {
    this.#sizes = sizes
    this.#offsets = offsets
    this.#data = data
    this.#rows = rows
  }

  /** Ascending. Undefined where all of the texts are shorter than the grams, so that the index knows nothing. */
  find(texts: readonly Uint8Array[]): Uint32Array | undefined {
    const mask = this.#offsets.length - 2
    const buckets = new Set(texts.flatMap((text) => [...coveringGrams(text, this.#sizes, mask)]))
    const [first, ...others] = [...buckets].sort((a, b) => this.#bytesOf(a) - this.#bytesOf(b)).slice(0, MAX_LISTS)
    if (first === undefined) return undefined
    let found = this.#read(first)
    for (const bucket of others) {
      if (this.#bytesOf(bucket) > found.length * BYTES_PER_CANDIDATE) break
      found = this.#meet(found, bucket)
    }
    return found
  }

  #bytesOf(bucket: number): number {
    return (this.#offsets[bucket + 1] as number) - (this.#offsets[bucket] as number)
  }

  #read(bucket: number): Uint32Array {
    const rows = new Uint32Array(this.#bytesOf(bucket))
    let count = 0
    this.#each(bucket, (row) => {
      rows[count++] = row
      return true
    })
    return rows.subarray(0, count)
  }

  #meet(found: Uint32Array, bucket: number): Uint32Array {
    let at = 0
    let count = 0
    this.#each(bucket, (row) => {
      while (at < found.length && (found[at] as number) < row) at++
      if (found[at] === row) found[count++] = row
      return at < found.length
    })
    return found.subarray(0, count)
  }

  #each(bucket: number, visit: (row: number) => boolean): void {
    const data = this.#data
    const end = this.#offsets[bucket + 1] as number
    let row = -1
    for (let at = this.#offsets[bucket] as number; at < end; ) {
      let distance = 0
      let byte = 0x80
      for (let shift = 0; byte >= 0x80 && at < end; shift += 7) {
        byte = data[at++] as number
        distance |= (byte & 0x7f) << shift
      }
      row += distance
      if (row >= this.#rows || !visit(row)) return
    }
  }
}
