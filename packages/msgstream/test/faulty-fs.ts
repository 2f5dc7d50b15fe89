import { createHash } from 'node:crypto'
import type { FileSystem, OpenFile } from '../src/file.ts'

/** Random numbers in 0..1 from a 32-bit seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

interface Inode {
  live: Buffer
  durable: Buffer
  /** Since the last sync: writes, and cuts (no data). */
  pending: { position: number; data: Buffer | undefined }[]
}

type Node = Inode | 'folder'
type NameChange = { readonly folder: string; readonly apply: (names: Map<string, Node>) => void }

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/'

function write(buffer: Buffer, position: number, data: Buffer | undefined): Buffer {
  if (data === undefined) return Buffer.from(buffer.subarray(0, position))
  const result = Buffer.alloc(Math.max(buffer.length, position + data.length))
  buffer.copy(result)
  data.copy(result, position)
  return result
}

const error = (code: string): Error => Object.assign(new Error(code), { code })

/**
 * A disk in memory that keeps what was not synced apart. {@link powerLoss} builds one of the states that the fault model
 * allows: any subset of unsynced writes, torn at 512 bytes; a prefix of unsynced changes of names.
 */
export class FaultyFs implements FileSystem {
  #names = new Map<string, Node>([['/', 'folder']])
  #durableNames = new Map<string, Node>([['/', 'folder']])
  #changes: NameChange[] = []
  /** Called before each operation with its number. */
  onOperation: (count: number) => void = () => {}
  /** Makes the n-th sync from now fail. */
  failSyncIn = Infinity
  failWriteIn = Infinity
  /** Bytes that may still be written. */
  roomBytes = Infinity
  /** No new file or folder can be made. */
  noNames = false
  shortWrites = false
  #count = 0

  #step(): void {
    this.onOperation(++this.#count)
  }

  #change(path: string, apply: (names: Map<string, Node>) => void): void {
    apply(this.#names)
    this.#changes.push({ folder: folderOf(path), apply })
  }

