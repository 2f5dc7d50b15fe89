/** An object of any length to S3: in one request where it is small, else in parts, a few at a time, so that memory stays bounded. */
import type { S3Calls } from './s3-calls.ts'
import { s3Error } from './s3-errors.ts'

/** Parts but the last must have 5 MiB; an upload has 10,000 at most. */
export const PART_BYTES = 16 * 1024 * 1024
const MAX_UNDER_WAY = 3

/** Rejects with a StorageError that says whether the object may be there. */
export async function upload(calls: S3Calls, key: string, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>, partBytes = PART_BYTES): Promise<void> {
  const parts = partsOf(chunks, partBytes)
  const first = await parts.next()
  const second = await parts.next()
  if (second.done === true) {
    await calls.put(key, first.value ?? new Uint8Array(0)).catch((error: unknown) => {
      throw s3Error(`cannot store ${key}`, error, 'unknown')
    })
    return
  }
  const id = await calls.beginParts(key).catch((error: unknown) => {
    throw s3Error(`cannot store ${key}`, error, 'not-applied')
  })
  try {
    const etags = await sendParts(calls, key, id, [first.value ?? new Uint8Array(0), second.value], parts)
    await calls.endParts(key, id, etags).catch((error: unknown) => {
      throw s3Error(`cannot store ${key}`, error, 'unknown')
    })
  } catch (error) {
    // What stays behind costs space: servers remove it by a rule of the bucket.
    await calls.abortParts(key, id).catch(() => undefined)
    throw error instanceof TypeError ? error : s3Error(`cannot store ${key}`, error, 'not-applied')
  }
}

async function sendParts(calls: S3Calls, key: string, id: string, begun: readonly Uint8Array[], rest: AsyncIterator<Uint8Array, undefined>): Promise<string[]> {
  const etags: string[] = []
  const underWay = new Set<Promise<void>>()
  const failures: unknown[] = []
  const send = (body: Uint8Array): void => {
    const index = etags.push('') - 1
    const sent: Promise<void> = calls.putPart(key, id, index + 1, body).then(
      (etag) => {
        etags[index] = etag
        underWay.delete(sent)
      },
      (error: unknown) => {
        failures.push(error)
        underWay.delete(sent)
      },
    )
    underWay.add(sent)
  }
  try {
    for (const body of begun) send(body)
    while (failures.length === 0) {
      if (underWay.size >= MAX_UNDER_WAY) await Promise.race(underWay)
      const next = await rest.next()
      if (next.done === true) break
      send(next.value)
    }
  } finally {
    await Promise.all(underWay)
  }
  if (failures.length > 0) throw failures[0]
  return etags
}

/** The same bytes in pieces of `partBytes`, the last one shorter, and none for nothing. */
async function* partsOf(chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>, partBytes: number): AsyncGenerator<Uint8Array, undefined> {
  let part = new Uint8Array(0)
  let filled = 0
  for await (const chunk of chunks) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError(`expected \`data\` to be bytes or chunks of bytes, got ${typeof chunk}`)
    for (let at = 0; at < chunk.length;) {
      const take = Math.min(partBytes - filled, chunk.length - at)
      part = roomFor(part, filled, filled + take, partBytes)
      part.set(chunk.subarray(at, at + take), filled)
      filled += take
      at += take
      if (filled < partBytes) continue
      yield part
      part = new Uint8Array(0)
      filled = 0
    }
  }
  if (filled > 0) yield part.subarray(0, filled)
  return undefined
}

/** Grows by doubling, so that a small object does not take a whole part's memory. */
function roomFor(part: Uint8Array<ArrayBuffer>, filled: number, needed: number, most: number): Uint8Array<ArrayBuffer> {
  if (needed <= part.length) return part
  const grown = new Uint8Array(Math.min(most, Math.max(needed, part.length * 2)))
  grown.set(part.subarray(0, filled))
  return grown
}
