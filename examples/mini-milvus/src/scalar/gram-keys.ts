/** Grams of UTF-8 texts: runs of so many code points, each as a bucket of a table. Different grams may share one. */
export interface GramSizes {
  readonly min: number
  readonly max: number
}

/** Whoever asks for larger ones gets these, which find as much: what an index finds is tested anyway. */
const MAX_MIN = 4
/** Of so many lengths at most: each costs as much room as the texts, and tells little that the others did not. */
const MAX_LENGTHS = 2

export function gramSizes(min: number, max: number): GramSizes {
  const least = Math.min(min, MAX_MIN)
  return { min: least, max: Math.min(Math.max(max, least), least + MAX_LENGTHS - 1) }
}

/** Where the code point that begins at `at` ends. */
export function nextCodePoint(data: Uint8Array, at: number, end: number): number {
  let next = at + 1
  while (next < end && ((data[next] as number) & 0xc0) === 0x80) next++
  return next
}

const BASIS = 0x811c_9dc5

/** The buckets of all grams of `data[start .. end)`, repeated ones too. @param mask of a table whose size is a power of two, less one */
export function eachGram(data: Uint8Array, start: number, end: number, { min, max }: GramSizes, mask: number, visit: (bucket: number) => void): void {
  for (let from = start; from < end; from = nextCodePoint(data, from, end)) {
    let hash = BASIS
    let at = from
    for (let size = 1; size <= max && at < end; size++) {
      const next = nextCodePoint(data, at, end)
      for (; at < next; at++) hash = Math.imul(hash ^ (data[at] as number), 0x0100_0193)
      if (size >= min) visit((hash ^ (hash >>> 15)) & mask)
    }
  }
}

/** The buckets of the longest grams that cover a text: empty where it is shorter than the shortest gram. */
export function coveringGrams(text: Uint8Array, { min, max }: GramSizes, mask: number): Set<number> {
  let length = 0
  for (let at = 0; at < text.length && length < max; at = nextCodePoint(text, at, text.length)) length++
  const buckets = new Set<number>()
  if (length >= min) eachGram(text, 0, text.length, { min: length, max: length }, mask, (bucket) => buckets.add(bucket))
  return buckets
}
