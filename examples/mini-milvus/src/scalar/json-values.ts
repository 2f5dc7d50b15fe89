/** What lies at a path of JSON texts, as a column of one type. */
import { findJson, firstElement, isArrayAt, nextElement, preparePath, scalarAt } from '../filter/json-scan.ts'
import type { ArrayColumn, JsonColumn } from '../model/column.ts'
import type { JsonCast, JsonIndex } from '../model/json-index.ts'
import { DataType } from '../model/schema.ts'
import type { IndexedColumn, OrderedColumn } from './column.ts'

const TURN_ROWS = 4096

const encoder = new TextEncoder()

/** The values at the path that are of the type; all others are null. Numbers are rounded to doubles. */
export async function jsonValues(column: JsonColumn, json: JsonIndex, pause: () => Promise<void>): Promise<IndexedColumn> {
  return json.isList ? listsAt(column, json, pause) : valuesAt(column, json, pause)
}

async function valuesAt({ offsets, data, valid, length }: JsonColumn, { path, cast }: JsonIndex, pause: () => Promise<void>): Promise<OrderedColumn> {
  const prepared = preparePath(path)
  const found = new Uint8Array(length)
  const values = builderOf(cast, length)
  for (let row = 0; row < length; row++) {
    if (row % TURN_ROWS === TURN_ROWS - 1) await pause()
    const end = offsets[row + 1] as number
    const at = valid?.[row] === 0 ? -1 : findJson(data, offsets[row] as number, end, prepared)
    if (values.add(row, at < 0 ? undefined : scalarAt(data, at, end))) found[row] = 1
  }
  return values.column(found)
}

/** Two passes: how many elements there are of the type, and which. */
async function listsAt(column: JsonColumn, { path, cast }: JsonIndex, pause: () => Promise<void>): Promise<ArrayColumn> {
  const { length } = column
  const offsets = new Uint32Array(length + 1)
  const valid = new Uint8Array(length)
  const each = async (visit: (row: number, value: JsonScalar) => void): Promise<void> => {
    const prepared = preparePath(path)
    for (let row = 0; row < length; row++) {
      if (row % TURN_ROWS === TURN_ROWS - 1) await pause()
      const end = column.offsets[row + 1] as number
      const at = column.valid?.[row] === 0 ? -1 : findJson(column.data, column.offsets[row] as number, end, prepared)
      if (at < 0 || !isArrayAt(column.data, at)) continue
      valid[row] = 1
      for (let item = firstElement(column.data, at, end); item >= 0; item = nextElement(column.data, item, end)) visit(row, scalarAt(column.data, item, end))
    }
  }
  await each((row, value) => {
    if (isOf(cast, value)) offsets[row + 1] = (offsets[row + 1] as number) + 1
  })
  for (let row = 0; row < length; row++) offsets[row + 1] = (offsets[row + 1] as number) + (offsets[row] as number)
  const count = offsets[length] as number
  const values = builderOf(cast, count)
  let at = 0
  await each((_row, value) => {
    if (at < count && isOf(cast, value)) values.add(at++, value)
  })
  return { kind: 'array', type: DataType.Array, elementType: cast, length, valid, offsets, elements: values.column(new Uint8Array(count).fill(1)) }
}

function isOf(cast: JsonCast, value: JsonScalar): boolean {
  if (cast === DataType.Double) return typeof value === 'number' || typeof value === 'bigint'
  return typeof value === (cast === DataType.VarChar ? 'string' : 'boolean')
}

type JsonScalar = boolean | number | bigint | string | undefined

interface Builder {
  /** In the order of rows, each once. False: not of the type. */
  add(row: number, value: JsonScalar): boolean
  column(valid: Uint8Array): OrderedColumn
}

function builderOf(cast: JsonCast, length: number): Builder {
  if (cast === DataType.VarChar) return textBuilder(length)
  if (cast === DataType.Double) {
    const values = new Float64Array(length)
    const add: Builder['add'] = (row, value) => {
      if (typeof value !== 'number' && typeof value !== 'bigint') return false
      values[row] = Number(value)
      return true
    }
    return { add, column: (valid) => ({ kind: 'number', type: cast, length, valid, values }) }
  }
  const values = new Uint8Array(length)
  const add: Builder['add'] = (row, value) => {
    if (typeof value !== 'boolean') return false
    values[row] = Number(value)
    return true
  }
  return { add, column: (valid) => ({ kind: 'bool', type: cast, length, valid, values }) }
}

function textBuilder(length: number): Builder {
  const offsets = new Uint32Array(length + 1)
  const parts: Uint8Array[] = []
  const add: Builder['add'] = (row, value) => {
    const isText = typeof value === 'string'
    const bytes = encoder.encode(isText ? value : '')
    offsets[row + 1] = (offsets[row] as number) + bytes.length
    parts.push(bytes)
    return isText
  }
  const column: Builder['column'] = (valid) => {
    const data = new Uint8Array(offsets[length] as number)
    parts.forEach((part, row) => data.set(part, offsets[row]))
    return { kind: 'string', type: DataType.VarChar, length, valid, offsets, data }
  }
  return { add, column }
}
