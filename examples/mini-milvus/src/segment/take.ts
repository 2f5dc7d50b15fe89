import type { BoolColumn, Column, Int64Column, NumberColumn, StringColumn, VectorColumn } from '../model/column.ts'

/** A new column whose row i is row `order[i]` of `column`. */
export function takeColumn(column: Column, order: Uint32Array): Column {
  const length = order.length
  const valid = takeValid(column.valid, order)
  switch (column.kind) {
    case 'vector':
      return { ...column, length, valid, data: takeFixed(column.data, column.bytesPerRow, order) }
    case 'json': {
      const { offsets, rows } = takeOffsets(column.offsets, order)
      return { ...column, length, valid, offsets, data: takeBytes(column, order, rows) }
    }
    case 'array': {
      const { offsets, rows } = takeOffsets(column.offsets, order)
      const elements = new Uint32Array(rows)
      let at = 0
      for (const row of order) {
        for (let i = column.offsets[row] ?? 0; i < (column.offsets[row + 1] ?? 0); i++) elements[at++] = i
      }
      return { ...column, length, valid, offsets, elements: takeFlat(column.elements, elements) }
    }
    default:
      return takeFlat(column, order)
  }
}

function takeFlat<C extends BoolColumn | NumberColumn | Int64Column | StringColumn>(column: C, order: Uint32Array): C {
  const length = order.length
  const valid = takeValid(column.valid, order)
  if (column.kind === 'string') {
    const { offsets, rows } = takeOffsets(column.offsets, order)
    return { ...column, length, valid, offsets, data: takeBytes(column, order, rows) }
  }
  const { values } = column
  const bytes = takeFixed(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), values.BYTES_PER_ELEMENT, order)
  const Values = values.constructor as new (buffer: ArrayBufferLike, offset: number, length: number) => typeof values
  return { ...column, length, valid, values: new Values(bytes.buffer, 0, length) }
}

export function takeValid(valid: Uint8Array | undefined, order: Uint32Array): Uint8Array | undefined {
  return valid === undefined ? undefined : takeFixed(valid, 1, order)
}

/** Copies the rows `order` of a column to `target`, one after the other. */
export function takeVectorRows(column: VectorColumn, order: Uint32Array, target: Uint8Array): void {
  copyFixed(column.data, column.bytesPerRow, order, target)
}

function takeFixed(source: Uint8Array, width: number, order: Uint32Array): Uint8Array {
  const target = new Uint8Array(order.length * width)
  copyFixed(source, width, order, target)
  return target
}

function copyFixed(source: Uint8Array, width: number, order: Uint32Array, target: Uint8Array): void {
  if (width === 1) {
    for (let i = 0; i < order.length; i++) target[i] = source[order[i] ?? 0] ?? 0
  } else if (width % 8 === 0 && source.byteOffset % 8 === 0 && target.byteOffset % 8 === 0) {
    takeWords(source, width >>> 3, order, target)
  } else {
    for (let i = 0; i < order.length; i++) {
      const from = (order[i] ?? 0) * width
      for (let b = 0; b < width; b++) target[i * width + b] = source[from + b] ?? 0
    }
  }
}

/** In words of 32 bits: doubles would carry more at once, but a NaN may lose its payload. */
function takeWords(source: Uint8Array, words: number, order: Uint32Array, target: Uint8Array): void {
  const from = new Uint32Array(source.buffer, source.byteOffset, source.byteLength >>> 2)
  const to = new Uint32Array(target.buffer, target.byteOffset, target.byteLength >>> 2)
  const step = words * 2
  let at = 0
  for (let i = 0; i < order.length; i++) {
    const base = (order[i] ?? 0) * step
    if (step >= 32) {
      to.set(from.subarray(base, base + step), at)
      at += step
      continue
    }
    for (let w = 0; w < step; w++) to[at++] = from[base + w] ?? 0
  }
}

function takeOffsets(offsets: Uint32Array, order: Uint32Array): { offsets: Uint32Array; rows: number } {
  const target = new Uint32Array(order.length + 1)
  let at = 0
  for (let i = 0; i < order.length; i++) {
    const row = order[i] ?? 0
    at += (offsets[row + 1] ?? 0) - (offsets[row] ?? 0)
    target[i + 1] = at
  }
  return { offsets: target, rows: at }
}

function takeBytes(column: { readonly offsets: Uint32Array; readonly data: Uint8Array }, order: Uint32Array, bytes: number): Uint8Array {
  const target = new Uint8Array(bytes)
  let at = 0
  for (const row of order) {
    const part = column.data.subarray(column.offsets[row], column.offsets[row + 1])
    target.set(part, at)
    at += part.length
  }
  return target
}
