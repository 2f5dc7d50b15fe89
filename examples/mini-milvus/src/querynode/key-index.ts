/** From primary keys to rows: a binary search where rows are sorted by key, a map where they come as they come. */
import type { PrimaryKey, PrimaryKeys } from '../model/primary-keys.ts'
import { primaryKeyAt } from '../model/primary-keys.ts'

export interface KeyIndex {
  /** Rows with this key, ascending. Usually none or one; inserts may repeat a key. */
  rows(key: PrimaryKey): readonly number[]
}

const encoder = new TextEncoder()

/** Over keys in ascending order (Int64 by value, VarChar by UTF-8 bytes). Holds no copy. */
export function sortedKeyIndex(keys: PrimaryKeys): KeyIndex {
  const compare = keys.kind === 'int64' ? compareInt64(keys.values) : compareText(keys.offsets, keys.data)
  return {
    rows(key) {
      const wanted = typeof key === 'string' ? encoder.encode(key) : key
      const found: number[] = []
      for (let row = lowerBound(keys.length, (at) => compare(at, wanted)); row < keys.length && compare(row, wanted) === 0; row++) {
        found.push(row)
      }
      return found
    },
  }
}

type Wanted = bigint | Uint8Array

function compareInt64(values: BigInt64Array): (row: number, wanted: Wanted) => number {
  return (row, wanted) => {
    const value = values[row] as bigint
    return value < (wanted as bigint) ? -1 : value === wanted ? 0 : 1
  }
}

function compareText(offsets: Uint32Array, data: Uint8Array): (row: number, wanted: Wanted) => number {
  return (row, wanted) => Buffer.compare(data.subarray(offsets[row], offsets[row + 1]), wanted as Uint8Array)
}

function lowerBound(length: number, compare: (row: number) => number): number {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compare(middle) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** For growing rows: `add` as they are appended. */
export class GrowingKeyIndex implements KeyIndex {
  readonly #rows = new Map<PrimaryKey, number | number[]>()

  add(keys: PrimaryKeys, firstRow: number): void {
    for (let row = 0; row < keys.length; row++) {
      const key = primaryKeyAt(keys, row)
      const known = this.#rows.get(key)
      if (known === undefined) this.#rows.set(key, firstRow + row)
      else if (typeof known === 'number') this.#rows.set(key, [known, firstRow + row])
      else known.push(firstRow + row)
    }
  }

  rows(key: PrimaryKey): readonly number[] {
    const found = this.#rows.get(key)
    if (found === undefined) return []
    return typeof found === 'number' ? [found] : found
  }
}
