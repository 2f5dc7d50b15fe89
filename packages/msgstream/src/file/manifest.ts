/** The folder's identity card: format version, and an epoch that every opening raises. */
import { MsgStreamError } from '../errors.ts'
import { placeFile, readFully, writeFully, type FileSystem } from './file-system.ts'
import { FORMAT_VERSION } from './frame.ts'

const name = 'manifest.json'

/** A writer's hold on the folder. */
export interface Manifest {
  readonly epoch: number
  /** False once another writer took the folder over. */
  isHeld(): Promise<boolean>
  close(): Promise<void>
}

const brace = 0x7b

/**
 * Read it, refuse a newer format before a byte is written, and write the next epoch. A writer that still lives, stopped or on
 * another machine, has the old file open and finds it crossed out: whatever it wrote before it looked there is found by
 * the recovery that comes after this, and what it writes later goes to segments that this writer does not use.
 */
export async function openManifest(fs: FileSystem, folder: string): Promise<Manifest> {
  const path = `${folder}/${name}`
  const before = await readEpoch(fs, folder)
  const epoch = before + 1
  const old = before === 0 ? undefined : await fs.open(path, 'write')
  try {
    const text = JSON.stringify({ format: 'timetick-msgstream-file', version: FORMAT_VERSION, epoch })
    await placeFile(fs, folder, name, new TextEncoder().encode(`${text}\n`))
    if (old !== undefined) await writeFully(old, Uint8Array.of(0x78), 0)
  } finally {
    await old?.close()
  }
  const own = await fs.open(path, 'read')
  return {
    epoch,
    isHeld: async () => {
      const first = new Uint8Array(1)
      return (await own.read(first, 0)) === 1 && first[0] === brace
    },
    close: () => own.close(),
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
