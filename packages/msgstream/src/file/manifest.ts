/** The folder's identity card: format version, and an epoch that every opening raises. */
import { MsgStreamError } from '../errors.ts'
import { placeFile, readFully, type FileSystem } from './file-system.ts'
import { FORMAT_VERSION } from './frame.ts'

const name = 'manifest.json'

/** Read it, refuse a newer format before a byte is written, and write the next epoch. */
export async function openManifest(fs: FileSystem, folder: string): Promise<number> {
  const epoch = (await readEpoch(fs, folder)) + 1
  const text = JSON.stringify({ format: 'timetick-msgstream-file', version: FORMAT_VERSION, epoch })
  await placeFile(fs, folder, name, new TextEncoder().encode(`${text}\n`))
  return epoch
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
