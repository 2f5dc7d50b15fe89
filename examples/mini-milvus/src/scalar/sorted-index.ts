/** Finds the rows whose value lies in given spans: by halving, through the places in order of their values. */
import { compareBytes } from '../model/bytes.ts'
import type { StringColumn } from '../model/column.ts'
import type { IndexedColumn, OrderedColumn } from './column.ts'
import { type RowList, nullRowsOf } from './row-list.ts'
import type { Spans, TextSpan } from './spans.ts'

/** Positions in an index: from, to, from, to, …; disjoint, ascending, none empty. */
export type Ranges = readonly number[]

export class SortedIndex {
  readonly kind = 'sorted'
  readonly #places: Uint32Array
  readonly #values: OrderedColumn
  /** Of an array column: where each row's elements begin. */
  readonly #owners: Uint32Array | undefined

  readonly #column: IndexedColumn
  #nulls: RowList | undefined

  constructor(places: Uint32Array, column: IndexedColumn) {
    this.#column = column
    this.#places = places
    this.#values = column.kind === 'array' ? column.elements : column
    this.#owners = column.kind === 'array' ? column.offsets : undefined
  }

  /** Values, nulls left out. */
  get length(): number {
    return this.#places.length
  }

  /** Rows without a value. */
  get nulls(): RowList {
    this.#nulls ??= nullRowsOf(this.#column)
    return this.#nulls
  }

  /** A row may have several values, so that positions of two tests do not meet where both hold. */
  get isMany(): boolean {
    return this.#owners !== undefined
  }

  find(spans: Spans): Ranges {
    const pairs = this.#pairsOf(spans).filter(([from, to]) => from < to)
    return pairs.sort(([a], [b]) => a - b).flat()
  }

  /** All positions that are not in these. */
  outside(ranges: Ranges): Ranges {
    const rest: number[] = []
    let at = 0
    for (let i = 0; i < ranges.length; i += 2) {
      const from = ranges[i] as number
      if (at < from) rest.push(at, from)
      at = ranges[i + 1] as number
    }
    if (at < this.length) rest.push(at, this.length)
    return rest
  }

  rowAt(position: number): number {
    const place = this.#places[position] as number
    return this.#owners === undefined ? place : ownerOf(this.#owners, place)
  }

  #pairsOf(spans: Spans): [number, number][] {
    const places = this.#places
    const values = this.#values
    const between = (isBelow: (place: number) => boolean, isAbove: (place: number) => boolean): [number, number] => [
      firstNot(places, isBelow),
      firstNot(places, (place) => !isAbove(place)),
    ]
    // NaN is last: it is neither below a bound nor within one.
    if (spans.of === 'number' && (values.kind === 'number' || values.kind === 'bool')) {
      const numbers = values.values
      return spans.list.map(({ low, high }) => (low <= high ? between((at) => (numbers[at] as number) < low, (at) => !((numbers[at] as number) <= high)) : [0, 0]))
    }
    if (spans.of === 'int64' && values.kind === 'int64') {
      const integers = values.values
      return spans.list.map(({ low, high }) => between((at) => (integers[at] as bigint) < low, (at) => (integers[at] as bigint) > high))
    }
    if (spans.of === 'text' && values.kind === 'string') {
      return spans.list.map((span) => between((at) => isBelowText(values, at, span), (at) => isAboveText(values, at, span)))
    }
    throw new TypeError(`expected spans of ${values.kind} values, got ${spans.of}`)
  }
}

function compareText({ offsets, data }: StringColumn, at: number, bound: Uint8Array): number {
  return compareBytes(data, offsets[at] as number, offsets[at + 1] as number, bound, 0, bound.length)
}

function isBelowText(column: StringColumn, at: number, { low, lowOpen }: TextSpan): boolean {
  if (low === undefined) return false
  const order = compareText(column, at, low)
  return lowOpen ? order <= 0 : order < 0
}

function isAboveText(column: StringColumn, at: number, { high, highOpen }: TextSpan): boolean {
  if (high === undefined) return false
  const order = compareText(column, at, high)
  return highOpen ? order >= 0 : order > 0
}

/** The first position whose place is not of those that come first. */
function firstNot(places: Uint32Array, comesFirst: (place: number) => boolean): number {
  let low = 0
  let high = places.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (comesFirst(places[middle] as number)) low = middle + 1
    else high = middle
  }
  return low
}

/** The row that has this element: the last that begins at or before it. */
function ownerOf(offsets: Uint32Array, element: number): number {
  let low = 0
  let high = offsets.length - 1
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if ((offsets[middle] as number) <= element) low = middle
    else high = middle - 1
  }
  return low
}