  #inode(path: string): Inode {
    const node = this.#names.get(path)
    if (node === undefined || node === 'folder') throw error('ENOENT')
    return node
  }

  async open(path: string, mode: 'read' | 'write' | 'create'): Promise<OpenFile> {
    this.#step()
    if (mode === 'create') {
      if (this.noNames) throw error('ENOSPC')
      const inode: Inode = { live: Buffer.alloc(0), durable: Buffer.alloc(0), pending: [] }
      this.#change(path, (names) => names.set(path, inode))
    }
    const inode = this.#inode(path)
    return {
      write: async (data, position) => {
        this.#step()
        if (--this.failWriteIn === 0) throw error('EIO')
        if (this.roomBytes <= 0) throw error('ENOSPC')
        if (data.length > this.roomBytes) data = data.subarray(0, this.roomBytes)
        this.roomBytes -= data.length
        const part = Buffer.from(this.shortWrites && data.length > 1 ? data.subarray(0, data.length >> 1) : data)
        inode.live = write(inode.live, position, part)
        inode.pending.push({ position, data: part })
        return part.length
      },
      read: async (into, position) => inode.live.copy(into, 0, position, position + into.length),
      datasync: async () => {
        this.#step()
        if (--this.failSyncIn === 0) throw error('EIO')
        inode.durable = Buffer.from(inode.live)
        inode.pending = []
      },
      truncate: async (bytes) => {
        this.#step()
        inode.live = write(inode.live, bytes, undefined)
        inode.pending.push({ position: bytes, data: undefined })
      },
      size: async () => inode.live.length,
      close: async () => {},
    }
  }

  async list(path: string): Promise<string[] | undefined> {
    if (this.#names.get(path) !== 'folder') return undefined
    const prefix = path === '/' ? '/' : `${path}/`
    return [...this.#names.keys()].filter((name) => name !== '/' && name.startsWith(prefix) && !name.slice(prefix.length).includes('/')).map((name) => name.slice(prefix.length))
  }

  async mkdir(path: string): Promise<void> {
    this.#step()
    if (this.#names.has(path)) return
    if (this.noNames) throw error('ENOSPC')
    if (folderOf(path) !== '/') await this.mkdir(folderOf(path))
    this.#change(path, (names) => names.set(path, 'folder'))
  }

  async rename(from: string, to: string): Promise<void> {
    this.#step()
    if (!this.#names.has(from)) throw error('ENOENT')
    this.#change(to, (names) => {
      for (const [name, node] of new Map(names)) {
        if (name !== from && !name.startsWith(`${from}/`)) continue
        names.delete(name)
        names.set(to + name.slice(from.length), node)
      }
    })
  }

  async unlink(path: string): Promise<void> {
    this.#step()
    this.#inode(path)
    this.#change(path, (names) => names.delete(path))
  }

  async rmdir(path: string): Promise<void> {
    this.#step()
    if ((await this.list(path))?.length !== 0) throw error('ENOTEMPTY')
    this.#change(path, (names) => names.delete(path))
  }

  async modified(): Promise<number> {
    return 0
  }

  async syncFolder(path: string): Promise<void> {
    this.#step()
    if (--this.failSyncIn === 0) throw error('EIO')
    for (const { folder, apply } of this.#changes) if (folder === path) apply(this.#durableNames)
    this.#changes = this.#changes.filter(({ folder }) => folder !== path)
  }

  /** What the disk may hold after a power cut now. */
  powerLoss(random: () => number): FaultyFs {
    const names = new Map(this.#durableNames)
    const kept = Math.floor(random() * (this.#changes.length + 1))
    for (const { apply } of this.#changes.slice(0, kept)) apply(names)
    const image = new FaultyFs()
    const copies = new Map<Inode, Inode>()
    for (const [name, node] of names) {
      let reachable = true
      for (let folder = folderOf(name); folder !== '/'; folder = folderOf(folder)) reachable &&= names.get(folder) === 'folder'
      if (!reachable) continue
      const copy = node === 'folder' ? node : (copies.get(node) ?? crashed(node, random))
      if (node !== 'folder' && copy !== 'folder') copies.set(node, copy)
      image.#names.set(name, copy)
      image.#durableNames.set(name, copy)
    }
    return image
  }

  /** Every state the disk may be in after a power cut now; where writes are many, a sample of their subsets. */
  *images(random: () => number): Generator<FaultyFs> {
    for (let kept = 0; kept <= this.#changes.length; kept++) {
      const names = new Map(this.#durableNames)
      for (const { apply } of this.#changes.slice(0, kept)) apply(names)
      const dirty = [...new Set(names.values())].filter((node): node is Inode => node !== 'folder' && node.pending.length > 0)
      for (const states of product(dirty.map((node) => crashStates(node, random)))) {
        const image = new FaultyFs()
        for (const [name, node] of names) {
          let reachable = true
          for (let folder = folderOf(name); folder !== '/'; folder = folderOf(folder)) reachable &&= names.get(folder) === 'folder'
          if (!reachable) continue
          const data = node === 'folder' ? undefined : (states[dirty.indexOf(node)] ?? node.durable)
          const copy = data === undefined ? 'folder' : { live: data, durable: data, pending: [] }
          image.#names.set(name, copy)
          image.#durableNames.set(name, copy)
        }
        yield image
      }
    }
  }

  /** The disk as it goes on when only the process was killed: what was not synced is still under way. */
  killed(): FaultyFs {
    const image = new FaultyFs()
    const copies = new Map<Inode, Inode>()
    const copy = (node: Node): Node => {
      if (node === 'folder') return node
      const known = copies.get(node) ?? { live: Buffer.from(node.live), durable: Buffer.from(node.durable), pending: [...node.pending] }
      copies.set(node, known)
      return known
    }
    for (const [name, node] of this.#names) {
      image.#names.set(name, copy(node))
      image.#durableNames.set(name, copy(node))
    }
    return image
  }

  /** The bytes of a file, to look at or to damage. */
  bytes(path: string): Buffer {
    return this.#inode(path).live
  }

  replace(path: string, data: Buffer): void {
    Object.assign(this.#inode(path), { live: data, durable: Buffer.from(data), pending: [] })
  }

  /** Equal for disks that hold the same. */
  digest(): string {
    const hash = createHash('sha1')
    for (const [name, node] of [...this.#names].sort(([a], [b]) => (a < b ? -1 : 1))) {
      hash.update(name)
      if (node !== 'folder') hash.update(String(node.live.length)).update(node.live)
    }
    return hash.digest('hex')
  }

  paths(): string[] {
    return [...this.#names].filter(([, node]) => node !== 'folder').map(([name]) => name).sort()
  }
}

function crashed(inode: Inode, random: () => number): Inode {
  let data: Buffer = Buffer.from(inode.durable)
  for (const { position, data: part } of inode.pending) {
    if (part === undefined) {
      if (random() < 0.5) data = write(data, position, undefined)
      continue
    }
    // The length may have become durable before the data: a tail of zeros.
    if (random() < 0.3 && data.length < position + part.length) data = write(data, position, Buffer.alloc(part.length))
    for (let at = 0; at < part.length; ) {
      const end = Math.min(part.length, at + 512 - ((position + at) % 512))
      if (random() < 0.6) data = write(data, position + at, Buffer.from(part.subarray(at, end)))
      at = end
    }
  }
  return { live: data, durable: Buffer.from(data), pending: [] }
}

function* product<T>(lists: readonly (readonly T[])[]): Generator<T[]> {
  const [head, ...tail] = lists
  if (head === undefined) {
    yield []
    return
  }
  for (const rest of product(tail)) for (const first of head) yield [first, ...rest]
}

const maxStates = 48

/** Every subset of the unsynced blocks, each with and without a tail of zeros up to the full length. */
function crashStates(inode: Inode, random: () => number): Buffer[] {
  const blocks: { position: number; data: Buffer | undefined }[] = []
  for (const { position, data } of inode.pending) {
    if (data === undefined) blocks.push({ position, data })
    else for (let at = 0; at < data.length; ) {
      const end = Math.min(data.length, at + 512 - ((position + at) % 512))
      blocks.push({ position: position + at, data: data.subarray(at, end) })
      at = end
    }
  }
  const states = new Map<string, Buffer>()
  const add = (chosen: readonly boolean[], zeros: boolean): void => {
    let data: Buffer = Buffer.from(inode.durable)
    if (zeros && data.length < inode.live.length) data = write(data, data.length, Buffer.alloc(inode.live.length - data.length))
    for (const [i, block] of blocks.entries()) if (chosen[i] === true) data = write(data, block.position, block.data)
    states.set(data.toString('latin1'), data)
  }
  const count = 2 ** blocks.length
  for (let n = 0; n < Math.min(count, maxStates); n++) {
    const bits = count <= maxStates ? blocks.map((_, i) => (n & (1 << i)) !== 0) : blocks.map(() => random() < 0.5)
    add(bits, false)
    add(bits, true)
  }
  add(blocks.map(() => true), false)
  add(blocks.map(() => false), false)
  return [...states.values()]
}
