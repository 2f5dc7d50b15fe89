import type { Revision } from './kv.ts'

/** Reads decimal text as revisions; neighbours that were saved together share one bigint. */
export function revisionReader(): (text: string) => Revision {
  let lastText = ''
  let last = 0n
  return (text) => {
    if (text !== lastText) {
      lastText = text
      last = BigInt(text)
    }
    return last
  }
}
