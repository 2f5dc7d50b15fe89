/** Searches for single vectors of lists: which elements of a segment may be hits, and the rows that hits are of. */
import type { CompiledFilter } from '../filter/index.ts'
import type { ListColumn } from '../model/column.ts'
import type { RowMask } from './row-mask.ts'
import type { SegmentView } from './segment-view.ts'
import type { Turns } from './turns.ts'

/** By the rows' own mask, which lasts as long as nothing changes. */
const known = new WeakMap<Uint8Array, Map<number, RowMask>>()

/** The elements of the rows that a mask leaves; of a filter of elements those that it names. */
export async function elementMask(view: SegmentView, fieldId: number, lists: ListColumn, base: RowMask, filter: CompiledFilter | undefined, turns: Turns): Promise<RowMask> {
  const { bytes: rows, length, examined } = base
  const total = lists.offsets[length] as number
  if (rows === undefined) return { bytes: undefined, count: total, length: total, examined }
  const before = known.get(rows)?.get(fieldId)
  if (before !== undefined) return before
  const bytes = new Uint8Array(new SharedArrayBuffer(total))
  const step = filter?.sliceRows ?? PLAIN_ROWS
  let count = 0
  for (let begin = 0; begin < length; begin += step) {
    const turn = turns.next()
    if (turn !== undefined) await turn
    const end = Math.min(begin + step, length)
    filter?.elements?.mark(view, begin, end, bytes)
    count += keepRows(bytes, lists, rows, begin, end, filter?.elements === undefined)
  }
  const mask = { bytes, count, length: total, examined }
  const ofRows = known.get(rows) ?? new Map<number, RowMask>()
  known.set(rows, ofRows.set(fieldId, mask))
  return mask
}

const PLAIN_ROWS = 16_384

/** @returns how many elements remain */
function keepRows(bytes: Uint8Array, { offsets }: ListColumn, rows: Uint8Array, begin: number, end: number, whole: boolean): number {
  let count = 0
  for (let row = begin; row < end; row++) {
    const from = offsets[row] as number
    const to = offsets[row + 1] as number
    if (rows[row] !== 1) bytes.fill(0, from, to)
    else if (whole) {
      bytes.fill(1, from, to)
      count += to - from
    } else for (let at = from; at < to; at++) count += bytes[at] as number
  }
  return count
}

/** The row of each element, and its place in the row's list. */
export function rowsOfElements({ offsets, length }: ListColumn, elements: Uint32Array): { readonly rows: Uint32Array; readonly elements: Uint32Array } {
  const rows = new Uint32Array(elements.length)
  const places = new Uint32Array(elements.length)
  for (let i = 0; i < elements.length; i++) {
    const element = elements[i] as number
    let low = 0
    let high = length
    // The last row that begins at or before it: empty lists before it begin there too.
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((offsets[middle + 1] as number) <= element) low = middle + 1
      else high = middle
    }
    rows[i] = low
    places[i] = element - (offsets[low] as number)
  }
  return { rows, elements: places }
}
