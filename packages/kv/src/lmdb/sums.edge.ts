/**
 * What LMDB lacks: sums of its blocks. A store that is closed leaves them beside its data file; whoever opens it next compares them
 * first, and takes them away before the first byte is written. So a byte that changed while nobody had the store open is found before
 * LMDB reads it, which would end the process, or answer wrongly. After a process that was killed there are none.
 *
 * The file: magic, version, bytes of the data file (u64), sum of the sums; then a CRC32 for each 4 KB. Little-endian words.
 */
import { type FileHandle, open, readFile, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { syncFolder } from './folder.edge.ts'
import { corrupt } from './format.ts'

const NAME = 'data.sums'
const MAGIC = 0x534b_5454
const VERSION = 1
const HEAD_BYTES = 20
const BLOCK_BYTES = 4096
const READ_BYTES = 256 * BLOCK_BYTES
/** Reading takes about a second for each GB: larger stores are opened and closed without. */
const MAX_BYTES = 256 * 1024 * 1024

/** Call it before LMDB opens the folder, by its one writer. Throws `KV_CORRUPT` with the file and the bytes that are not what was written. */
export async function checkSums(folder: string): Promise<void> {
  const path = join(folder, NAME)
  const expected = readSums(await readFile(path).catch(() => undefined))
  if (expected !== undefined) compare(folder, expected, await sumFile(join(folder, 'data.mdb')))
  if (await unlink(path).then(() => true, () => false)) await syncFolder(folder)
}

/** Call it when LMDB has closed the folder. A store without sums is as good as before: that they cannot be written is no failure. */
export async function leaveSums(folder: string): Promise<void> {
  const path = join(folder, NAME)
  const draft = `${path}.new`
  try {
    const found = await sumFile(join(folder, 'data.mdb'))
    if (found === undefined) return
    const handle = await open(draft, 'w')
    try {
      await handle.writeFile(writeSums(found))
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(draft, path)
    await syncFolder(folder)
  } catch {
    await unlink(draft).catch(() => undefined)
  }
}

interface Sums {
  readonly bytes: number
  readonly blocks: Uint32Array
}

/** Undefined for a file that is too large, or not there. */
async function sumFile(path: string): Promise<Sums | undefined> {
  const handle = await open(path, 'r').catch(() => undefined)
  if (handle === undefined) return undefined
  try {
    const bytes = (await handle.stat()).size
    return bytes > MAX_BYTES ? undefined : { bytes, blocks: await sumBlocks(handle, bytes) }
  } finally {
    await handle.close()
  }
}

async function sumBlocks(handle: FileHandle, bytes: number): Promise<Uint32Array> {
  const blocks = new Uint32Array(Math.ceil(bytes / BLOCK_BYTES))
  const buffer = Buffer.allocUnsafe(Math.min(bytes, READ_BYTES))
  for (let at = 0; at < bytes; ) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, bytes - at), at)
    if (bytesRead === 0) break
    // A short read ends within a block: the rest comes with the next.
    const whole = at + bytesRead === bytes ? bytesRead : bytesRead - (bytesRead % BLOCK_BYTES)
    for (let from = 0; from < whole; from += BLOCK_BYTES) blocks[(at + from) / BLOCK_BYTES] = crc32(buffer.subarray(from, Math.min(whole, from + BLOCK_BYTES)))
    at += whole
    if (whole === 0) break
  }
  return blocks
}

function writeSums({ bytes, blocks }: Sums): Buffer {
  const file = Buffer.alloc(HEAD_BYTES + blocks.length * 4)
  blocks.forEach((sum, block) => file.writeUInt32LE(sum, HEAD_BYTES + block * 4))
  file.writeUInt32LE(MAGIC, 0)
  file.writeUInt32LE(VERSION, 4)
  file.writeBigUInt64LE(BigInt(bytes), 8)
  file.writeUInt32LE(crc32(file.subarray(HEAD_BYTES), crc32(file.subarray(0, 16))), 16)
  return file
}

/** Undefined where there are none that say anything: they are damaged themselves, or of another version. */
function readSums(file: Buffer | undefined): Sums | undefined {
  if (file === undefined || file.length < HEAD_BYTES || file.length % 4 !== 0) return undefined
  const isWhole = file.readUInt32LE(0) === MAGIC && file.readUInt32LE(4) === VERSION && file.readUInt32LE(16) === crc32(file.subarray(HEAD_BYTES), crc32(file.subarray(0, 16)))
  if (!isWhole) return undefined
  const blocks = Uint32Array.from({ length: (file.length - HEAD_BYTES) / 4 }, (_, block) => file.readUInt32LE(HEAD_BYTES + block * 4))
  return { bytes: Number(file.readBigUInt64LE(8)), blocks }
}

function compare(folder: string, expected: Sums, found: Sums | undefined): void {
  const path = join(folder, 'data.mdb')
  const advice = `restore it from a backup, or remove ${join(folder, NAME)} to open it as it is`
  if (found === undefined || found.bytes !== expected.bytes) throw corrupt(`${path} has ${found?.bytes ?? 'no'} bytes, but had ${expected.bytes} when it was closed: ${advice}`)
  const block = expected.blocks.findIndex((sum, at) => sum !== found.blocks[at])
  if (block < 0) return
  const from = block * BLOCK_BYTES
  throw corrupt(`${path} was changed since it was closed, first in the bytes ${from} to ${Math.min(from + BLOCK_BYTES, found.bytes) - 1}: ${advice}`)
}
