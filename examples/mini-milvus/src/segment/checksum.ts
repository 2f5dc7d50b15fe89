import { crc32 } from 'node:zlib'

/** About 2 ms of work. */
const STEP_BYTES = 4 * 1024 * 1024

/** CRC32 of chunks one after the other, letting the loop run every few megabytes. */
export async function checksum(chunks: Iterable<Uint8Array>, pause: () => Promise<void>): Promise<number> {
  let crc = 0
  let sinceYield = 0
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += STEP_BYTES) {
      const step = chunk.subarray(at, at + STEP_BYTES)
      crc = crc32(step, crc)
      sinceYield += step.length
      if (sinceYield < STEP_BYTES) continue
      sinceYield = 0
      await pause()
    }
  }
  return crc
}
