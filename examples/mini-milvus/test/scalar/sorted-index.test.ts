import { describe, expect, test } from 'vitest'
import { DataType } from '../../src/model/schema.ts'
import { type Column } from '../../src/model/column.ts'
import { isIndexedColumn, readSortedFile, type SortedIndex, type Spans, writeSortedFile } from '../../src/scalar/index.ts'
import { Dice } from '../filter/random.ts'
import { type Cell, columnOf, field } from '../filter/table.ts'
import { indexOf } from './indexed.ts'

const rowsOf = (index: SortedIndex, spans: Spans): number[] => {
  const ranges = index.find(spans)
  const rows: number[] = []
  for (let i = 0; i < ranges.length; i += 2) for (let at = ranges[i] as number; at < (ranges[i + 1] as number); at++) rows.push(index.rowAt(at))
  return rows
}
const all = (index: SortedIndex): number[] => Array.from({ length: index.length }, (_, at) => index.rowAt(at))
const columnFrom = (type: DataType, cells: readonly Cell[]): Column => columnOf(field('x', type, { nullable: cells.includes(null) }), cells)

describe('places in the order of values', () => {
  const cases: readonly (readonly [string, DataType, (d: Dice) => Cell])[] = [
    ['Bool', DataType.Bool, (d) => d.chance(0.5)],
    ['Int8', DataType.Int8, (d) => d.below(256) - 128],
    ['Int16', DataType.Int16, (d) => d.below(65_536) - 32_768],
    ['Int32', DataType.Int32, (d) => d.below(2 ** 32) - 2 ** 31],
    ['Int64', DataType.Int64, (d) => BigInt.asIntN(64, (BigInt(d.below(2 ** 32)) << 32n) | BigInt(d.below(2 ** 32)))],
    ['small Int64', DataType.Int64, (d) => BigInt(d.below(7) - 3)],
    ['Float', DataType.Float, (d) => Math.fround((d.next() - 0.5) * 10 ** (d.below(40) - 20))],
    ['Double', DataType.Double, (d) => d.pick([0, -0, 1.5, -1.5, Infinity, -Infinity, 1e300, -1e-300, d.next()])],
    ['VarChar', DataType.VarChar, (d) => d.pick(['', 'a', 'same first eight', 'same first', 'zz', '\0']) + d.pick(['', 'é', '😀', 'b'])],
  ]
  for (const [name, type, make] of cases) {
    test(name, () => {
      const d = new Dice(7)
      const cells = Array.from({ length: 3000 }, (): Cell => (d.chance(0.1) ? null : make(d)))
      const before = (a: Cell, b: Cell): number => (typeof a === 'string' ? Buffer.compare(Buffer.from(a), Buffer.from(String(b))) : Number(a) === Number(b) && typeof a === 'number' ? 0 : (a as bigint) < (b as bigint) ? -1 : a === b ? 0 : 1)
      const expected = cells.flatMap((cell, row) => (cell === null ? [] : [row])).sort((a, b) => before(cells[a] as Cell, cells[b] as Cell) || a - b)
      expect(all(indexOf(columnFrom(type, cells)))).toEqual(expected)
    })
  }
})

test('NaN is in no span, and in the outside of each', () => {
  const index = indexOf(columnFrom(DataType.Double, [NaN, 1, -Infinity, NaN, Infinity]))
  expect(rowsOf(index, { of: 'number', list: [{ low: -Infinity, high: Infinity }] })).toEqual([2, 1, 4])
  expect(rowsOf(index, { of: 'number', list: [{ low: NaN, high: NaN }] })).toEqual([])
  const outside = index.outside(index.find({ of: 'number', list: [{ low: 1, high: 1 }] }))
  expect(outside).toEqual([0, 1, 2, 5])
})

test('zeros of both signs are one value', () => {
  const index = indexOf(columnFrom(DataType.Float, [0, -0, 1]))
  expect(rowsOf(index, { of: 'number', list: [{ low: -0, high: 0 }] })).toEqual([0, 1])
})

test('elements of arrays lead to their rows, past empty lists and nulls', () => {
  const column = columnOf(field('x', DataType.Array, { nullable: true, elementType: DataType.Int64 }), [[], [3n, 1n], null, [], [1n], []])
  const index = indexOf(column)
  expect(rowsOf(index, { of: 'int64', list: [{ low: 1n, high: 1n }] })).toEqual([1, 4])
  expect(rowsOf(index, { of: 'int64', list: [{ low: 2n, high: 9n }] })).toEqual([1])
})

test('an empty column has an empty index', () => {
  const index = indexOf(columnFrom(DataType.VarChar, []))
  expect(index.length).toBe(0)
  expect(index.outside(index.find({ of: 'text', list: [] }))).toEqual([])
})

test('a file of another column, of another kind or cut short is refused', () => {
  const column = columnFrom(DataType.Int32, [1, 2, 3])
  const other = columnFrom(DataType.Float, [1, 2, 3])
  const longer = columnFrom(DataType.Int32, [1, 2, 3, 4])
  if (!isIndexedColumn(column) || !isIndexedColumn(other) || !isIndexedColumn(longer)) throw new Error('not indexed')
  const { bytes } = writeSortedFile(column)
  for (const [file, of] of [[bytes, other], [bytes, longer], [bytes.slice(0, -4), column], [new Uint8Array(40), column], [new Uint8Array(), column]] as const) {
    expect(() => readSortedFile(file, of, 'a/b.sorted')).toThrow(/^a\/b\.sorted: /)
  }
})
