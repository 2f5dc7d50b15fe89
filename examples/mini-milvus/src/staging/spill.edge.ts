import { type FileHandle, mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { SpillFile, SpillFolder } from './spill.ts'

/** Files in a folder of their own. They hold nothing that must survive: nothing is synced. */
export function createSpillFolder(path: string): SpillFolder {
  let count = 0
  return {
    async create() {
      await mkdir(path, { recursive: true })
      const file = join(path, `stage-${(count += 1)}`)
      return new FolderFile(file, await open(file, 'w+', 0o600))
    },
    clear: () => rm(path, { recursive: true, force: true }),
  }
}

class FolderFile implements SpillFile {
  readonly #path: string
  readonly #handle: FileHandle
  #end = 0
  #closing: Promise<void> | undefined

  constructor(path: string, handle: FileHandle) {
    this.#path = path
    this.#handle = handle
  }

  async append(bytes: Uint8Array): Promise<number> {
    const offset = this.#end
    this.#end += bytes.length
    for (let at = 0; at < bytes.length; ) at += (await this.#handle.write(bytes, at, bytes.length - at, offset + at)).bytesWritten
    return offset
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length)
    for (let at = 0; at < length; ) {
      const { bytesRead } = await this.#handle.read(bytes, at, length - at, offset + at)
      if (bytesRead === 0) throw new Error('staged rows on disk are cut off')
      at += bytesRead
    }
    return bytes
  }

  close(): Promise<void> {
    this.#closing ??= this.#handle.close().then(() => rm(this.#path, { force: true }))
    return this.#closing
  }
}
