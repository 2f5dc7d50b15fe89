/** From primary keys to rows: a binary search where rows are sorted by key, a map where they come as they come. */
import type { Int64Column } from '../model/column.ts'
import type { PrimaryKey, PrimaryKeys } from '../model/primary-keys.ts'
import { primaryKeyAt } from '../model/primary-keys.ts'

export interface KeyIndex {
  /** Rows with this key, ascending. Usually none or one; inserts may repeat a key. */
  rows(key: PrimaryKey): readonly number[]
  /** All rows with one of these keys. Fastest where the keys ascend. */
  forEach(keys: PrimaryKeys, visit: (row: number) => void): void
}

const encoder = new TextEncoder()

/** Over keys in ascending order (Int64 by value, VarChar by UTF-8 bytes). Holds no copy. */
export function sortedKeyIndex(keys: PrimaryKeys): KeyIndex {
  const compare = keys.kind === 'int64' ? compareInt64(keys.values) : compareText(keys.offsets, keys.data)
  const rows = (key: PrimaryKey): number[] => {
    const wanted = typeof key === 'string' ? encoder.encode(key) : key
    const found: number[] = []
    for (let row = lowerBound(keys.length, (at) => compare(at, wanted)); row < keys.length && compare(row, wanted) === 0; row++) {
      found.push(row)
    }
    return found
  }
  const isInt64 = keys.kind === 'int64'
  return {
    rows,
    forEach(wanted, visit) {
      if (isInt64 && wanted.kind === 'int64') return eachInt64(keys, wanted, visit)
      for (let index = 0; index < wanted.length; index++) for (const row of rows(primaryKeyAt(wanted, index))) visit(row)
    },
  }
}

/**
 * From each key on to the next in steps that double: ascending keys cost as much as they are apart. Values are read as pairs of words,
 * so that no bigint is made.
 */
function eachInt64(keys: Int64Column, wanted: Int64Column, visit: (row: number) => void): void {
  const words = new Int32Array(keys.values.buffer, keys.values.byteOffset, keys.length * 2)
  const asked = new Int32Array(wanted.values.buffer, wanted.values.byteOffset, wanted.length * 2)
  const { length } = keys
  let at = 0
  for (let index = 0; index < wanted.length; index++) {
    const low = (asked[index * 2] as number) >>> 0
    const high = asked[index * 2 + 1] as number
    const order = (row: number): number => {
      const mine = words[row * 2 + 1] as number
      if (mine !== high) return mine < high ? -1 : 1
      const rest = (words[row * 2] as number) >>> 0
      return rest < low ? -1 : rest > low ? 1 : 0
    }
    if (at > 0 && order(at - 1) >= 0) at = 0
    let end = at
    for (let step = 1; end < length && order(end) < 0; step *= 2) {
      at = end + 1
      end += step
    }
    at += lowerBound(Math.min(end, length) - at, (offset) => order(at + offset))
    for (let row = at; row < length && order(row) === 0; row++) visit(row)
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

  forEach(keys: PrimaryKeys, visit: (row: number) => void): void {
    for (let index = 0; index < keys.length; index++) {
      const found = this.#rows.get(primaryKeyAt(keys, index))
      if (found === undefined) continue
      if (typeof found === 'number') visit(found)
      else for (const row of found) visit(row)
    }
  }
}
