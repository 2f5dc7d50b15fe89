/** What turns a text into a vector. A real application asks a model. */
export interface Embedding {
  readonly dimension: number
  readonly embed: (text: string) => number[]
}

/** A toy for tests: counts triples of letters in 128 buckets. The same text gives the same vector, texts that share words lie near each other. */
export const toyEmbedding: Embedding = {
  dimension: 128,
  embed(text) {
    const vector = Array.from({ length: 128 }, () => 0)
    const words = text.toLowerCase().match(/[a-z]+/g) ?? []
    for (const word of words) {
      const padded = ` ${word} `
      for (let i = 0; i + 3 <= padded.length; i++) {
        const bucket = hash(padded.slice(i, i + 3)) % 128
        vector[bucket] = (vector[bucket] ?? 0) + 1
      }
    }
    return vector
  },
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value >>> 0
}
