/** The folder's identity card: format version, and an epoch that every opening for writing raises. */
import { MsgStreamError } from '../errors.ts'
import { asDiskFull } from './disk-full.ts'
import { placeFile, readFully, writeFully, type FileSystem, type OpenFile } from './file-system.ts'
import { FORMAT_VERSION } from './frame.ts'
import { Fenced } from './health.ts'

const name = 'manifest.json'

const brace = 0x7b

/**
 * A writer's hold on the folder. Opening reads it and refuses a newer format; {@link take} writes the next epoch, before anything
 * else is written. A writer that still lives, stopped or on another machine, has the old file open and finds it crossed out:
 * whatever it wrote before it looked there is found by the recovery that comes after this, and what it writes later goes to
 * segments that this writer does not use.
 */
export class Manifest {
  readonly #fs: FileSystem
  readonly #folder: string
  readonly #before: number
  /** The file of before until it is crossed out. */
  #old: OpenFile | undefined
  #own: OpenFile | undefined
  #isPlaced = false
  #taking: Promise<void> | undefined

  private constructor(fs: FileSystem, folder: string, before: number, old: OpenFile | undefined) {
    this.#fs = fs
    this.#folder = folder
    this.#before = before
    this.#old = old
  }

  static async open(fs: FileSystem, folder: string): Promise<Manifest> {
    const before = await readEpoch(fs, folder)
    return new Manifest(fs, folder, before, before === 0 ? undefined : await fs.open(`${folder}/${name}`, 'write'))
  }

  get epoch(): number {
    return this.#before + 1
  }

  /** False where the disk had no room for it yet: then nothing may be written. */
  get isTaken(): boolean {
    return this.#own !== undefined
  }

  /** Rejects with {@link DiskFull} where there is no room: then again before the next write. */
  take(): Promise<void> {
    if (this.#own !== undefined) return Promise.resolve()
    this.#taking ??= this.#take().finally(() => {
      this.#taking = undefined
    })
    return this.#taking
  }

  async #take(): Promise<void> {
    if (!(await this.isHeld())) throw new Fenced()
    if (!this.#isPlaced) {
      const text = JSON.stringify({ format: 'timetick-msgstream-file', version: FORMAT_VERSION, epoch: this.epoch })
      await placeFile(this.#fs, this.#folder, name, new TextEncoder().encode(`${text}\n`)).catch(asDiskFull)
      this.#isPlaced = true
    }
    const old = this.#old
    if (old !== undefined) {
      await writeFully(old, Uint8Array.of(0x78), 0).catch(asDiskFull)
      this.#old = undefined
      await old.close()
    }
    this.#own = await this.#fs.open(`${this.#folder}/${name}`, 'read')
  }

  /** False once another writer took the folder over. */
  async isHeld(): Promise<boolean> {
    const file = this.#own ?? this.#old
    if (file === undefined) return true
    const first = new Uint8Array(1)
    return (await file.read(first, 0)) === 1 && first[0] === brace
  }

  async close(): Promise<void> {
    await this.#taking?.catch(() => {})
    await Promise.all([this.#old?.close(), this.#own?.close()])
    this.#old = undefined
  }
}

/** Refuses a folder without a manifest, or one of a newer release. */
export async function checkManifest(fs: FileSystem, folder: string): Promise<void> {
  if ((await readEpoch(fs, folder)) === 0) throw new MsgStreamError('MSG_UNAVAILABLE', `there is no queue in ${folder}`)
}

async function readEpoch(fs: FileSystem, folder: string): Promise<number> {
  const path = `${folder}/${name}`
  if (!((await fs.list(folder)) ?? []).includes(name)) return 0
  const file = await fs.open(path, 'read')
  try {
    const bytes = new Uint8Array(Math.min(4096, await file.size()))
    const text = new TextDecoder().decode(bytes.subarray(0, await readFully(file, bytes, 0)))
    const { format, version, epoch } = parse(text, path)
    if (format !== 'timetick-msgstream-file' || typeof version !== 'number' || !Number.isInteger(epoch)) throw bad(path)
    if (version > FORMAT_VERSION) {
      throw new MsgStreamError('MSG_VERSION', `${path} has format ${version}, this release reads up to ${FORMAT_VERSION}`, { details: { path, version } })
    }
    return epoch as number
  } finally {
    await file.close()
  }
}

function parse(text: string, path: string): { format?: unknown; version?: unknown; epoch?: unknown } {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value
  } catch {
    // Reported below, as any other content that is not ours.
  }
  throw bad(path)
}

function bad(path: string): MsgStreamError {
  return new MsgStreamError('MSG_CORRUPT', `${path} is no manifest of this package`, { details: { path } })
}
