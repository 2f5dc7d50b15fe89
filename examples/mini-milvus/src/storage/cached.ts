/// <reference lib="esnext.disposable" />
/** Object storage on another machine, with copies here of what libraries map and segments are read from. */
import { StorageError } from './errors.ts'
import { openFileCache, sumOf, type FileCache } from './file-cache.ts'
import { ioError, readAll, writeAll } from './io.ts'
import { checkKey, checkPrefix, checkRange } from './keys.ts'
import type { RemoteObjects } from './remote.ts'
import type { ByteRange, FileSystem, LocalFile, ObjectStorage, ObjectSum, StoredObject } from './storage.ts'

export interface CachedStorageOptions {
  readonly remote: RemoteObjects
  /** Folder of this machine for copies. */
  readonly cachePath: string
  readonly maxCacheBytes: number
  readonly fs: FileSystem
  readonly nameOf: (key: string) => string
}

const MAX_DELETES = 8
const STEP_BYTES = 4 * 1024 * 1024
/** Some parts at once, as the remote reads them. */
const DOWNLOAD_BYTES = 64 * 1024 * 1024

/** Closes `remote` at close, and when it fails. */
export async function openCachedStorage(options: CachedStorageOptions): Promise<ObjectStorage> {
  const { remote, cachePath, maxCacheBytes, fs, nameOf } = options
  try {
    return new CachedStorage(remote, await openFileCache({ path: cachePath, maxBytes: maxCacheBytes, fs, nameOf }), fs)
  } catch (error) {
    await remote.close()
    throw ioError(`cannot open the folder ${cachePath}`, error, undefined)
  }
}

class CachedStorage implements ObjectStorage {
  readonly #remote: RemoteObjects
  readonly #cache: FileCache
  readonly #fs: FileSystem
  readonly #temporary = new Set<string>()
  #closed = false

  constructor(remote: RemoteObjects, cache: FileCache, fs: FileSystem) {
    this.#remote = remote
    this.#cache = cache
    this.#fs = fs
  }

  async put(key: string, data: Uint8Array | Iterable<Uint8Array>): Promise<void> {
    checkKey(key)
    this.#checkOpen()
    await this.#remote.put(key, data instanceof Uint8Array ? [data] : data)
    this.#cache.forget(key)
  }

  async get(key: string, range?: ByteRange): Promise<Uint8Array> {
    const length = range?.length ?? (await this.size(key))
    checkRange(range?.offset ?? 0, length)
    const target = new Uint8Array(length)
    await this.readInto(key, target, range?.offset ?? 0)
    return target
  }

  async readInto(key: string, target: Uint8Array, offset = 0, sum?: ObjectSum): Promise<void> {
    checkKey(key)
    checkRange(offset, target.length)
    this.#checkOpen()
    if (target.length === 0) return void (await this.size(key))
    if (sum === undefined) return this.#remote.readInto(key, target, offset)
    const copy = await this.openFile(key, sum)
    try {
      const file = await this.#fs.open(copy.path, 'read')
      try {
        await readAll(file, target, offset, key)
      } finally {
        await file.close()
      }
    } catch (error) {
      throw ioError(`cannot read ${key}`, error, undefined)
    } finally {
      copy.release()
    }
  }

  async size(key: string): Promise<number> {
    checkKey(key)
    this.#checkOpen()
    const size = await this.#remote.size(key)
    if (size === undefined) throw new StorageError('STORAGE_NOT_FOUND', `there is no object ${key}`, { details: { key } })
    return size
  }

  async exists(key: string): Promise<boolean> {
    checkKey(key)
    this.#checkOpen()
    return (await this.#remote.size(key)) !== undefined
  }

  async list(prefix: string): Promise<readonly StoredObject[]> {
    checkPrefix(prefix)
    this.#checkOpen()
    const found: StoredObject[] = []
    let next: string | undefined
    do {
      const page = await this.#remote.list(prefix, next)
      for (const object of page.objects) if (!object.key.endsWith('/') && !object.key.startsWith('.')) found.push(object)
      next = page.next
    } while (next !== undefined)
    return found.sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  async delete(key: string): Promise<void> {
    checkKey(key)
    this.#checkOpen()
    await this.#remote.delete(key)
    this.#cache.forget(key)
  }

  async deletePrefix(prefix: string): Promise<void> {
    const keys = (await this.list(prefix)).map(({ key }) => key)
    const worker = async (): Promise<void> => {
      for (let key = keys.pop(); key !== undefined; key = keys.pop()) await this.delete(key)
    }
    await Promise.all(Array.from({ length: MAX_DELETES }, worker))
  }

  localPath(key: string): undefined {
    checkKey(key)
  }

  async openFile(key: string, sum: ObjectSum): Promise<LocalFile> {
    checkKey(key)
    this.#checkOpen()
    try {
      return await this.#cache.use(key, sum, (path) => this.#download(key, path, sum.bytes))
    } catch (error) {
      throw ioError(`cannot copy ${key}`, error, undefined)
    }
  }

  async temporaryPath(): Promise<string> {
    this.#checkOpen()
    const path = this.#cache.temporaryPath()
    this.#temporary.add(path)
    return path
  }

  async adopt(path: string, key: string): Promise<void> {
    checkKey(key)
    this.#checkOpen()
    if (!this.#temporary.has(path)) throw new RangeError(`expected \`path\` to come from temporaryPath, got ${JSON.stringify(path)}`)
    try {
      const sum = await sumOf(this.#fs, path)
      await this.#remote.put(key, this.#contents(path))
      await this.#cache.adopt(path, key, sum)
      this.#temporary.delete(path)
    } catch (error) {
      throw ioError(`cannot adopt a file as ${key}`, error, 'not-applied')
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const path of this.#temporary) await this.#fs.unlink(path).catch(() => undefined)
    await this.#cache.close()
    await this.#remote.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** In steps, so that memory stays bounded however long the object is. */
  async #download(key: string, path: string, bytes: number): Promise<void> {
    const file = await this.#fs.open(path, 'create')
    try {
      const buffer = new Uint8Array(Math.min(bytes, DOWNLOAD_BYTES))
      let at = 0
      do {
        const part = buffer.subarray(0, Math.min(buffer.length, bytes - at))
        if (part.length > 0) await this.#remote.readInto(key, part, at)
        await writeAll({ ...file, write: (chunk, position) => file.write(chunk, at + position) }, [part])
        at += part.length
      } while (at < bytes)
    } finally {
      await file.close()
    }
  }

  async *#contents(path: string): AsyncGenerator<Uint8Array> {
    const file = await this.#fs.open(path, 'read')
    try {
      const buffer = new Uint8Array(STEP_BYTES)
      for (let at = 0; ; ) {
        const read = await file.read(buffer, at)
        if (read === 0) return
        yield buffer.subarray(0, read)
        at += read
      }
    } finally {
      await file.close()
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new StorageError('STORAGE_CLOSED', 'the storage is closed', { outcome: 'not-applied' })
  }
}
