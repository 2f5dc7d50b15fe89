/**
 * Copies of objects as files of this machine, up to a size: the ones that were not used for longest go first, what is in use stays.
 *
 * A file's name says the key, checksum and length of what it is a copy of, and it gets its name once it is whole; one that an
 * earlier life of the process left, perhaps before its bytes reached the disk, is checked before its first use.
 */
import { crc32 } from 'node:zlib'
import { StorageError } from './errors.ts'
import { codeOf } from './io.ts'
import type { FileSystem, LocalFile, ObjectSum } from './storage.ts'

export interface FileCacheOptions {
  /** Folder of all caches on this machine: each process has a folder in it, and takes over the one of a process that died. */
  readonly path: string
  readonly maxBytes: number
  readonly fs: FileSystem
  /** Names an object by letters and digits. */
  readonly nameOf: (key: string) => string
}

interface Copy extends ObjectSum {
  readonly name: string
  readonly path: string
  /** In this life its bytes were written or read and had the checksum. */
  isChecked: boolean
  pins: number
  /** Something newer has its place: it goes with its last pin. */
  isStale: boolean
}

const STEP_BYTES = 4 * 1024 * 1024
/** Begins the names of folders that nobody uses. */
const LEFT = 'left-'

/** Tells apart the caches of one process. */
let caches = 0

export async function openFileCache(options: FileCacheOptions): Promise<FileCache> {
  const cache = new FileCache(options)
  await cache.open()
  return cache
}

export class FileCache {
  readonly #options: FileCacheOptions
  readonly #folder: string
  /** By name, the one that was used last at the end. */
  readonly #copies = new Map<string, Copy>()
  readonly #fetches = new Map<string, Promise<unknown>>()
  readonly #number = caches++
  #bytes = 0
  #counter = 0

  constructor(options: FileCacheOptions) {
    this.#options = options
    this.#folder = options.fs.join(options.path, `${options.fs.owner}-${this.#number}`)
  }

  /** Bytes of all copies. */
  get bytes(): number {
    return this.#bytes
  }

