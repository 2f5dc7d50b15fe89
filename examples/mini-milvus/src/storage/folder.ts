/// <reference lib="esnext.disposable" />
import { nodeFileSystem } from './edge.ts'
import { StorageError } from './errors.ts'
import { checkKey, checkPrefix, checkRange } from './keys.ts'
import { codeOf, ioError, readAll, writeAll } from './io.ts'
import type { ByteRange, FileSystem, LocalFile, ObjectStorage, StoredObject } from './storage.ts'

export interface FolderStorageOptions {
  /** The root; made, with its parents, where it is missing. */
  readonly path: string
  readonly fs?: FileSystem | undefined
}

const TEMPORARY = '.tmp'

/** Tells apart the temporary names of several storages of one process. */
let instances = 0

/** Objects as files below a folder. Several processes may share the folder; each sweeps what dead ones left behind. */
export async function openFolderStorage(options: FolderStorageOptions): Promise<ObjectStorage> {
  if (typeof options.path !== 'string' || options.path === '' || options.path.includes('\0')) {
    throw new TypeError(`expected \`path\` to be the path of a folder, got ${JSON.stringify(options.path)}`)
  }
  const storage = new FolderStorage(options.path, options.fs ?? nodeFileSystem)
  await storage.prepare()
  return storage
}

class FolderStorage implements ObjectStorage {
  readonly #root: string
  readonly #temporary: string
  readonly #fs: FileSystem
  /** Folders whose names are known to be durable. */
  readonly #folders = new Set<string>()
  readonly #instance = (instances++).toString(36)
  #counter = 0
  #closed = false
  #failure: unknown

  constructor(root: string, fs: FileSystem) {
    this.#root = root
    this.#fs = fs
    this.#temporary = fs.join(root, TEMPORARY)
  }

