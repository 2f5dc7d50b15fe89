/** The real disk. */
import { open as openHandle, mkdir, readdir, rename, rmdir, stat, unlink } from 'node:fs/promises'
import { close, fdatasync, open, read, write } from 'node:fs'
import { promisify } from 'node:util'
import type { FileSystem, OpenFile } from './file-system.ts'

const openFd = promisify(open)
const closeFd = promisify(close)
const flags = { read: 'r', write: 'r+', create: 'w+' } as const

// Bare descriptors: a FileHandle costs several times as much per call.
class NodeFile implements OpenFile {
  readonly #path: string
  readonly #fd: number

  constructor(path: string, fd: number) {
    this.#path = path
    this.#fd = fd
  }

  write(data: Uint8Array, position: number): Promise<number> {
    return new Promise((resolve, reject) => write(this.#fd, data, 0, data.length, position, (error, written) => (error === null ? resolve(written) : reject(error))))
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return new Promise((resolve, reject) => read(this.#fd, into, 0, into.length, position, (error, bytes) => (error === null ? resolve(bytes) : reject(error))))
  }

  datasync(): Promise<void> {
    return new Promise((resolve, reject) => fdatasync(this.#fd, (error) => (error === null ? resolve() : reject(error))))
  }

  async truncate(bytes: number): Promise<void> {
    const handle = await openHandle(this.#path, 'r+')
    try {
      await handle.truncate(bytes)
    } finally {
      await handle.close()
    }
  }

  async size(): Promise<number> {
    return (await stat(this.#path)).size
  }

  close(): Promise<void> {
    return closeFd(this.#fd)
  }
}

export const nodeFileSystem: FileSystem = {
  open: async (path, mode) => new NodeFile(path, await openFd(path, flags[mode])),
  list: async (path) => {
    try {
      return await readdir(path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  },
  mkdir: async (path) => {
    await mkdir(path, { recursive: true })
  },
  rename,
  unlink,
  rmdir,
  modified: async (path) => (await stat(path)).mtimeMs,
  syncFolder: async (path) => {
    const handle = await openHandle(path, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  },
}
