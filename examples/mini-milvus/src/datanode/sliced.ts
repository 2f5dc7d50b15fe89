/** Copies of whole columns in slices, between which the event loop has its turn: a segment is more than one turn may take. */
import { concatColumns, gatherColumn } from '../codec/gather.ts'
import type { Column, VectorColumn } from '../model/column.ts'

/** Lets other work run. */
export type Pause = () => Promise<void>

/** Copied between two pauses: a few milliseconds. */
const STEP_BYTES = 4 * 1024 * 1024
/** Rows of other columns, of which each costs more than its bytes. */
export const STEP_ROWS = 16_384

/** Columns of one field, one after the other. */
export async function joinColumns(parts: readonly Column[], pause: Pause): Promise<Column> {
  const [only] = parts
  if (parts.length === 1 && only !== undefined) return only
  await pause()
  const vectors = parts.filter((column) => column.kind === 'vector')
  return vectors.length === parts.length ? joinVectors(vectors, pause) : concatColumns(parts)
}

/** The rows of a column that are named, in their order. */
export async function pickColumn(column: Column, picked: Uint32Array, pause: Pause): Promise<Column> {
  const step = column.kind === 'vector' ? Math.max(1, Math.floor(STEP_BYTES / column.bytesPerRow)) : STEP_ROWS
  if (picked.length <= step) return gatherColumn(column, picked)
  const pieces: Column[] = []
  for (let start = 0; start < picked.length; start += step) {
    pieces.push(gatherColumn(column, picked.subarray(start, start + step)))
    await pause()
  }
  return joinColumns(pieces, pause)
}

async function joinVectors(parts: readonly VectorColumn[], pause: Pause): Promise<VectorColumn> {
  const first = parts[0] as VectorColumn
  const { bytesPerRow } = first
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const data = new Uint8Array(length * bytesPerRow)
  const valid = parts.some((part) => part.valid !== undefined) ? new Uint8Array(length).fill(1) : undefined
  let row = 0
  let copied = 0
  for (const part of parts) {
    if (part.valid !== undefined) valid?.set(part.valid.subarray(0, part.length), row)
    const bytes = part.length * bytesPerRow
    for (let at = 0; at < bytes; at += STEP_BYTES) {
      const piece = part.data.subarray(at, Math.min(bytes, at + STEP_BYTES))
      data.set(piece, row * bytesPerRow + at)
      copied += piece.length
      if (copied < STEP_BYTES) continue
      copied = 0
      await pause()
    }
    row += part.length
  }
  return { ...first, length, valid, data }
}
