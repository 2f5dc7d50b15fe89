/// <reference lib="esnext.disposable" />
import { makePrivateFolder, nodeFileSystem } from './edge.ts'
import { StorageError } from './errors.ts'
import { ioError, readAll, writeAll } from './io.ts'
import { checkKey, checkPrefix, checkRange } from './keys.ts'
import type { ByteRange, FileSystem, LocalFile, ObjectStorage, StoredObject } from './storage.ts'

export interface MemoryStorageOptions {
  readonly fs?: FileSystem | undefined
  /** Makes the folder for `temporaryPath`, when it is first asked for. */
  readonly makeFolder?: (() => Promise<{ path: string; remove(): Promise<void> }>) | undefined
}

type Entry = { readonly bytes: Uint8Array } | { readonly path: string; readonly size: number }

/**
 * Objects in memory, for nodes that keep nothing. Files that libraries write for `adopt` stay files, in a private temporary
 * folder that `close` removes.
 */
export function createMemoryStorage(options: MemoryStorageOptions = {}): ObjectStorage {
  return new MemoryStorage(options.fs ?? nodeFileSystem, options.makeFolder ?? makePrivateFolder)
}

class MemoryStorage implements ObjectStorage {
  readonly #entries = new Map<string, Entry>()
  readonly #fs: FileSystem
  readonly #makeFolder: () => Promise<{ path: string; remove(): Promise<void> }>
  #folder: Promise<{ path: string; remove(): Promise<void> }> | undefined
  #counter = 0
  #closed = false

  constructor(fs: FileSystem, makeFolder: () => Promise<{ path: string; remove(): Promise<void> }>) {
    this.#fs = fs
    this.#makeFolder = makeFolder
  }

  async put(key: string, data: Uint8Array | Iterable<Uint8Array>): Promise<void> {
    checkKey(key)
    this.#checkOpen()
    const bytes = join(data instanceof Uint8Array ? [data] : [...data])
    await this.#replace(key, { bytes })
  }

  async adopt(path: string, key: string): Promise<void> {
    checkKey(key)
    this.#checkOpen()
    const size = await this.#fs.fileSize(path)
    if (size === undefined) throw new StorageError('STORAGE_NOT_FOUND', `there is no file to adopt as ${key}`, { outcome: 'not-applied' })
    await this.#replace(key, { path, size })
  }

  async get(key: string, range?: ByteRange): Promise<Uint8Array> {
    const length = range?.length ?? (await this.size(key))
    checkRange(range?.offset ?? 0, length)
    const target = new Uint8Array(length)
    await this.readInto(key, target, range?.offset ?? 0)
    return target
  }

  async readInto(key: string, target: Uint8Array, offset = 0): Promise<void> {
    checkRange(offset, target.length)
    const entry = this.#entry(key)
    const file =
      'path' in entry ? await this.#fs.open(entry.path, 'read') : new BytesFile('bytes' in entry ? entry.bytes : new Uint8Array())
    try {
      await readAll(file, target, offset, key)
    } catch (error) {
      throw ioError(`cannot read ${key}`, error, undefined)
    } finally {
      await file.close()
    }
  }

  async size(key: string): Promise<number> {
    return sizeOf(this.#entry(key))
  }

  async exists(key: string): Promise<boolean> {
    checkKey(key)
    this.#checkOpen()
    return this.#entries.has(key)
  }

  async list(prefix: string): Promise<readonly StoredObject[]> {
    checkPrefix(prefix)
    this.#checkOpen()
    const found: StoredObject[] = []
    for (const [key, entry] of this.#entries) if (key.startsWith(prefix)) found.push({ key, bytes: sizeOf(entry) })
    return found.sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  async delete(key: string): Promise<void> {
    checkKey(key)
    this.#checkOpen()
    await this.#replace(key, undefined)
  }

  async deletePrefix(prefix: string): Promise<void> {
    for (const { key } of await this.list(prefix)) await this.delete(key)
  }

  localPath(key: string): string | undefined {
    checkKey(key)
    const entry = this.#entries.get(key)
    return entry !== undefined && 'path' in entry ? entry.path : undefined
  }

  /** Of what was put as bytes a file is written, which goes with its release. */
  async openFile(key: string): Promise<LocalFile> {
    const entry = this.#entry(key)
    if ('path' in entry) return { path: entry.path, release: () => undefined }
    const path = await this.temporaryPath()
    const file = await this.#fs.open(path, 'create')
    try {
      await writeAll(file, [entry.bytes])
    } catch (error) {
      throw ioError(`cannot copy ${key}`, error, undefined)
    } finally {
      await file.close()
    }
    return { path, release: () => void this.#fs.unlink(path).catch(() => undefined) }
  }

  async temporaryPath(): Promise<string> {
    this.#checkOpen()
    this.#folder ??= this.#makeFolder()
    return this.#fs.join((await this.#folder).path, (this.#counter++).toString(36))
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#entries.clear()
    await (await this.#folder)?.remove()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #replace(key: string, entry: Entry | undefined): Promise<void> {
    const old = this.#entries.get(key)
    if (entry === undefined) this.#entries.delete(key)
    else this.#entries.set(key, entry)
    if (old !== undefined && 'path' in old) await this.#fs.unlink(old.path).catch(() => undefined)
  }

  #entry(key: string): Entry {
    checkKey(key)
    this.#checkOpen()
    const entry = this.#entries.get(key)
    if (entry === undefined) throw new StorageError('STORAGE_NOT_FOUND', `there is no object ${key}`, { details: { key } })
    return entry
  }

  #checkOpen(): void {
    if (this.#closed) throw new StorageError('STORAGE_CLOSED', 'the storage is closed', { outcome: 'not-applied' })
  }
}

class BytesFile {
  readonly #bytes: Uint8Array
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    const part = this.#bytes.subarray(position, position + target.length)
    target.set(part)
    return part.length
  }

  async write(): Promise<number> {
    return 0
  }

  async datasync(): Promise<void> {}
  async close(): Promise<void> {}
}

function sizeOf(entry: Entry): number {
  return 'path' in entry ? entry.size : entry.bytes.length
}

function join(chunks: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}
