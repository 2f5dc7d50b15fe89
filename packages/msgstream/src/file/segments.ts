/** The segment files of one channel, oldest first. */
import { placeFile, type FileSystem } from './file-system.ts'
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES } from './frame.ts'
import { Segment, segmentBase, segmentName } from './segment.ts'

const maxOpen = 4

export class Segments {
  readonly folder: string
  readonly #fs: FileSystem
  #list: Segment[] = []

  constructor(fs: FileSystem, folder: string) {
    this.#fs = fs
    this.folder = folder
  }

  get oldest(): Segment | undefined {
    return this.#list[0]
  }

  get newest(): Segment | undefined {
    return this.#list[this.#list.length - 1]
  }

  /** Find what is there; left-over temporary files are swept. */
  async load(): Promise<void> {
    const bases: number[] = []
    for (const name of (await this.#fs.list(this.folder)) ?? []) {
      const base = segmentBase(name)
      if (base !== undefined) bases.push(base)
      else if (name.endsWith('.tmp')) await this.#fs.unlink(`${this.folder}/${name}`)
    }
    for (const base of bases.sort((a, b) => a - b)) {
      const path = `${this.folder}/${segmentName(base)}`
      const file = await this.#fs.open(path, 'read')
      try {
        this.#list.push(new Segment(this.#fs, this.folder, base, await file.size(), await this.#fs.modified(path)))
      } finally {
        await file.close()
      }
    }
  }

  /** Look again, for what another process made, wrote and deleted. False when the folder is gone. */
  async refresh(): Promise<boolean> {
    const names = await this.#fs.list(this.folder)
    if (names === undefined) return false
    const bases = names.flatMap((name) => segmentBase(name) ?? []).sort((a, b) => a - b)
    const known = new Map(this.#list.map((it) => [it.base, it]))
    const newest = this.newest?.base ?? 0
    this.#list = bases.map((base) => known.get(base) ?? new Segment(this.#fs, this.folder, base, SEGMENT_HEADER_BYTES, 0))
    for (const segment of known.values()) if (!bases.includes(segment.base)) void segment.close()
    // The newest one of before may have grown too before it was left, however many came behind it.
    for (const segment of this.#list) if (segment.base >= newest || segment.size === SEGMENT_HEADER_BYTES) await this.#measure(segment)
    return true
  }

  async #measure(segment: Segment): Promise<void> {
    try {
      const file = await this.#fs.open(segment.path, 'read')
      try {
        segment.size = await file.size()
      } finally {
        await file.close()
      }
    } catch {
      // Retention took it just now: the next look finds it gone.
    }
  }

  async create(base: number, epoch: number, now: number): Promise<Segment> {
    await placeFile(this.#fs, this.folder, segmentName(base), encodeSegmentHeader(base, epoch))
    // An empty one of an earlier writer: the new file took its place.
    if (this.newest?.base === base) void this.#list.pop()?.close()
    const segment = new Segment(this.#fs, this.folder, base, SEGMENT_HEADER_BYTES, now)
    this.#list.push(segment)
    return segment
  }

  /** The segment that holds this offset, and the first offset of the one behind it. */
  find(offset: number): { segment: Segment; next: number } | undefined {
    for (let i = this.#list.length - 1; i >= 0; i--) {
      const segment = this.#list[i] as Segment
      if (segment.base <= offset) return { segment, next: this.#list[i + 1]?.base ?? Infinity }
    }
    return undefined
  }

  /** Keep the number of open descriptors small: close others when this one is about to be read. */
  limitOpen(reading: Segment): void {
    const others = this.#list.filter((it) => it.open && it !== reading)
    for (let i = 0; i <= others.length - maxOpen; i++) void others[i]?.close()
  }

  /** Delete whole segments from the oldest on while `drop` says so; never the newest. */
  async dropWhile(drop: (segment: Segment, next: Segment, totalBytes: number) => boolean): Promise<boolean> {
    let total = this.#list.reduce((sum, { size }) => sum + size, 0)
    let dropped = false
    for (let [segment, next] = this.#list; segment !== undefined && next !== undefined && drop(segment, next, total); [segment, next] = this.#list) {
      this.#list.shift()
      total -= segment.size
      dropped = true
      await segment.close()
      await this.#fs.unlink(segment.path)
    }
    if (dropped) await this.#fs.syncFolder(this.folder)
    return dropped
  }

  async close(): Promise<void> {
    await Promise.all(this.#list.map((it) => it.close()))
  }
}
