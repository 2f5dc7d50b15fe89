import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Engine, openEngine } from '../../src/engine/index.ts'
import { DataType } from '../../src/model/schema.ts'
import { isIndexedColumn, type IndexedColumn, writeSortedFile } from '../../src/scalar/index.ts'
import { type Cell, columnOf, field } from '../filter/table.ts'

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

function columnFrom(type: DataType, cells: readonly Cell[]): IndexedColumn {
  const column = columnOf(field('x', type, { nullable: true, elementType: DataType.VarChar }), cells)
  if (!isIndexedColumn(column)) throw new Error('not indexed')
  return column
}

test('a column is sorted in a thread as it is here', async () => {
  for (const column of [
    columnFrom(DataType.VarChar, ['b', null, 'a', '']),
    columnFrom(DataType.Int64, [3n, null, -5n]),
    columnFrom(DataType.Bool, [true, false, null]),
    columnFrom(DataType.Double, [3, -1, NaN]),
    columnFrom(DataType.Array, [['x', 'a'], [], null, ['b']]),
  ]) {
    const { bytes, crc32 } = await engine.sortColumn(column)
    const expected = writeSortedFile(column)
    expect(bytes).toEqual(expected.bytes)
    expect(crc32).toBe(expected.crc32)
  }
})

test('a view of larger bytes is sorted as itself', async () => {
  const values = Int32Array.from([9, 9, 3, 1, 2, 9])
  const column = { kind: 'number' as const, type: DataType.Int32, length: 3, valid: undefined, values: values.subarray(2, 5) }
  expect((await engine.sortColumn(column)).bytes).toEqual(writeSortedFile(column).bytes)
})

test('an abort rejects with its reason', async () => {
  const reason = new Error('enough')
  await expect(engine.sortColumn(columnFrom(DataType.Int64, [1n]), AbortSignal.abort(reason))).rejects.toBe(reason)
})

test('a closed engine sorts nothing', async () => {
  const closed = await openEngine({ threads: 1 })
  await closed.close()
  await expect(closed.sortColumn(columnFrom(DataType.Int64, [1n]))).rejects.toThrow('the engine was closed')
})
