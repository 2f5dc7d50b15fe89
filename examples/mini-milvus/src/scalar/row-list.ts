/** Rows that were found otherwise than by an order of values, as an index has its rows: by position. */
import type { Column } from '../model/column.ts'

export class RowList {
  readonly #rows: Uint32Array
  /** Positions of different tests meet in an index of values only. */
  readonly isMany = true

  constructor(rows: Uint32Array) {
    this.#rows = rows
  }

  get length(): number {
    return this.#rows.length
  }

  rowAt(position: number): number {
    return this.#rows[position] as number
  }
}

/** The rows of a column without a value. */
export function nullRowsOf({ valid, length }: Column): RowList {
  if (valid === undefined) return new RowList(new Uint32Array())
  let count = 0
  for (let row = 0; row < length; row++) if (valid[row] === 0) count++
  const rows = new Uint32Array(count)
  for (let row = 0, at = 0; at < count; row++) if (valid[row] === 0) rows[at++] = row
  return new RowList(rows)
}
