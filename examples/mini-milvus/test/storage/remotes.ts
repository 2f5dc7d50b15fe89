/** Remote objects in memory that can be made to fail, and object storage over remotes. */
import { nameOfKey, nodeFileSystem, openCachedStorage, StorageError, type ObjectStorage } from '../../src/storage/index.ts'
import type { RemoteObjects } from '../../src/storage/remote.ts'

export interface MemoryRemote extends RemoteObjects {
  readonly objects: Map<string, Uint8Array>
  /** Names and keys of all calls. */
  readonly calls: string[]
  /** Called before each read. */
  onRead: (key: string) => Promise<void> | void
}

export function createMemoryRemote(): MemoryRemote {
  const objects = new Map<string, Uint8Array>()
  const calls: string[] = []
  const remote: MemoryRemote = {
    objects,
    calls,
    onRead: () => undefined,
    async put(key, chunks) {
      calls.push(`put ${key}`)
      const parts: Uint8Array[] = []
      for await (const chunk of chunks) parts.push(Uint8Array.from(chunk))
      objects.set(key, Uint8Array.from(Buffer.concat(parts)))
    },
    async readInto(key, target, offset) {
      calls.push(`read ${key}`)
      await remote.onRead(key)
      const bytes = objects.get(key)
      if (bytes === undefined) throw new StorageError('STORAGE_NOT_FOUND', `there is no object ${key}`)
      if (bytes.length < offset + target.length) throw new StorageError('STORAGE_CORRUPT', `${key} is too short`)
      target.set(bytes.subarray(offset, offset + target.length))
    },
    async size(key) {
      return objects.get(key)?.length
    },
    /** Pages of two. */
    async list(prefix, next) {
      const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && (next === undefined || key > next)).sort()
      return { objects: keys.slice(0, 2).map((key) => ({ key, bytes: objects.get(key)?.length ?? 0 })), next: keys.length > 2 ? keys[1] : undefined }
    },
    async delete(key) {
      objects.delete(key)
    },
    async close() {},
  }
  return remote
}

export function cachedStorage(remote: RemoteObjects, cachePath: string, maxCacheBytes = 1e9): Promise<ObjectStorage> {
  return openCachedStorage({ remote, cachePath, maxCacheBytes, fs: nodeFileSystem, nameOf: nameOfKey })
}
