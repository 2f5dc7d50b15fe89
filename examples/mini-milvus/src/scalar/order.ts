/** Places of a column in ascending order of their values: by a radix sort of 64-bit keys, which for text are its first eight bytes. */
import { compareBytes } from '../model/bytes.ts'
import type { NumberColumn, StringColumn } from '../model/column.ts'
import type { OrderedColumn } from './column.ts'

/** Keys that order as unsigned numbers as the values do. */
interface Keys {
  readonly high: Uint32Array
  /** Undefined: 32 bits are all. */
  readonly low: Uint32Array | undefined
}

const TOP_BIT = 0x8000_0000

/**
 * `places`, ascending by value; equal values in the order in which they came. NaN is greater than every number, and zeros are equal.
 * The result may be `places` itself, reordered.
 */
export function sortPlaces(column: OrderedColumn, places: Uint32Array): Uint32Array {
  const keys = keysOf(column, places)
  const order = radixSort(keys, places.length)
  const sorted = Uint32Array.from(order, (at) => places[at] as number)
  if (column.kind === 'string') sortRuns(column, sorted, order, keys)
  return sorted
}

function keysOf(column: OrderedColumn, places: Uint32Array): Keys {
  switch (column.kind) {
    case 'bool':
      return { high: Uint32Array.from(places, (at) => column.values[at] as number), low: undefined }
    case 'int64': {
      const words = new Int32Array(column.values.buffer, column.values.byteOffset, column.values.length * 2)
      return { high: Uint32Array.from(places, (at) => (words[at * 2 + 1] as number) ^ TOP_BIT), low: Uint32Array.from(places, (at) => words[at * 2] as number) }
    }
    case 'number':
      return numberKeys(column.values, places)
    case 'string':
      return textKeys(column, places)
  }
}

function numberKeys(values: NumberColumn['values'], places: Uint32Array): Keys {
  if (values instanceof Float64Array) return doubleKeys(values, places)
  if (values instanceof Float32Array) return floatKeys(values, places)
  return { high: Uint32Array.from(places, (at) => (values[at] as number) ^ TOP_BIT), low: undefined }
}

function floatKeys(values: Float32Array, places: Uint32Array): Keys {
  const value = new Float32Array(1)
  const word = new Int32Array(value.buffer)
  const high = Uint32Array.from(places, (at) => {
    value[0] = (values[at] as number) + 0
    const bits = word[0] as number
    return Number.isNaN(value[0]) ? 0xffff_ffff : bits < 0 ? ~bits : bits ^ TOP_BIT
  })
  return { high, low: undefined }
}

function doubleKeys(values: Float64Array, places: Uint32Array): Keys {
  const value = new Float64Array(1)
  const words = new Int32Array(value.buffer)
  const high = new Uint32Array(places.length)
  const low = new Uint32Array(places.length)
  for (let i = 0; i < places.length; i++) {
    // -0 + 0 is 0.
    value[0] = (values[places[i] as number] as number) + 0
    const isNegative = (words[1] as number) < 0
    const isNaN = Number.isNaN(value[0])
    high[i] = isNaN ? 0xffff_ffff : isNegative ? ~(words[1] as number) : (words[1] as number) ^ TOP_BIT
    low[i] = isNaN ? 0xffff_ffff : isNegative ? ~(words[0] as number) : (words[0] as number)
  }
  return { high, low }
}

function textKeys({ offsets, data }: StringColumn, places: Uint32Array): Keys {
  const high = new Uint32Array(places.length)
  const low = new Uint32Array(places.length)
  for (let i = 0; i < places.length; i++) {
    const start = offsets[places[i] as number] as number
    const end = offsets[(places[i] as number) + 1] as number
    high[i] = fourBytes(data, start, end)
    low[i] = fourBytes(data, start + 4, end)
  }
  return { high, low }
}

function fourBytes(data: Uint8Array, start: number, end: number): number {
  let word = 0
  for (let at = start; at < start + 4; at++) word = (word << 8) | (at < end ? (data[at] as number) : 0)
  return word >>> 0
}

/** Stable, from the lowest 16 bits to the highest; a digit that all keys share costs one look. */
function radixSort({ high, low }: Keys, length: number): Uint32Array {
  let from = Uint32Array.from({ length }, (_, index) => index)
  let to = new Uint32Array(length)
  const starts = new Uint32Array(65_537)
  for (const [words, shift] of [[low, 0], [low, 16], [high, 0], [high, 16]] as const) {
    if (words === undefined) continue
    starts.fill(0)
    for (let i = 0; i < length; i++) {
      const digit = ((words[i] as number) >>> shift) & 0xffff
      starts[digit + 1] = (starts[digit + 1] as number) + 1
    }
    if (starts.includes(length)) continue
    for (let digit = 1; digit < starts.length; digit++) starts[digit] = (starts[digit] as number) + (starts[digit - 1] as number)
    for (let i = 0; i < length; i++) {
      const index = from[i] as number
      const digit = ((words[index] as number) >>> shift) & 0xffff
      const at = starts[digit] as number
      to[at] = index
      starts[digit] = at + 1
    }
    ;[from, to] = [to, from]
  }
  return from
}

/** Texts whose first eight bytes are equal are compared as a whole. */
function sortRuns({ offsets, data }: StringColumn, sorted: Uint32Array, order: Uint32Array, { high, low }: Keys): void {
  const isSame = (a: number, b: number): boolean => high[order[a] as number] === high[order[b] as number] && low?.[order[a] as number] === low?.[order[b] as number]
  const compare = (a: number, b: number): number =>
    compareBytes(data, offsets[a] as number, offsets[a + 1] as number, data, offsets[b] as number, offsets[b + 1] as number) || a - b
  for (let begin = 0; begin < sorted.length; ) {
    let end = begin + 1
    while (end < sorted.length && isSame(begin, end)) end++
    if (end - begin > 1) sorted.subarray(begin, end).sort(compare)
    begin = end
  }
}
