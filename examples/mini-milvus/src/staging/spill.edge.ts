import { type FileHandle, mkdir, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SpillFile, SpillFolder } from './spill.ts'

/** Files in a folder of their own. They hold nothing that must survive: nothing is synced. @param nameless they are gone with the process, however that ends */
export function createSpillFolder(path: string, nameless = false): SpillFolder {
  let count = 0
  return {
    async create() {
      await mkdir(path, { recursive: true })
      const file = join(path, `stage-${(count += 1)}`)
      const handle = await open(file, 'w+', 0o600)
      if (nameless) await rm(file, { force: true }).catch(() => undefined)
      return new FolderFile(file, handle)
    },
    clear: () => rm(path, { recursive: true, force: true }),
  }
}

/**
 * The same for processes that come and go and share a place: a folder of its own for each, made when it is needed.
 *
 * @param within the system's folder for temporary files unless given
 */
export function createTemporarySpill(within = ''): SpillFolder {
  let folder: Promise<SpillFolder> | undefined
  const made = async (): Promise<SpillFolder> => {
    const parent = within === '' ? tmpdir() : within
    await mkdir(parent, { recursive: true })
    return createSpillFolder(await mkdtemp(join(parent, 'mini-milvus-staged-')), true)
  }
  return {
    async create() {
      const making = (folder ??= made())
      making.catch(() => {
        if (folder === making) folder = undefined
      })
      return (await making).create()
    },
    async clear() {
      const former = folder
      folder = undefined
      await (await former)?.clear()
    },
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