  async open(): Promise<void> {
    const { fs } = this.#options
    await makeFolders(fs, this.#options.path)
    await this.#takeOver()
    await makeFolders(fs, this.#folder)
    for (const { name: file } of await fs.readdir(this.#folder)) {
      const path = fs.join(this.#folder, file)
      const [name, sum, length, number] = /^([a-z0-9]+)-([0-9a-f]{8})-(\d+)-(\d+)$/.exec(file)?.slice(1) ?? []
      this.#counter = Math.max(this.#counter, Number(number ?? 0) + 1)
      if (name === undefined || this.#copies.has(name) || (await fs.fileSize(path)) !== Number(length)) await fs.unlink(path)
      else this.#add({ name, path, bytes: Number(length), crc32: Number.parseInt(sum ?? '', 16), isChecked: false, pins: 0, isStale: false })
    }
    await this.#shrink(0)
  }

  /** Leaves the copies to whoever opens the folder next. */
  async close(): Promise<void> {
    const { fs, path } = this.#options
    await fs.rename(this.#folder, fs.join(path, `${LEFT}${fs.owner}-${this.#number}`)).catch(() => undefined)
  }

  /** A file with these bytes that stays until it is released; what is not here, or differs, comes through `fetch`, once for all who wait. */
  async use(key: string, expected: ObjectSum, fetch: (path: string) => Promise<void>): Promise<LocalFile> {
    const name = this.#options.nameOf(key)
    for (;;) {
      const copy = this.#copies.get(name)
      if (copy !== undefined && !this.#fetches.has(name)) {
        if (copy.crc32 === expected.crc32 && copy.bytes === expected.bytes && (await this.#isWhole(copy))) {
          // Only what is still listed may be pinned: it may have gone while it was checked.
          if (this.#copies.get(name) === copy) return this.#pin(copy)
          continue
        }
        this.#drop(copy)
      }
      const fetched = await this.#once(name, () => this.#fetch(key, name, expected, fetch))
      if (fetched !== undefined) return fetched
    }
  }

  /** A path for a new file on the same disk. */
  temporaryPath(): string {
    return this.#options.fs.join(this.#folder, `new-${this.#counter++}`)
  }

  /** Takes a file at a temporary path as the copy of an object. */
  async adopt(path: string, key: string, sum: ObjectSum): Promise<void> {
    const name = this.#options.nameOf(key)
    const copy = await this.#place(path, name, sum)
    copy.release()
    await this.#shrink(0)
  }

  /** The object is gone, or another one. */
  forget(key: string): void {
    const copy = this.#copies.get(this.#options.nameOf(key))
    if (copy !== undefined) this.#drop(copy)
  }

  /** Takes the folder of a dead process, the one with most copies; the others go. Renaming decides between processes that start at once. */
  async #takeOver(): Promise<void> {
    const { fs, path } = this.#options
    const dead: { readonly left: string; readonly copies: number }[] = []
    for (const { name, isDirectory } of await fs.readdir(path)) {
      if (!isDirectory || (!name.startsWith(LEFT) && fs.isAlive(name.split('-').slice(0, 2).join('-')))) continue
      const left = fs.join(path, name)
      dead.push({ left, copies: (await fs.readdir(left).catch(() => [])).length })
    }
    let taken = false
    for (const { left } of dead.sort((a, b) => b.copies - a.copies)) {
      if (!taken) taken = await fs.rename(left, this.#folder).then(() => true, () => false)
      else await this.#removeFolder(left)
    }
  }

  async #removeFolder(path: string): Promise<void> {
    const { fs } = this.#options
    for (const { name } of await fs.readdir(path).catch(() => [])) await fs.unlink(fs.join(path, name)).catch(() => undefined)
    await fs.rmdir(path).catch(() => undefined)
  }

  /** Others who want the same meanwhile wait for the end, however it ends, and look again. */
  async #once(name: string, run: () => Promise<LocalFile>): Promise<LocalFile | undefined> {
    const before = this.#fetches.get(name)
    if (before !== undefined) {
      await before.catch(() => undefined)
      return undefined
    }
    const running = run()
    this.#fetches.set(name, running)
    try {
      return await running
    } finally {
      this.#fetches.delete(name)
    }
  }

  async #fetch(key: string, name: string, expected: ObjectSum, fetch: (path: string) => Promise<void>): Promise<LocalFile> {
    const path = this.temporaryPath()
    try {
      await this.#shrink(expected.bytes)
      await fetch(path).catch(async (error: unknown) => {
        if (!isFull(error) || !(await this.#shrink(Infinity))) throw error
        await this.#options.fs.unlink(path).catch(() => undefined)
        await fetch(path)
      })
      const sum = await sumOf(this.#options.fs, path)
      if (sum.crc32 !== expected.crc32 || sum.bytes !== expected.bytes) {
        throw new StorageError('STORAGE_CORRUPT', `${key} has ${sum.bytes} bytes of checksum ${hex(sum.crc32)}, expected ${expected.bytes} of ${hex(expected.crc32)}`, { details: { key } })
      }
      return await this.#place(path, name, sum)
    } catch (error) {
      await this.#options.fs.unlink(path).catch(() => undefined)
      throw error
    }
  }

  /** Pinned from the start, or a copy larger than all there may be would go at once. */
  async #place(path: string, name: string, { bytes, crc32: sum }: ObjectSum): Promise<LocalFile> {
    const { fs } = this.#options
    // Never a name that was there before: what is still to be removed must not take the new file with it.
    const place = fs.join(this.#folder, `${name}-${hex(sum)}-${bytes}-${this.#counter++}`)
    await fs.rename(path, place)
    const old = this.#copies.get(name)
    if (old !== undefined) this.#drop(old)
    const copy: Copy = { name, path: place, bytes, crc32: sum, isChecked: true, pins: 0, isStale: false }
    this.#add(copy)
    const file = this.#pin(copy)
    await this.#shrink(0)
    return file
  }

  #add(copy: Copy): void {
    this.#copies.set(copy.name, copy)
    this.#bytes += copy.bytes
  }

  #pin(copy: Copy): LocalFile {
    copy.pins++
    this.#copies.delete(copy.name)
    this.#copies.set(copy.name, copy)
    let isReleased = false
    return {
      path: copy.path,
      release: () => {
        if (isReleased) return
        isReleased = true
        copy.pins--
        if (copy.isStale && copy.pins === 0) this.#unlink(copy)
      },
    }
  }

  async #isWhole(copy: Copy): Promise<boolean> {
    const { fs } = this.#options
    if (copy.isChecked) return (await fs.fileSize(copy.path)) === copy.bytes
    const sum = await sumOf(fs, copy.path).catch(() => undefined)
    copy.isChecked = sum?.bytes === copy.bytes && sum.crc32 === copy.crc32
    return copy.isChecked
  }

  #drop(copy: Copy): void {
    if (copy.isStale) return
    copy.isStale = true
    this.#copies.delete(copy.name)
    this.#bytes -= copy.bytes
    if (copy.pins === 0) this.#unlink(copy)
  }

  #unlink(copy: Copy): void {
    void this.#options.fs.unlink(copy.path).catch(() => undefined)
  }

  /** Makes room for so many bytes. @returns whether anything went */
  async #shrink(wanted: number): Promise<boolean> {
    let shrunk = false
    for (const copy of this.#copies.values()) {
      if (this.#bytes + wanted <= this.#options.maxBytes) break
      if (copy.pins > 0) continue
      copy.isStale = true
      this.#copies.delete(copy.name)
      this.#bytes -= copy.bytes
      shrunk = true
      await this.#options.fs.unlink(copy.path).catch(() => undefined)
    }
    return shrunk
  }
}

async function makeFolders(fs: FileSystem, path: string): Promise<void> {
  try {
    await fs.mkdir(path)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return
    if (codeOf(error) !== 'ENOENT' || fs.dirname(path) === path) throw error
    await makeFolders(fs, fs.dirname(path))
    await makeFolders(fs, path)
  }
}

export async function sumOf(fs: FileSystem, path: string): Promise<ObjectSum> {
  const file = await fs.open(path, 'read')
  try {
    const buffer = new Uint8Array(STEP_BYTES)
    let bytes = 0
    let sum = 0
    for (;;) {
      const read = await file.read(buffer, bytes)
      if (read === 0) return { bytes, crc32: sum }
      sum = crc32(buffer.subarray(0, read), sum)
      bytes += read
    }
  } finally {
    await file.close()
  }
}

function hex(sum: number): string {
  return sum.toString(16).padStart(8, '0')
}

function isFull(error: unknown): boolean {
  return codeOf(error) === 'STORAGE_FULL' || codeOf(error) === 'ENOSPC' || codeOf(error) === 'EDQUOT'
}
