/**
 * How far a channel may be read by other processes: the offset behind its last acknowledged frame, and its checksum, in a
 * file beside the segments. It is not synced: after a crash the frames themselves tell.
 */
import { crc32 } from 'node:zlib'
import { readFully, type FileSystem, type OpenFile } from './file-system.ts'

const name = 'committed'
const size = 12

/** Writes it; never in the way of a commit, and what fails here fails nothing. */
export class CommitMark {
  readonly #fs: FileSystem
  readonly #path: string
  #file: OpenFile | undefined
  #end = 0
  #written = -1
  #writing: Promise<void> | undefined

  constructor(fs: FileSystem, folder: string) {
    this.#fs = fs
    this.#path = `${folder}/${name}`
  }

  async open(end: number): Promise<void> {
    this.#end = end
    try {
      await this.#write()
    } catch {
      // Without it others cannot read; this process can.
    }
  }

  /** Written over where it is there: a full disk has no room for a new one. */
  #open(): Promise<OpenFile> {
    return this.#fs.open(this.#path, 'write').catch(() => this.#fs.open(this.#path, 'create'))
  }

  /** One write is under way at a time, and the next one takes the newest value. */
  move(end: number): void {
    this.#end = end
    this.#writing ??= this.#write()
      .catch(() => {})
      .finally(() => {
        this.#writing = undefined
        if (this.#written >= 0 && this.#written < this.#end) this.move(this.#end)
      })
  }

  async #write(): Promise<void> {
    const end = this.#end
    this.#written = -1
    const mark = Buffer.alloc(size)
    mark.writeBigUInt64LE(BigInt(end), 0)
    mark.writeUInt32LE(crc32(mark.subarray(0, 8)), 8)
    this.#file ??= await this.#open()
    await this.#file.write(mark, 0)
    this.#written = end
  }

  async close(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
    await this.#file?.close().catch(() => {})
  }
}

/** `undefined` where there is none, or it is just being written. */
export async function readMark(fs: FileSystem, folder: string): Promise<number | undefined> {
  let file: OpenFile | undefined
  try {
    file = await fs.open(`${folder}/${name}`, 'read')
    const mark = Buffer.alloc(size)
    if ((await readFully(file, mark, 0)) < size || crc32(mark.subarray(0, 8)) !== mark.readUInt32LE(8)) return undefined
    return Number(mark.readBigUInt64LE(0))
  } catch {
    return undefined
  } finally {
    await file?.close()
  }
}
