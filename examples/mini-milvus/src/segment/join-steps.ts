/** Columns of one field one after the other, in steps. */
import { sameNumbers } from '../codec/gather.ts'
import type { ArrayColumn, BoolColumn, Column, Int64Column, JsonColumn, ListColumn, NumberColumn, SparseColumn, StringColumn, VectorColumn, VectorListColumn } from '../model/column.ts'
import { STEP_BYTES, STEP_ROWS, StepMeter, type Steps } from './steps.ts'

type FixedColumn = BoolColumn | NumberColumn | Int64Column
type BytesColumn = StringColumn | JsonColumn | SparseColumn

/** All parts must be of one kind and type; at least one. A single part is given back as it is. */
export function* joinSteps(parts: readonly Column[]): Steps<Column> {
  const [first] = parts
  if (first === undefined) throw new RangeError('expected at least one column to join')
  if (parts.length === 1) return first
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const valid = parts.some((part) => part.valid !== undefined) ? yield* joinValid(parts, length) : undefined
  switch (first.kind) {
    case 'bool':
    case 'number':
    case 'int64':
      return { ...(yield* joinFixed(parts as readonly FixedColumn[], first, length)), valid }
    case 'string':
    case 'json':
    case 'sparse':
      return { ...first, length, valid, ...(yield* joinBytes(parts as readonly BytesColumn[], length)) }
    case 'array':
      return { ...first, length, valid, ...(yield* joinElements(parts as readonly ArrayColumn[], length)) }
    case 'vectors':
      return { ...first, length, valid, ...(yield* joinElements(parts as readonly VectorListColumn[], length)) }
    case 'vector': {
      const data = new Uint8Array(length * first.bytesPerRow)
      // So much memory at once often makes the collector run: a step of its own.
      yield
      yield* copyAll((parts as readonly VectorColumn[]).map((part) => part.data.subarray(0, part.length * part.bytesPerRow)), data)
      return { ...first, length, valid, data }
    }
  }
}

function* joinValid(parts: readonly Column[], length: number): Steps<Uint8Array> {
  const valid = new Uint8Array(length).fill(1)
  const meter = new StepMeter()
  let row = 0
  for (const part of parts) {
    if (part.valid !== undefined) valid.set(part.valid.subarray(0, part.length), row)
    row += part.length
    if (meter.spend(1, part.length)) yield
  }
  return valid
}

function* joinFixed(parts: readonly FixedColumn[], first: FixedColumn, length: number): Steps<FixedColumn> {
  const values = first.kind === 'bool' ? new Uint8Array(length) : first.kind === 'int64' ? new BigInt64Array(length) : sameNumbers(first.values, length)
  yield* copyAll(parts.map((part) => bytesOf(part.values, part.length)), bytesOf(values, length))
  return { ...first, length, values } as FixedColumn
}

function* joinBytes(parts: readonly BytesColumn[], length: number): Steps<{ offsets: Uint32Array; data: Uint8Array }> {
  const offsets = yield* joinOffsets(parts, length)
  const data = new Uint8Array(offsets[length] as number)
  yield* copyAll(parts.map((part) => part.data.subarray(part.offsets[0], part.offsets[part.length])), data)
  return { offsets, data }
}

function* joinElements<C extends ListColumn>(parts: readonly C[], length: number): Steps<Pick<C, 'offsets' | 'elements'>> {
  const offsets = yield* joinOffsets(parts, length)
  const pieces = parts.map((part) => elementsBetween(part.elements, part.offsets[0] as number, part.offsets[part.length] as number))
  return { offsets, elements: (yield* joinSteps(pieces)) as C['elements'] }
}

/** A view of elements `start .. end`. */
function elementsBetween(elements: ListColumn['elements'], start: number, end: number): ListColumn['elements'] {
  const length = end - start
  const valid = elements.valid?.subarray(start, end)
  if (elements.kind === 'string') return { ...elements, length, valid, offsets: elements.offsets.subarray(start, end + 1) }
  if (elements.kind === 'vector') return { ...elements, length, valid, data: elements.data.subarray(start * elements.bytesPerRow, end * elements.bytesPerRow) }
  return { ...elements, length, valid, values: elements.values.subarray(start, end) } as ArrayColumn['elements']
}

function* joinOffsets(parts: readonly { readonly length: number; readonly offsets: Uint32Array }[], length: number): Steps<Uint32Array> {
  const joined = new Uint32Array(length + 1)
  const meter = new StepMeter()
  let row = 0
  let at = 0
  for (const { offsets, length: rows } of parts) {
    const shift = at - (offsets[0] as number)
    for (let begin = 1; begin <= rows; begin += STEP_ROWS) {
      const end = Math.min(rows + 1, begin + STEP_ROWS)
      for (let index = begin; index < end; index++) joined[row + index] = (offsets[index] as number) + shift
      if (meter.spend(end - begin)) yield
    }
    row += rows
    at += (offsets[rows] as number) - (offsets[0] as number)
  }
  return joined
}

function* copyAll(pieces: readonly Uint8Array[], target: Uint8Array): Steps<void> {
  const meter = new StepMeter()
  let to = 0
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; at += STEP_BYTES) {
      const slice = piece.subarray(at, at + STEP_BYTES)
      target.set(slice, to)
      to += slice.length
      if (meter.spend(1, slice.length)) yield
    }
  }
}

function bytesOf(values: FixedColumn['values'], length: number): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, length * values.BYTES_PER_ELEMENT)
}
