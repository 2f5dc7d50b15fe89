/** A row mask by the indexes of a segment: rows that they name are marked, and tested where the indexes do not tell all. */
import { gatherColumn } from '../codec/gather.ts'
import type { CompiledFilter } from '../filter/index.ts'
import type { Column, ColumnSource } from '../model/column.ts'
import type { Candidates } from './candidates.ts'
import type { SegmentView } from './segment-view.ts'
import type { Turns } from './turns.ts'

/** Rows that are marked within a millisecond or so. */
const MARK_ROWS = 65_536

/**
 * Sets the bytes of the rows that match and live.
 * @param alive a byte per row; undefined: all
 * @returns how many there are
 */
export async function markCandidates(
  view: SegmentView,
  filter: CompiledFilter,
  candidates: Candidates,
  alive: Uint8Array | undefined,
  bytes: Uint8Array,
  turns: Pick<Turns, 'next'>,
): Promise<number> {
  const rows = candidates.exact ? undefined : new Uint32Array(Math.min(candidates.count, bytes.length))
  let count = 0
  for (const { index, ranges } of candidates.parts) {
    for (let i = 0; i < ranges.length; i += 2) {
      const stop = ranges[i + 1] as number
      for (let from = ranges[i] as number; from < stop; from += MARK_ROWS) {
        const turn = turns.next()
        if (turn !== undefined) await turn
        const to = Math.min(stop, from + MARK_ROWS)
        for (let position = from; position < to; position++) {
          const row = index.rowAt(position)
          if (row >= bytes.length || bytes[row] === 1 || alive?.[row] === 0) continue
          bytes[row] = 1
          if (rows !== undefined) rows[count] = row
          count++
        }
      }
    }
  }
  return rows === undefined ? count : testRows(view, filter, rows.subarray(0, count), bytes, turns)
}

/** Copies the values of the rows side by side, so that they are tested as a whole. */
async function testRows(view: SegmentView, filter: CompiledFilter, rows: Uint32Array, bytes: Uint8Array, turns: Pick<Turns, 'next'>): Promise<number> {
  const mask = new Uint8Array(Math.min(filter.sliceRows, rows.length))
  let count = 0
  for (let begin = 0; begin < rows.length; begin += mask.length) {
    const turn = turns.next()
    if (turn !== undefined) await turn
    const slice = rows.subarray(begin, begin + mask.length)
    filter.evaluate(new ChosenRows(view, slice), 0, slice.length, mask)
    for (let i = 0; i < slice.length; i++) {
      if (mask[i] === 1) count++
      else bytes[slice[i] as number] = 0
    }
  }
  return count
}

class ChosenRows implements ColumnSource {
  readonly #view: ColumnSource
  readonly #rows: Uint32Array
  readonly #columns = new Map<number, Column | undefined>()

  constructor(view: ColumnSource, rows: Uint32Array) {
    this.#view = view
    this.#rows = rows
  }

  get length(): number {
    return this.#rows.length
  }

  column(fieldId: number): Column | undefined {
    if (this.#columns.has(fieldId)) return this.#columns.get(fieldId)
    const whole = this.#view.column(fieldId)
    const chosen = whole === undefined ? undefined : gatherColumn(whole, this.#rows)
    this.#columns.set(fieldId, chosen)
    return chosen
  }
}
