/** How much is done between two turns of the event loop: counted in rows, bytes and comparisons, not in time. */
import v8 from 'node:v8'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { concatColumns, gatherColumn } from '../../src/codec/gather.ts'
import type { Column } from '../../src/model/column.ts'
import { DataType } from '../../src/model/schema.ts'
import { atOnce, gatherSteps, joinSteps, sortSteps, STEP_BYTES, STEP_ROWS, type Steps } from '../../src/segment/index.ts'
import { batchOf, everyType, rowsOf, strings } from './samples.ts'

const ROWS = STEP_ROWS * 3 + 123

afterEach(() => {
  vi.restoreAllMocks()
})

/** The array, and how often its items were read since `take` was last called. */
function counted<T extends Uint32Array | BigInt64Array>(array: T): { array: T; take(): number } {
  let reads = 0
  const proxy = new Proxy(array, {
    get(target, key) {
      if (typeof key === 'string' && /^\d+$/.test(key)) reads++
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  return {
    array: proxy,
    take() {
      const taken = reads
      reads = 0
      return taken
    },
  }
}

/** The most that a step did, and how much all did. */
function measure<T>(steps: Steps<T>, take: () => number): { most: number; all: number; value: T } {
  let most = 0
  let all = 0
  for (;;) {
    const step = steps.next()
    const done = take()
    most = Math.max(most, done)
    all += done
    if (step.done === true) return { most, all, value: step.value }
  }
}

/** By bytes: a comparison item by item takes seconds. */
function sameColumn(left: Column, right: Column): boolean {
  return v8.serialize(left).equals(v8.serialize(right))
}

function int64(length: number, of: (row: number) => bigint): Column {
  return { kind: 'int64', type: DataType.Int64, length, valid: undefined, values: BigInt64Array.from({ length }, (_, row) => of(row)) }
}

function int64Batch(length: number, of: (row: number) => bigint) {
  return { length, columns: new Map([[100, int64(length, of)]]) }
}

function manyColumns(length: number): Column[] {
  const base = { length, valid: Uint8Array.from({ length }, (_, row) => (row % 5 === 0 ? 0 : 1)) }
  const texts = strings(Array.from({ length: length * 2 }, (_, row) => `row ${row}`))
  const short = { offsets: texts.offsets.subarray(0, length + 1), data: texts.data.subarray(0, texts.offsets[length]) }
  const offsets = Uint32Array.from({ length: length + 1 }, (_, row) => row * 2)
  return [
    int64(length, (row) => BigInt(row) * 3n),
    { ...base, kind: 'bool', type: DataType.Bool, values: Uint8Array.from({ length }, (_, row) => row % 2) },
    { ...base, kind: 'number', type: DataType.Double, values: Float64Array.from({ length }, (_, row) => row / 3) },
    { ...base, kind: 'string', type: DataType.VarChar, ...short },
    { ...base, kind: 'json', type: DataType.JSON, ...short },
    { ...base, kind: 'array', type: DataType.Array, elementType: DataType.VarChar, offsets, elements: { kind: 'string', type: DataType.VarChar, length: length * 2, valid: undefined, ...texts } },
    { ...base, kind: 'vector', type: DataType.FloatVector, dim: 2, bytesPerRow: 8, data: Uint8Array.from({ length: length * 8 }, (_, at) => at % 251) },
  ]
}

describe('a step of', () => {
  test.each(manyColumns(ROWS))('picking rows of $kind reads no more than its share of them', (column) => {
    const rows = Uint32Array.from({ length: ROWS }, (_, at) => ROWS - 1 - at)
    const { array, take } = counted(rows)
    const { most, all, value } = measure(gatherSteps(column, array), take)
    expect(all).toBeGreaterThanOrEqual(ROWS)
    // A run of vectors looks one row ahead.
    expect(most).toBeLessThanOrEqual(STEP_ROWS * 2)
    expect(sameColumn(value, gatherColumn(column, rows))).toBe(true)
  })

  test('joining copies no more than its share of bytes', () => {
    const set = vi.spyOn(Uint8Array.prototype, 'set')
    const take = () => {
      const bytes = set.mock.calls.reduce((sum, [source]) => sum + source.length, 0)
      set.mockClear()
      return bytes
    }
    const data = new Uint8Array(STEP_BYTES * 3 + 40)
    const vectors: Column = { kind: 'vector', type: DataType.FloatVector, length: data.length / 8, valid: undefined, dim: 2, bytesPerRow: 8, data }
    const { most, all } = measure(joinSteps([vectors, vectors]), take)
    expect(all).toBe(data.length * 2)
    expect(most).toBeLessThan(STEP_BYTES * 2)
  })

  test('sorting numbers looks at no more than its share of keys', () => {
    const sort = vi.spyOn(Float64Array.prototype, 'sort')
    const batch = int64Batch(ROWS, (row) => BigInt((row * 7919) % ROWS))
    const keys = batch.columns.get(100)
    const { array, take } = counted(keys?.kind === 'int64' ? keys.values : new BigInt64Array())
    const spied = { ...batch, columns: new Map([[100, { ...int64(0, BigInt), length: ROWS, values: array } as Column]]) }
    const { most } = measure(sortSteps(spied, new BigUint64Array(ROWS), 100), take)
    expect(most).toBeLessThanOrEqual(STEP_ROWS * 2)
    expect(sort.mock.contexts.length).toBe(4)
    for (const run of sort.mock.contexts) expect((run as Float64Array).length).toBeLessThanOrEqual(STEP_ROWS)
  })

  test('sorting text makes no more than its share of comparisons', () => {
    const compare = vi.spyOn(Buffer.prototype, 'compare')
    const take = () => {
      const calls = compare.mock.calls.length
      compare.mockClear()
      return calls
    }
    // Their difference lies behind what the sort sees without a comparison.
    const texts = Array.from({ length: STEP_ROWS * 2 }, (_, row) => `${row % 2 === 0 ? 'a' : 'b'}-much-the-same-${(row * 7919) % 32_768}`)
    const batch = { length: texts.length, columns: new Map<number, Column>([[100, { kind: 'string', type: DataType.VarChar, length: texts.length, valid: undefined, ...strings(texts) }]]) }
    const { most, all, value } = measure(sortSteps(batch, new BigUint64Array(texts.length), 100), take)
    expect(all).toBeGreaterThan(STEP_ROWS * 2)
    expect(most).toBeLessThanOrEqual(STEP_ROWS * 2)
    expect(Array.from(value.order ?? [], (row) => texts[row])).toEqual([...texts].sort())
  })
})

describe('what the steps give', () => {
  test.each(manyColumns(1000))('columns of $kind are joined as in one go', (column) => {
    const parts = [gatherColumn(column, [5, 6, 7]), column, gatherColumn(column, [])]
    expect(atOnce(joinSteps(parts))).toEqual(concatColumns(parts))
  })

  test.each(everyType.fields)('columns of $name are joined as in one go', ({ id }) => {
    const column = batchOf(9).batch.columns.get(id)
    if (column === undefined) throw new Error('no column')
    expect(atOnce(joinSteps([column, column]))).toEqual(concatColumns([column, column]))
  })

  test('nothing is no column', () => {
    expect(() => atOnce(joinSteps([]))).toThrow(RangeError)
  })

  test('large segments are in order, stable, whatever the spread of their keys', () => {
    const spreads: ((row: number) => bigint)[] = [
      (row) => BigInt((row * 7919) % 1000),
      (row) => (BigInt((row * 7919) % 9973) - 5000n) << 48n,
      (row) => (1n << 62n) + BigInt((row * 7919) % 500),
      // Two segments that were in order, as a merge gets them.
      (row) => BigInt(row < ROWS / 2 ? row * 2 : (row - Math.ceil(ROWS / 2)) * 2 + 1),
    ]
    for (const of of spreads) {
      const { order, batch } = atOnce(sortSteps(int64Batch(ROWS, of), new BigUint64Array(ROWS), 100))
      const keys = batch.columns.get(100)
      if (order === undefined || keys?.kind !== 'int64') throw new Error('expected an order')
      const isWrong = order.findIndex((row, at) => {
        const before = order[at - 1]
        return before !== undefined && (of(before) > of(row) || (of(before) === of(row) && before > row))
      })
      expect(isWrong).toBe(-1)
      expect(new Set(order).size).toBe(ROWS)
      expect(keys.values.every((key, at) => key === of(order[at] ?? -1))).toBe(true)
    }
  })

  test('keys in order are neither sorted nor copied', () => {
    const sort = vi.spyOn(Float64Array.prototype, 'sort')
    const batch = int64Batch(ROWS, BigInt)
    const sorted = atOnce(sortSteps(batch, new BigUint64Array(ROWS), 100))
    expect(sorted.order).toBeUndefined()
    expect(sorted.batch).toBe(batch)
    expect(sort).not.toHaveBeenCalled()
  })

  test('whole rows of every type move', () => {
    const { batch, timestamps } = batchOf(40, (row) => BigInt((row * 7) % 40))
    const sorted = atOnce(sortSteps(batch, timestamps, 100))
    const before = rowsOf(batch, timestamps)
    expect(rowsOf(sorted.batch, sorted.timestamps)).toEqual(Array.from(sorted.order ?? [], (row) => before[row]))
  })
})
