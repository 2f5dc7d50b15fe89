import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, mkdtemp, open, readdir, rename, rm, rmdir, stat, unlink } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { FileSystem, OpenFile } from './storage.ts'

/** The real file system. */
export const nodeFileSystem: FileSystem = {
  async open(path, mode): Promise<OpenFile> {
    const handle = await open(path, mode === 'read' ? 'r' : 'wx')
    return {
      write: async (bytes, position) => (await handle.write(bytes, 0, bytes.length, position)).bytesWritten,
      read: async (target, position) => (await handle.read(target, 0, target.length, position)).bytesRead,
      datasync: () => handle.datasync(),
      close: () => handle.close(),
    }
  },
  rename,
  async mkdir(path) {
    await mkdir(path)
  },
  readdir: async (path) =>
    (await readdir(path, { withFileTypes: true })).map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory() })),
  async fileSize(path) {
    try {
      const info = await stat(path)
      return info.isFile() ? info.size : undefined
    } catch (error) {
      if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return undefined
      throw error
    }
  },
  unlink,
  rmdir,
  async syncDirectory(path) {
    // Windows cannot open a directory; its renames are journaled.
    if (process.platform === 'win32') return
    const handle = await open(path, constants.O_RDONLY)
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  },
  owner: `${process.pid}-${Math.floor(performance.timeOrigin).toString(36)}`,
  isAlive(owner) {
    const pid = Number(owner.split('-')[0])
    if (pid === process.pid) return owner === nodeFileSystem.owner
    try {
      process.kill(pid, 0)
      return true
    } catch (error) {
      return error instanceof Error && 'code' in error && error.code === 'EPERM'
    }
  },
  join,
  dirname,
}

/** Without dashes, which part the names of temporary files. */
const thisHost = hostname().replaceAll(/[^A-Za-z0-9.]/g, '_')

/**
 * The real file system of a folder that several machines see: whether an owner on another one still runs cannot be told, so that
 * what it left is its own to sweep.
 */
export const sharedFileSystem: FileSystem = {
  ...nodeFileSystem,
  owner: `${process.pid}-${Math.floor(performance.timeOrigin).toString(36)}@${thisHost}`,
  isAlive(owner) {
    const [own, host] = owner.split('@')
    return host !== thisHost || nodeFileSystem.isAlive(own ?? '')
  },
}

/** A new private folder among the machine's temporary files, and how to remove it with all that is in it. */
export async function makePrivateFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'mini-milvus-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

/** Names a key, which may be longer than a file's name, by letters and digits. */
export function nameOfKey(key: string): string {
  return createHash('sha1').update(key).digest('hex')
}
