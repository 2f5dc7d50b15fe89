/** The grid of an index of bytes, kept behind what the library has written: it reads a file only as far as its own. Files without one hold floats. */
import { open } from 'node:fs/promises'
import type { ByteGrid } from './byte-grid.ts'

const MAGIC = 'timetick.bytes.1'
/** Scale (float64) and dimensions (uint32) before the magic; the offsets (float32) come before these. */
const FOOT_BYTES = 8 + 4 + MAGIC.length

export async function appendGrid(path: string, { scale, offsets }: ByteGrid): Promise<void> {
  const bytes = new Uint8Array(offsets.length * 4 + FOOT_BYTES)
  const view = new DataView(bytes.buffer)
  offsets.forEach((value, d) => view.setFloat32(d * 4, value, true))
  view.setFloat64(offsets.length * 4, scale, true)
  view.setUint32(offsets.length * 4 + 8, offsets.length, true)
  new TextEncoder().encodeInto(MAGIC, bytes.subarray(offsets.length * 4 + 12))
  const file = await open(path, 'a')
  try {
    await file.writeFile(bytes)
  } finally {
    await file.close()
  }
}

/** Undefined where the file has none, or one of other dimensions. */
export async function readGrid(path: string, dim: number): Promise<ByteGrid | undefined> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    const bytes = new Uint8Array(dim * 4 + FOOT_BYTES)
    if (size < bytes.length) return undefined
    const { bytesRead } = await file.read(bytes, 0, bytes.length, size - bytes.length)
    const view = new DataView(bytes.buffer)
    const isGrid = bytesRead === bytes.length && new TextDecoder('latin1').decode(bytes.subarray(dim * 4 + 12)) === MAGIC && view.getUint32(dim * 4 + 8, true) === dim
    if (!isGrid) return undefined
    return { scale: view.getFloat64(dim * 4, true), offsets: Float32Array.from({ length: dim }, (_, d) => view.getFloat32(d * 4, true)) }
  } finally {
    await file.close()
  }
}
