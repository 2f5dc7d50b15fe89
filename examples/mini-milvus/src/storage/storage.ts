/// <reference lib="esnext.disposable" />
/**
 * Where segments and index files live: whole objects under keys such as `segments/7/442/data.arrow`.
 *
 * - An object that `put` or `adopt` has resolved for survives power loss, whole, under its name.
 * - An object is seen whole or not at all: a reader never meets half of a `put`, nor does the next start.
 * - Objects do not change: putting a key again replaces it as a whole.
 * - Keys are relative paths with `/`; segments that are empty or start with a dot, backslashes and control characters are refused.
 */
export interface ObjectStorage extends AsyncDisposable {
  put(key: string, data: Uint8Array | Iterable<Uint8Array>): Promise<void>
  /** The object, or `length` bytes of it from `offset`; fewer than asked for is `STORAGE_CORRUPT`. */
  get(key: string, range?: ByteRange): Promise<Uint8Array>
  /**
   * Fills `target` (which may lie on a SharedArrayBuffer) from `offset` of the object; `STORAGE_CORRUPT` if it has fewer bytes.
   * `sum`, where the caller knows it of the whole object, lets a storage on another machine read from a copy that it keeps here.
   */
  readInto(key: string, target: Uint8Array, offset?: number, sum?: ObjectSum): Promise<void>
  /** Bytes. */
  size(key: string): Promise<number>
  exists(key: string): Promise<boolean>
  /** All objects whose key begins with this text ('' for all), in order of their keys. */
  list(prefix: string): Promise<readonly StoredObject[]>
  /** A missing object is no failure. The name may come back after power loss: deletion is for what nothing refers to. */
  delete(key: string): Promise<void>
  deletePrefix(prefix: string): Promise<void>
  /** The object's own file; undefined where it has none, or is not there. */
  localPath(key: string): string | undefined
  /** A file of the object for libraries that map files. It stays until it is released; a copy is one with this sum, or `STORAGE_CORRUPT`. */
  openFile(key: string, sum: ObjectSum): Promise<LocalFile>
  /** A path where a library may write a new file, for `adopt`. Left-overs are swept. */
  temporaryPath(): Promise<string>
  /** Makes a file at a temporary path the object `key`, durably. The file is gone from its old place. */
  adopt(path: string, key: string): Promise<void>
  close(): Promise<void>
}

/** What metadata says of an object. */
export interface ObjectSum {
  readonly bytes: number
  readonly crc32: number
}

export interface LocalFile {
  readonly path: string
  /** Idempotent. The file may go afterwards. */
  release(): void
}

export interface ByteRange {
  readonly offset: number
  readonly length: number
}

export interface StoredObject {
  readonly key: string
  readonly bytes: number
}

/** What folder storage needs of a file system. Failures carry Node's `code` (`ENOENT`, `EEXIST`, `ENOSPC`, …). */
export interface FileSystem {
  open(path: string, mode: 'read' | 'create'): Promise<OpenFile>
  rename(from: string, to: string): Promise<void>
  mkdir(path: string): Promise<void>
  readdir(path: string): Promise<readonly { readonly name: string; readonly isDirectory: boolean }[]>
  /** Bytes of a file; undefined for what is missing or no file. */
  fileSize(path: string): Promise<number | undefined>
  unlink(path: string): Promise<void>
  rmdir(path: string): Promise<void>
  syncDirectory(path: string): Promise<void>
  /** Text that names this process among all that ever ran; part of temporary names. */
  readonly owner: string
  /** Whether the process of an owner text still runs. */
  isAlive(owner: string): boolean
  join(...parts: string[]): string
  dirname(path: string): string
}

export interface OpenFile {
  /** May write less than it was given. */
  write(bytes: Uint8Array, position: number): Promise<number>
  read(target: Uint8Array, position: number): Promise<number>
  datasync(): Promise<void>
  close(): Promise<void>
}
