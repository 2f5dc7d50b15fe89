import { StorageError, type StorageErrorCode } from './errors.ts'
import type { OpenFile } from './storage.ts'

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** Writes every byte: a file system may take fewer than it is given before it says that it is full. */
export async function writeAll(file: OpenFile, chunks: Iterable<Uint8Array>): Promise<number> {
  let position = 0
  for (const chunk of chunks) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError(`expected \`data\` to be bytes or chunks of bytes, got ${typeof chunk}`)
    for (let done = 0; done < chunk.length;) {
      const written = await file.write(done === 0 ? chunk : chunk.subarray(done), position)
      if (written <= 0) throw new Error('a write took no bytes')
      done += written
      position += written
    }
  }
  return position
}

/** Fills `target`; an object that ends before is corrupt. */
export async function readAll(file: OpenFile, target: Uint8Array, offset: number, key: string): Promise<void> {
  for (let done = 0; done < target.length;) {
    const read = await file.read(done === 0 ? target : target.subarray(done), offset + done)
    if (read === 0) {
      const details = { key, offset, wanted: target.length, got: done }
      throw new StorageError('STORAGE_CORRUPT', `${key} ends at byte ${offset + done}, expected at least ${offset + target.length}`, {
        details,
      })
    }
    done += read
  }
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

export function ioError(what: string, cause: unknown, outcome: 'not-applied' | 'unknown' | undefined): StorageError {
  if (cause instanceof StorageError) return cause
  const code = codeOf(cause)
  const kind: StorageErrorCode =
    code === 'ENOENT' ? 'STORAGE_NOT_FOUND' : code !== undefined && FULL.has(code) ? 'STORAGE_FULL' : 'STORAGE_IO'
  return new StorageError(kind, `${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause, outcome })
}