  async prepare(): Promise<void> {
    try {
      await this.#makeFolder(this.#temporary)
      for (const entry of await this.#fs.readdir(this.#temporary)) {
        if (!entry.isDirectory && !this.#fs.isAlive(ownerOf(entry.name))) await this.#unlink(this.#fs.join(this.#temporary, entry.name))
      }
    } catch (error) {
      throw ioError(`cannot open the folder ${this.#root}`, error, undefined)
    }
  }

  async put(key: string, data: Uint8Array | Iterable<Uint8Array>): Promise<void> {
    checkKey(key)
    this.#checkWritable()
    const temporary = await this.temporaryPath()
    try {
      const file = await this.#fs.open(temporary, 'create')
      try {
        await writeAll(file, data instanceof Uint8Array ? [data] : data)
        await this.#sync(() => file.datasync())
      } finally {
        await file.close()
      }
      await this.#rename(temporary, key)
    } catch (error) {
      await this.#unlink(temporary).catch(() => undefined)
      throw error instanceof StorageError || error instanceof TypeError ? error : ioError(`cannot store ${key}`, error, 'not-applied')
    }
  }

  async adopt(path: string, key: string): Promise<void> {
    checkKey(key)
    this.#checkWritable()
    if (this.#fs.dirname(path) !== this.#temporary)
      throw new RangeError(`expected \`path\` to come from temporaryPath, got ${JSON.stringify(path)}`)
    try {
      const file = await this.#fs.open(path, 'read')
      try {
        await this.#sync(() => file.datasync())
      } finally {
        await file.close()
      }
      await this.#rename(path, key)
    } catch (error) {
      throw error instanceof StorageError ? error : ioError(`cannot adopt a file as ${key}`, error, 'not-applied')
    }
  }

  async get(key: string, range?: ByteRange): Promise<Uint8Array> {
    const length = range?.length ?? (await this.size(key))
    checkRange(range?.offset ?? 0, length)
    const target = new Uint8Array(length)
    await this.readInto(key, target, range?.offset ?? 0)
    return target
  }

  async readInto(key: string, target: Uint8Array, offset = 0): Promise<void> {
    checkKey(key)
    checkRange(offset, target.length)
    this.#checkOpen()
    try {
      const file = await this.#fs.open(this.#pathOf(key), 'read')
      try {
        await readAll(file, target, offset, key)
      } finally {
        await file.close()
      }
    } catch (error) {
      throw error instanceof StorageError ? error : ioError(`cannot read ${key}`, error, undefined)
    }
  }

  async size(key: string): Promise<number> {
    const size = await this.#sizeOf(key)
    if (size === undefined) throw new StorageError('STORAGE_NOT_FOUND', `there is no object ${key}`, { details: { key } })
    return size
  }

  async exists(key: string): Promise<boolean> {
    return (await this.#sizeOf(key)) !== undefined
  }

  async list(prefix: string): Promise<readonly StoredObject[]> {
    checkPrefix(prefix)
    this.#checkOpen()
    const found: StoredObject[] = []
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    try {
      await this.#walk(folder, prefix, found)
    } catch (error) {
      throw ioError(`cannot list ${prefix}`, error, undefined)
    }
    return found.sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  async delete(key: string): Promise<void> {
    checkKey(key)
    this.#checkOpen()
    try {
      await this.#unlink(this.#pathOf(key))
    } catch (error) {
      throw ioError(`cannot delete ${key}`, error, 'unknown')
    }
  }

  async deletePrefix(prefix: string): Promise<void> {
    const folders = new Set<string>()
    for (const { key } of await this.list(prefix)) {
      await this.delete(key)
      for (let end = key.lastIndexOf('/'); end > 0 && end >= prefix.length - 1; end = key.lastIndexOf('/', end - 1))
        folders.add(key.slice(0, end))
    }
    for (const folder of [...folders].sort((a, b) => b.length - a.length)) {
      const path = this.#pathOf(folder)
      // A folder that is in use again stays; its name must then be made durable anew.
      this.#folders.delete(path)
      await this.#fs.rmdir(path).catch(() => undefined)
    }
  }

  localPath(key: string): string {
    checkKey(key)
    return this.#pathOf(key)
  }

  /** The object itself: whoever maps it finds out what is wrong with it. */
  async openFile(key: string): Promise<LocalFile> {
    checkKey(key)
    return { path: this.#pathOf(key), release: () => undefined }
  }

  async temporaryPath(): Promise<string> {
    this.#checkOpen()
    return this.#fs.join(this.#temporary, `${this.#fs.owner}-${this.#instance}-${(this.#counter++).toString(36)}`)
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #pathOf(key: string): string {
    return this.#fs.join(this.#root, ...key.split('/'))
  }

  async #sizeOf(key: string): Promise<number | undefined> {
    checkKey(key)
    this.#checkOpen()
    try {
      return await this.#fs.fileSize(this.#pathOf(key))
    } catch (error) {
      throw ioError(`cannot look at ${key}`, error, undefined)
    }
  }

  async #rename(from: string, key: string): Promise<void> {
    const path = this.#pathOf(key)
    const folder = this.#fs.dirname(path)
    await this.#makeFolder(folder)
    try {
      await this.#fs.rename(from, path)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      // The folder was removed by deletePrefix, here or in another process, since it was made.
      this.#folders.clear()
      await this.#makeFolder(folder)
      await this.#fs.rename(from, path)
    }
    await this.#sync(() => this.#fs.syncDirectory(folder))
  }

  /** Makes a folder and its parents; each new name is synced in its parent before anything is put into it. */
  async #makeFolder(path: string): Promise<void> {
    if (this.#folders.has(path)) return
    const parent = this.#fs.dirname(path)
    let made = true
    try {
      await this.#fs.mkdir(path)
    } catch (error) {
      if (codeOf(error) === 'ENOENT' && parent !== path) {
        await this.#makeFolder(parent)
        return this.#makeFolder(path)
      }
      if (codeOf(error) !== 'EEXIST') throw error
      made = false
    }
    // A folder of ours that was there may have been made by a process that died before it synced the name.
    if (made || path.length > this.#root.length) await this.#sync(() => this.#fs.syncDirectory(parent))
    this.#folders.add(path)
  }

  async #walk(folder: string, prefix: string, found: StoredObject[]): Promise<void> {
    let entries
    try {
      entries = await this.#fs.readdir(folder === '' ? this.#root : this.#pathOf(folder.slice(0, -1)))
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return
      throw error
    }
    for (const { name, isDirectory } of entries) {
      const key = folder + name
      if (name.startsWith('.')) continue
      if (isDirectory) {
        if (`${key}/`.startsWith(prefix) || prefix.startsWith(`${key}/`)) await this.#walk(`${key}/`, prefix, found)
      } else if (key.startsWith(prefix)) {
        const bytes = await this.#fs.fileSize(this.#pathOf(key))
        if (bytes !== undefined) found.push({ key, bytes })
      }
    }
  }

  async #unlink(path: string): Promise<void> {
    try {
      await this.#fs.unlink(path)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }

  /** After a sync has failed the kernel may have dropped the pages and report success next time: the storage is failed for good. */
  async #sync(sync: () => Promise<void>): Promise<void> {
    try {
      await sync()
    } catch (error) {
      this.#failure ??= error
      throw new StorageError('STORAGE_FAILED', `a sync of ${this.#root} failed`, { cause: error, outcome: 'unknown' })
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new StorageError('STORAGE_CLOSED', 'the storage is closed', { outcome: 'not-applied' })
  }

  #checkWritable(): void {
    this.#checkOpen()
    if (this.#failure !== undefined) {
      throw new StorageError('STORAGE_FAILED', `an earlier sync of ${this.#root} failed`, { cause: this.#failure, outcome: 'not-applied' })
    }
  }
}

/** Temporary names are `<pid>-<start>-<instance>-<counter>`; the first two are the owner. */
function ownerOf(name: string): string {
  return name.split('-').slice(0, 2).join('-')
}
