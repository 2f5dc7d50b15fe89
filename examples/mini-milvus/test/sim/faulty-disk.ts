/**
 * A disk in memory that keeps what was not synced apart from what was: a power cut leaves any subset of unsynced writes, torn at 512
 * bytes, and a prefix of the unsynced changes of names. It can be full. Log and storage each see it through their own contract.
 */
import type { FileSystem as LogFiles, OpenFile as LogFile } from '@timetick/msgstream/file'
import type { FileSystem as ObjectFiles, OpenFile as ObjectFile } from '../../src/storage/index.ts'

interface Inode {
  live: Buffer
  durable: Buffer
  pending: { readonly position: number; readonly data: Buffer | 'cut' }[]
}

type Entry = Inode | 'folder'

interface NameChange {
  readonly folder: string
  readonly apply: (names: Map<string, Entry>) => void
}

/** Runs an operation, or never returns: the process that asked may be dead. */
export type Gate = <T>(run: () => T) => Promise<T>

const TORN_BYTES = 512
const fail = (code: string, path: string): Error => Object.assign(new Error(`${code}: ${path}`), { code })
const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/'

export class FaultyDisk {
  #names = new Map<string, Entry>([['/', 'folder']])
  #durable = new Map<string, Entry>([['/', 'folder']])
  #changes: NameChange[] = []
  /** Bytes that may still be written. */
  roomBytes = Infinity

