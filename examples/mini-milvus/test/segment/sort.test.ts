import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DataType } from '../../src/model/schema.ts'
import { atOnce, sortSegment, sortSteps } from '../../src/segment/index.ts'
import { batchOf, rowsOf, strings } from './samples.ts'

describe('sortSteps', () => {
  test('whole rows move, rows of equal keys keep their order', async () => {
    const { batch, timestamps } = batchOf(50, (i) => BigInt((i * 7) % 11) - 5n)
    const sorted = atOnce(sortSteps(batch, timestamps, 100))
    const keyOf = (i: number) => ((i * 7) % 11) - 5
    const order = Array.from({ length: 50 }, (_, i) => i).sort((a, b) => keyOf(a) - keyOf(b) || a - b)
    expect([...(sorted.order ?? [])]).toEqual(order)
    const before = rowsOf(batch, timestamps)
    expect(rowsOf(sorted.batch, sorted.timestamps)).toEqual(order.map((i) => before[i]))
    expect(await sortSegment(batch, timestamps, 100)).toEqual(sorted)
  })

  test('rows in order are not copied', () => {
    const { batch, timestamps } = batchOf(10)
    expect(atOnce(sortSteps(batch, timestamps, 100))).toMatchObject({ order: undefined, batch })
    expect(atOnce(sortSteps(batchOf(0).batch, timestamps, 100)).order).toBeUndefined()
  })

  test('vectors that take several steps move whole, with pauses between', async () => {
    const rows = 3000
    const dim = 512
    const data = new Uint8Array(new Float32Array(rows * dim).map((_, i) => Math.floor(i / dim)).buffer)
    const columns = new Map([
      [
        100,
        {
          kind: 'int64',
          type: DataType.Int64,
          length: rows,
          valid: undefined,
          values: BigInt64Array.from({ length: rows }, (_, i) => BigInt(rows - i)),
        },
      ],
      [101, { kind: 'vector', type: DataType.FloatVector, length: rows, valid: undefined, dim, bytesPerRow: dim * 4, data }],
    ] as const)
    let pauses = 0
    const sorted = await sortSegment({ length: rows, columns }, new BigUint64Array(rows), 100, async () => void pauses++)
    const column = sorted.batch.columns.get(101)
    const moved = column?.kind === 'vector' ? new Float32Array(column.data.buffer) : new Float32Array()
    expect(moved.length).toBe(rows * dim)
    expect(moved.every((value, i) => value === rows - 1 - Math.floor(i / dim))).toBe(true)
    expect(pauses).toBeGreaterThanOrEqual(4)
  })

  test('numbers of the whole range sort by value', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), fc.bigInt(-5n, 5n)), { maxLength: 60 }), (ids) => {
        const values = BigInt64Array.from(ids)
        const batch = {
          length: ids.length,
          columns: new Map([[100, { kind: 'int64', type: DataType.Int64, length: ids.length, valid: undefined, values }]] as const),
        }
        const { order } = atOnce(sortSteps(batch, new BigUint64Array(ids.length), 100))
        const expected = ids
          .map((_, i) => i)
          .sort((a, b) => ((ids[a] ?? 0n) < (ids[b] ?? 0n) ? -1 : (ids[a] ?? 0n) > (ids[b] ?? 0n) ? 1 : a - b))
        expect(order === undefined ? ids.map((_, i) => i) : [...order]).toEqual(expected)
      }),
    )
  })

  test('text sorts by its UTF-8 bytes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string({ unit: 'binary', maxLength: 12 }), fc.constantFrom('prefix-a', 'prefix-b', 'prefix')), {
          maxLength: 40,
        }),
        (texts) => {
          const batch = {
            length: texts.length,
            columns: new Map([
              [100, { kind: 'string', type: DataType.VarChar, length: texts.length, valid: undefined, ...strings(texts) }],
            ] as const),
          }
          const { order } = atOnce(sortSteps(batch, new BigUint64Array(texts.length), 100))
          const expected = texts
            .map((_, i) => i)
            .sort((a, b) => Buffer.compare(Buffer.from(texts[a] ?? ''), Buffer.from(texts[b] ?? '')) || a - b)
          expect(order === undefined ? texts.map((_, i) => i) : [...order]).toEqual(expected)
        },
      ),
    )
  })
})
