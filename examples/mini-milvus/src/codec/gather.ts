/** Copying rows of columns: chosen ones into a compact column, and several columns into one. */
import type { ArrayColumn, Column, JsonColumn, ListColumn, NumberColumn, SparseColumn, StringColumn, VectorColumn, VectorListColumn } from '../model/column.ts'

type BytesColumn = StringColumn | JsonColumn | SparseColumn
type Rows = Uint32Array | readonly number[]

/** The chosen rows, in this order, as a column of their own. */
export function gatherColumn<C extends Column>(column: C, rows: Rows): C
export function gatherColumn(column: Column, rows: Rows): Column {
  const length = rows.length
  const valid = column.valid === undefined ? undefined : pickBytes(column.valid, rows)
  switch (column.kind) {
    case 'bool':
      return { ...column, length, valid, values: pickBytes(column.values, rows) }
    case 'int64': {
      const values = new BigInt64Array(length)
      for (let at = 0; at < length; at++) values[at] = column.values[rows[at] as number] as bigint
      return { ...column, length, valid, values }
    }
    case 'number': {
      const values = sameNumbers(column.values, length)
      for (let at = 0; at < length; at++) values[at] = column.values[rows[at] as number] as number
      return { ...column, length, valid, values }
    }
    case 'string':
    case 'json':
    case 'sparse':
      return { ...column, length, valid, ...gatherBytes(column, rows) }
    case 'array':
      return { ...column, length, valid, ...gatherElements(column, rows) }
    case 'vectors':
      return { ...column, length, valid, ...gatherElements(column, rows) }
    case 'vector':
      return { ...column, length, valid, data: gatherVectors(column, rows) }
  }
}

/** Columns of one field, one after the other. All must be of one kind and type; at least one. */
export function concatColumns<C extends Column>(parts: readonly C[]): C
export function concatColumns(parts: readonly Column[]): Column {
  const [first] = parts
  if (first === undefined) throw new RangeError('expected at least one column to join')
  if (parts.length === 1) return first
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const valid = parts.some((part) => part.valid !== undefined) ? concatValid(parts, length) : undefined
  switch (first.kind) {
    case 'bool':
      return { ...first, length, valid, values: concatArrays(parts as (typeof first)[], new Uint8Array(length)) }
    case 'int64':
      return { ...first, length, valid, values: concatArrays(parts as (typeof first)[], new BigInt64Array(length)) }
    case 'number':
      return { ...first, length, valid, values: concatArrays<NumberColumn['values'], NumberColumn['values']>(parts as NumberColumn[], sameNumbers(first.values, length)) }
    case 'string':
    case 'json':
    case 'sparse':
      return { ...first, length, valid, ...concatBytes(parts as BytesColumn[], length) }
    case 'array':
      return { ...first, length, valid, ...concatElements(parts as ArrayColumn[], length) }
    case 'vectors':
      return { ...first, length, valid, ...concatElements(parts as VectorListColumn[], length) }
    case 'vector':
      return { ...first, length, valid, data: concatVectors(parts as VectorColumn[], length) }
  }
}

export function sameNumbers(values: NumberColumn['values'], length: number): NumberColumn['values'] {
  if (values instanceof Int8Array) return new Int8Array(length)
  if (values instanceof Int16Array) return new Int16Array(length)
  if (values instanceof Int32Array) return new Int32Array(length)
  if (values instanceof Float32Array) return new Float32Array(length)
  return new Float64Array(length)
}

function pickBytes(from: Uint8Array, rows: Rows): Uint8Array {
  const picked = new Uint8Array(rows.length)
  for (let at = 0; at < rows.length; at++) picked[at] = from[rows[at] as number] as number
  return picked
}

function gatherBytes({ offsets, data }: BytesColumn, rows: Rows): { offsets: Uint32Array; data: Uint8Array } {
  const newOffsets = new Uint32Array(rows.length + 1)
  let size = 0
  for (let at = 0; at < rows.length; at++) {
    const row = rows[at] as number
    size += (offsets[row + 1] as number) - (offsets[row] as number)
    newOffsets[at + 1] = size
  }
  const newData = new Uint8Array(size)
  for (let at = 0; at < rows.length; at++) {
    const row = rows[at] as number
    newData.set(data.subarray(offsets[row], offsets[row + 1]), newOffsets[at])
  }
  return { offsets: newOffsets, data: newData }
}

