/** Objects in memory that survive lives, and files that libraries would have written. */
import { StorageError, type ByteRange, type LocalFile, type ObjectStorage, type StoredObject } from '../../src/storage/index.ts'

export class SimulatedStorage implements ObjectStorage {
  readonly objects = new Map<string, Uint8Array>()
  readonly #files = new Map<string, Uint8Array>()
  #counter = 0

  async put(key: string, data: Uint8Array | Iterable<Uint8Array>): Promise<void> {
    this.objects.set(key, Uint8Array.from(Buffer.concat(data instanceof Uint8Array ? [data] : [...data])))
  }

  async get(key: string, range?: ByteRange): Promise<Uint8Array> {
    const bytes = this.#object(key)
    return range === undefined ? bytes : bytes.subarray(range.offset, range.offset + range.length)
  }

  async readInto(key: string, target: Uint8Array, offset = 0): Promise<void> {
    const bytes = this.#object(key)
    if (bytes.length < offset + target.length) throw new StorageError('STORAGE_CORRUPT', `${key} is too short`)
    target.set(bytes.subarray(offset, offset + target.length))
  }

  async size(key: string): Promise<number> {
    return this.#object(key).length
  }

  async exists(key: string): Promise<boolean> {
    return this.objects.has(key)
  }

  async list(prefix: string): Promise<readonly StoredObject[]> {
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix)).sort()
    return keys.map((key) => ({ key, bytes: this.#object(key).length }))
  }

  async delete(key: string): Promise<void> {
    this.objects.delete(key)
  }

  async deletePrefix(prefix: string): Promise<void> {
    for (const key of this.objects.keys()) if (key.startsWith(prefix)) this.objects.delete(key)
  }

  localPath(key: string): string {
    return key
  }

  async openFile(key: string): Promise<LocalFile> {
    return { path: key, release: () => undefined }
  }

  async temporaryPath(): Promise<string> {
    return `temporary/${this.#counter++}`
  }

  /** What a library does with a temporary path. */
  writeFile(path: string, bytes: Uint8Array): void {
    this.#files.set(path, bytes)
  }

  async adopt(path: string, key: string): Promise<void> {
    const bytes = this.#files.get(path)
    if (bytes === undefined) throw new StorageError('STORAGE_NOT_FOUND', `there is no file ${path}`)
    this.#files.delete(path)
    this.objects.set(key, bytes)
  }

  async close(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}

  #object(key: string): Uint8Array {
    const bytes = this.objects.get(key)
    if (bytes === undefined) throw new StorageError('STORAGE_NOT_FOUND', `there is no object ${key}`)
    return bytes
  }
}