  logFiles(gate: Gate): LogFiles {
    return {
      open: (path, mode) => gate(() => this.#logFile(gate, this.#open(path, mode === 'create'))),
      list: (path) => gate(() => this.#list(path)),
      mkdir: (path) => gate(() => this.#makeFolders(path)),
      rename: (from, to) => gate(() => this.#rename(from, to)),
      unlink: (path) => gate(() => this.#unlink(path)),
      rmdir: (path) => gate(() => this.#rmdir(path)),
      modified: () => gate(() => 0),
      syncFolder: (path) => gate(() => this.#syncFolder(path)),
    }
  }

  objectFiles(gate: Gate): ObjectFiles {
    return {
      open: (path, mode) => gate(() => this.#objectFile(gate, this.#open(path, mode === 'create'))),
      rename: (from, to) => gate(() => this.#rename(from, to)),
      mkdir: (path) => gate(() => this.#mkdir(path)),
      readdir: (path) =>
        gate(() => {
          const names = this.#list(path)
          if (names === undefined) throw fail('ENOENT', path)
          return names.map((name) => ({ name, isDirectory: this.#names.get(`${path}/${name}`) === 'folder' }))
        }),
      fileSize: (path) =>
        gate(() => {
          const entry = this.#names.get(path)
          return entry === undefined || entry === 'folder' ? undefined : entry.live.length
        }),
      unlink: (path) => gate(() => this.#unlink(path)),
      rmdir: (path) => gate(() => this.#rmdir(path)),
      syncDirectory: (path) => gate(() => this.#syncFolder(path)),
      owner: '1-start',
      isAlive: () => false,
      join: (...parts) => parts.join('/'),
      dirname: parentOf,
    }
  }

  /** What a library does that knows nothing of syncs. */
  writeFile(path: string, bytes: Uint8Array): void {
    this.#write(this.#open(path, true), bytes, 0)
  }

  /** The bytes of a file, undefined without one. */
  bytes(path: string): Uint8Array | undefined {
    const entry = this.#names.get(path)
    return entry === undefined || entry === 'folder' ? undefined : entry.live
  }

  paths(prefix: string): string[] {
    return [...this.#names].filter(([name, entry]) => entry !== 'folder' && name.startsWith(prefix)).map(([name]) => name).sort()
  }

  /** Power goes and comes: of what was not synced, chance decides. */
  losePower(random: () => number): void {
    const names = new Map(this.#durable)
    const kept = Math.floor(random() * (this.#changes.length + 1))
    for (const { apply } of this.#changes.slice(0, kept)) apply(names)
    for (const path of names.keys()) {
      if (path !== '/' && !isReachable(names, path)) names.delete(path)
    }
    const images = new Map<Inode, Inode>()
    for (const [path, entry] of names) {
      if (entry === 'folder') continue
      let image = images.get(entry)
      if (image === undefined) images.set(entry, (image = imageOf(entry, random)))
      names.set(path, image)
    }
    this.#names = names
    this.#durable = new Map(names)
    this.#changes = []
  }

  #logFile(gate: Gate, inode: Inode): LogFile {
    return {
      ...this.#objectFile(gate, inode),
      truncate: (bytes) =>
        gate(() => {
          inode.live = Buffer.from(inode.live.subarray(0, bytes))
          inode.pending.push({ position: bytes, data: 'cut' })
        }),
      size: () => gate(() => inode.live.length),
    }
  }

  #objectFile(gate: Gate, inode: Inode): ObjectFile {
    return {
      write: (bytes, position) => gate(() => this.#write(inode, bytes, position)),
      read: (target, position) => gate(() => inode.live.copy(target, 0, position, position + target.length)),
      datasync: () =>
        gate(() => {
          inode.durable = inode.live
          inode.pending = []
        }),
      close: async () => undefined,
    }
  }

  #write(inode: Inode, bytes: Uint8Array, position: number): number {
    if (this.roomBytes <= 0) throw fail('ENOSPC', 'no space left on device')
    const part = Buffer.from(bytes.subarray(0, Math.min(bytes.length, this.roomBytes)))
    this.roomBytes -= part.length
    inode.live = placed(inode.live, position, part)
    inode.pending.push({ position, data: part })
    return part.length
  }

  #open(path: string, create: boolean): Inode {
    if (create) {
      const inode: Inode = { live: Buffer.alloc(0), durable: Buffer.alloc(0), pending: [] }
      this.#change(path, (names) => names.set(path, inode))
      return inode
    }
    return this.#inode(path)
  }

  #inode(path: string): Inode {
    const entry = this.#names.get(path)
    if (entry === undefined || entry === 'folder') throw fail('ENOENT', path)
    return entry
  }

  #list(path: string): string[] | undefined {
    if (this.#names.get(path) !== 'folder') return undefined
    const prefix = path === '/' ? '/' : `${path}/`
    return [...this.#names.keys()].filter((name) => name.length > prefix.length && name.startsWith(prefix) && !name.slice(prefix.length).includes('/')).map((name) => name.slice(prefix.length))
  }

  #mkdir(path: string): void {
    if (this.#names.has(path)) throw fail('EEXIST', path)
    if (this.#names.get(parentOf(path)) !== 'folder') throw fail('ENOENT', path)
    this.#change(path, (names) => names.set(path, 'folder'))
  }

  #makeFolders(path: string): void {
    if (this.#names.has(path)) return
    this.#makeFolders(parentOf(path))
    this.#mkdir(path)
  }

  #rename(from: string, to: string): void {
    const entry = this.#names.get(from)
    if (entry === undefined || this.#names.get(parentOf(to)) !== 'folder') throw fail('ENOENT', from)
    if (entry !== 'folder') {
      // The new name is the file's, whether its old one was ever durable or not.
      this.#change(to, (names) => names.set(to, entry))
      this.#change(from, (names) => names.delete(from))
      return
    }
    this.#change(to, (names) => {
      for (const [name, moved] of new Map(names)) {
        if (name !== from && !name.startsWith(`${from}/`)) continue
        names.delete(name)
        names.set(to + name.slice(from.length), moved)
      }
    })
  }

  #unlink(path: string): void {
    this.#inode(path)
    this.#change(path, (names) => names.delete(path))
  }

  #rmdir(path: string): void {
    if (this.#list(path)?.length !== 0) throw fail('ENOTEMPTY', path)
    this.#change(path, (names) => names.delete(path))
  }

  #syncFolder(folder: string): void {
    for (const change of this.#changes) if (change.folder === folder) change.apply(this.#durable)
    this.#changes = this.#changes.filter((change) => change.folder !== folder)
  }

  #change(path: string, apply: (names: Map<string, Entry>) => void): void {
    apply(this.#names)
    this.#changes.push({ folder: parentOf(path), apply })
  }
}

function isReachable(names: ReadonlyMap<string, Entry>, path: string): boolean {
  for (let folder = parentOf(path); folder !== '/'; folder = parentOf(folder)) if (names.get(folder) !== 'folder') return false
  return true
}

function placed(buffer: Buffer, position: number, data: Buffer): Buffer {
  const result = Buffer.alloc(Math.max(buffer.length, position + data.length))
  buffer.copy(result)
  data.copy(result, position)
  return result
}

function imageOf({ durable, pending }: Inode, random: () => number): Inode {
  let bytes: Buffer = Buffer.from(durable)
  for (const { position, data } of pending) {
    if (data === 'cut') {
      if (random() < 0.5) bytes = Buffer.from(bytes.subarray(0, position))
      continue
    }
    // The length may be there before the data: a tail of zeros.
    const missing = position + data.length - bytes.length
    if (missing > 0 && random() < 0.3) bytes = Buffer.concat([bytes, Buffer.alloc(missing)])
    for (let at = 0; at < data.length; ) {
      const end = Math.min(data.length, at + TORN_BYTES - ((position + at) % TORN_BYTES))
      if (random() < 0.6) bytes = placed(bytes, position + at, data.subarray(at, end))
      at = end
    }
  }
  return { live: bytes, durable: bytes, pending: [] }
}