function gatherElements<C extends ListColumn>({ offsets, elements }: C, rows: Rows): { offsets: Uint32Array; elements: C['elements'] } {
  const newOffsets = new Uint32Array(rows.length + 1)
  const picked: number[] = []
  for (let at = 0; at < rows.length; at++) {
    const row = rows[at] as number
    for (let element = offsets[row] as number; element < (offsets[row + 1] as number); element++) picked.push(element)
    newOffsets[at + 1] = picked.length
  }
  return { offsets: newOffsets, elements: gatherColumn(elements, picked) }
}

function gatherVectors({ data, bytesPerRow }: VectorColumn, rows: Rows): Uint8Array {
  const picked = new Uint8Array(rows.length * bytesPerRow)
  for (let at = 0; at < rows.length; ) {
    const start = rows[at] as number
    let run = 1
    while (at + run < rows.length && rows[at + run] === start + run) run++
    picked.set(data.subarray(start * bytesPerRow, (start + run) * bytesPerRow), at * bytesPerRow)
    at += run
  }
  return picked
}

function concatValid(parts: readonly Column[], length: number): Uint8Array {
  const valid = new Uint8Array(length).fill(1)
  let at = 0
  for (const part of parts) {
    if (part.valid !== undefined) valid.set(part.valid.subarray(0, part.length), at)
    at += part.length
  }
  return valid
}

interface Settable<T> {
  set(values: T, offset: number): void
}

function concatArrays<T extends { subarray(start: number, end: number): T }, Target extends Settable<T>>(
  parts: readonly { readonly length: number; readonly values: T }[],
  target: Target,
): Target {
  let at = 0
  for (const { values, length } of parts) {
    target.set(values.subarray(0, length), at)
    at += length
  }
  return target
}

function concatBytes(parts: readonly BytesColumn[], length: number): { offsets: Uint32Array; data: Uint8Array } {
  const offsets = new Uint32Array(length + 1)
  const size = parts.reduce((sum, part) => sum + (part.offsets[part.length] as number) - (part.offsets[0] as number), 0)
  const data = new Uint8Array(size)
  let row = 0
  let at = 0
  for (const part of parts) {
    const start = part.offsets[0] as number
    data.set(part.data.subarray(start, part.offsets[part.length]), at)
    for (let index = 1; index <= part.length; index++) offsets[row + index] = at + (part.offsets[index] as number) - start
    at += (part.offsets[part.length] as number) - start
    row += part.length
  }
  return { offsets, data }
}

function concatElements<C extends ListColumn>(parts: readonly C[], length: number): { offsets: Uint32Array; elements: C['elements'] } {
  const offsets = new Uint32Array(length + 1)
  const pieces: C['elements'][] = []
  let row = 0
  let at = 0
  for (const part of parts) {
    const start = part.offsets[0] as number
    const end = part.offsets[part.length] as number
    pieces.push(start === 0 && part.elements.length === end ? part.elements : gatherColumn(part.elements, rangeOf(start, end)))
    for (let index = 1; index <= part.length; index++) offsets[row + index] = at + (part.offsets[index] as number) - start
    at += end - start
    row += part.length
  }
  return { offsets, elements: concatColumns(pieces) }
}

function rangeOf(start: number, end: number): Uint32Array {
  return Uint32Array.from({ length: end - start }, (_, index) => start + index)
}

function concatVectors(parts: readonly VectorColumn[], length: number): Uint8Array {
  const bytesPerRow = parts[0]?.bytesPerRow ?? 0
  const data = new Uint8Array(length * bytesPerRow)
  let at = 0
  for (const part of parts) {
    data.set(part.data.subarray(0, part.length * bytesPerRow), at)
    at += part.length * bytesPerRow
  }
  return data
}
