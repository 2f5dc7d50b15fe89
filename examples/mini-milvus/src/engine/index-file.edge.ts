import { open, rm } from 'node:fs/promises'
import { setPriority } from 'node:os'
import { crc32 } from 'node:zlib'

const STEP_BYTES = 4 * 1024 * 1024

export interface FileSum {
  readonly bytes: number
  readonly crc32: number
}

/** Length and CRC32 of a file, read in steps that leave the thread free between them. `sync` makes it durable first. */
export async function sumFile(path: string, sync = false): Promise<FileSum> {
  const file = await open(path, sync ? 'r+' : 'r')
  try {
    if (sync) await file.datasync()
    const buffer = new Uint8Array(STEP_BYTES)
    let bytes = 0
    let crc = 0
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, STEP_BYTES, bytes)
      if (bytesRead === 0) return { bytes, crc32: crc }
      crc = crc32(buffer.subarray(0, bytesRead), crc)
      bytes += bytesRead
    }
  } finally {
    await file.close()
  }
}

export function removeFile(path: string): Promise<void> {
  return rm(path, { force: true })
}

/** Searches go before builds. On Linux the priority is that of this thread and of those it starts; elsewhere it would be the process's. */
export function lowerThreadPriority(): void {
  if (process.platform !== 'linux') return
  try {
    setPriority(0, 10)
  } catch {
    // Some sandboxes forbid it: builds then share evenly.
  }
}
