/** Objects in a bucket of S3, or of a server that speaks its language. */
import { setMaxListeners } from 'node:events'
import { StorageError } from './errors.ts'
import type { RemoteObjects, RemotePage } from './remote.ts'
import { connectS3, type S3Calls, type S3Connection } from './s3-calls.ts'
import { s3Error, statusOf } from './s3-errors.ts'
import { PART_BYTES, upload } from './s3-upload.ts'

export interface S3Options extends Omit<S3Connection, 'maxAttempts'> {
  /** Put before every key with a `/`. */
  readonly rootPath: string
  /** Make the bucket where it is missing. */
  readonly createBucket: boolean
  /** @default 4 */
  readonly maxAttempts?: number | undefined
  /** Larger objects are written in parts of this size and read in ranges of it, a few at a time. @default 16 MiB */
  readonly partBytes?: number | undefined
}

const MAX_READS = 4
/** How often a body that broke off is asked for again from where it did. */
const MAX_RESUMES = 4

/** Rejects with a StorageError: `STORAGE_UNAVAILABLE`, `STORAGE_TIMEOUT`, `STORAGE_DENIED`, `STORAGE_DRIVER_MISSING`. */
export async function openS3Objects(options: S3Options): Promise<RemoteObjects> {
  const abort = new AbortController()
  // Every call under way listens.
  setMaxListeners(0, abort.signal)
  const calls = await connectS3({ ...options, maxAttempts: options.maxAttempts ?? 4 }, abort.signal)
  try {
    await prepareBucket(calls, options)
  } catch (error) {
    calls.close()
    throw error
  }
  return new S3Objects(calls, `${options.rootPath}/`, options.partBytes ?? PART_BYTES, abort)
}

async function prepareBucket(calls: S3Calls, { bucket, createBucket }: S3Options): Promise<void> {
  try {
    await calls.findBucket()
  } catch (error) {
    if (statusOf(error) !== 404) throw bucketError(`bucket ${bucket}`, error)
    if (!createBucket) throw new StorageError('STORAGE_DENIED', `there is no bucket ${bucket}`, { cause: error })
    await calls.createBucket().catch(async (failure: unknown) => {
      // Another process may have made it meanwhile.
      await calls.findBucket().catch(() => {
        throw bucketError(`cannot make bucket ${bucket}`, failure)
      })
    })
  }
}

/** Some servers answer strangers as if nothing were there. */
function bucketError(what: string, cause: unknown): StorageError {
  const known = s3Error(what, cause)
  return known.code === 'STORAGE_NOT_FOUND' ? new StorageError('STORAGE_DENIED', known.message, { cause }) : known
}

class S3Objects implements RemoteObjects {
  readonly #calls: S3Calls
  readonly #root: string
  readonly #partBytes: number
  readonly #abort: AbortController

  constructor(calls: S3Calls, root: string, partBytes: number, abort: AbortController) {
    this.#calls = calls
    this.#root = root
    this.#partBytes = partBytes
    this.#abort = abort
  }

  put(key: string, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
    return upload(this.#calls, this.#root + key, chunks, this.#partBytes)
  }

  async readInto(key: string, target: Uint8Array, offset: number): Promise<void> {
    const first = Math.min(this.#partBytes, target.length)
    // All parts must be of one object, even if it is replaced meanwhile.
    const etag = await this.#readPart(key, target.subarray(0, first), offset, undefined)
    let next = first
    const reader = async (): Promise<void> => {
      while (next < target.length) {
        const from = next
        next = Math.min(next + this.#partBytes, target.length)
        await this.#readPart(key, target.subarray(from, next), offset + from, etag)
      }
    }
    await Promise.all(Array.from({ length: MAX_READS }, reader))
  }

  async size(key: string): Promise<number | undefined> {
    try {
      return await this.#calls.size(this.#root + key)
    } catch (error) {
      const known = s3Error(`cannot look at ${key}`, error)
      if (known.code === 'STORAGE_NOT_FOUND') return undefined
      throw known
    }
  }

  async list(prefix: string, next: string | undefined): Promise<RemotePage> {
    try {
      const page = await this.#calls.list(this.#root + prefix, next)
      return { ...page, objects: page.objects.map(({ key, bytes }) => ({ key: key.slice(this.#root.length), bytes })) }
    } catch (error) {
      throw s3Error(`cannot list ${prefix}`, error)
    }
  }

  async delete(key: string): Promise<void> {
    try {
      await this.#calls.delete(this.#root + key)
    } catch (error) {
      const known = s3Error(`cannot delete ${key}`, error, 'unknown')
      if (known.code !== 'STORAGE_NOT_FOUND') throw known
    }
  }

  async close(): Promise<void> {
    this.#abort.abort(new StorageError('STORAGE_CLOSED', 'the storage was closed', { outcome: 'unknown' }))
    this.#calls.close()
  }

  /** @returns the ETag of the object that the bytes are of */
  async #readPart(key: string, target: Uint8Array, offset: number, etag: string | undefined): Promise<string | undefined> {
    let done = 0
    let tag = etag
    for (let resumes = 0; done < target.length; resumes++) {
      try {
        const body = await this.#calls.get(this.#root + key, offset + done, target.length - done, tag)
        tag ??= body.etag
        const before = done
        for await (const chunk of body.chunks) {
          target.set(chunk.subarray(0, target.length - done), done)
          done += Math.min(chunk.length, target.length - done)
        }
        if (done === before) break
      } catch (error) {
        const known = s3Error(`cannot read ${key}`, error)
        if (!known.retryable || resumes >= MAX_RESUMES || this.#abort.signal.aborted) throw known
      }
    }
    if (done < target.length) {
      const details = { key, offset, wanted: target.length, got: done }
      throw new StorageError('STORAGE_CORRUPT', `${key} ends at byte ${offset + done}, expected at least ${offset + target.length}`, { details })
    }
    return tag
  }
}
