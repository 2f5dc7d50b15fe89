import type { StampedAppend, TimeTickProducer } from '@timetick/msgstream'
import { describe, expect, test } from 'vitest'
import type { Column, RowBatch } from '../../src/model/column.ts'
import type { CollectionMeta } from '../../src/model/meta.ts'
import { groupByBucket, hashPrimaryKeys, primaryKeyColumn, primaryKeyList } from '../../src/model/primary-keys.ts'
import { DataType } from '../../src/model/schema.ts'
import { createDmlWriter } from '../../src/writer/dml-writer.ts'
import { dmlHeader, keysOf, rowsOf } from '../../src/writer/log-messages.ts'

const shards = [0, 1].map((shard) => ({ pchannel: `dml_${shard}`, vchannel: `dml_${shard}_7v${shard}` }))
const collection = { id: 7n, shards } as unknown as CollectionMeta

function openWriter(onPause: () => void = () => undefined, maxFrameBytes?: number) {
  const appended: StampedAppend[] = []
  let pauses = 0
  const ticks = {
    write: async (build: (ts: bigint) => StampedAppend[]) => {
      appended.push(...build(5n))
      return { timestamp: 5n }
    },
  } as unknown as TimeTickProducer
  const writer = createDmlWriter(ticks, async () => {
    pauses++
    onPause()
  }, maxFrameBytes)
  return { writer, appended, pauses: () => pauses }
}

/** Keys, and vectors that begin with the row's number. */
function rowsWith(length: number, dim: number, keyType: DataType): { rows: RowBatch; keys: ReturnType<typeof primaryKeyColumn> } {
  const list = Array.from({ length }, (_, row) => BigInt(row))
  const keys = primaryKeyColumn(keyType, keyType === DataType.Int64 ? list : list.map((key) => `key ${key}`))
  const numbers = new Float32Array(length * dim)
  for (let row = 0; row < length; row++) numbers[row * dim] = row
  const vectors: Column = { kind: 'vector', type: DataType.FloatVector, length, valid: undefined, dim, bytesPerRow: dim * 4, data: new Uint8Array(numbers.buffer) }
  return { rows: { length, columns: new Map<number, Column>([[100, keys], [101, vectors]]) }, keys }
}

describe('a write', () => {
  test('has no message that its log would not take, whatever the sizes of its rows', async () => {
    const maxFrameBytes = 64 * 1024
    const { writer, appended } = openWriter(undefined, maxFrameBytes)
    const { keys } = rowsWith(10_000, 1, DataType.Int64)
    const texts = Array.from({ length: 10_000 }, (_, row) => new Uint8Array(row % 100 === 7 ? 5000 : 3).fill(120))
    const offsets = new Uint32Array(10_001)
    texts.forEach((text, row) => (offsets[row + 1] = (offsets[row] ?? 0) + text.length))
    const text: Column = { kind: 'string', type: DataType.VarChar, length: 10_000, valid: undefined, offsets, data: Uint8Array.from(Buffer.concat(texts)) }
    const rows: RowBatch = { length: 10_000, columns: new Map<number, Column>([[100, keys], [101, text]]) }
    await writer.write({ collection, deletes: [{ partitionId: 0n, keys }], inserts: [{ partitionId: 3n, rows, keys }] })
    const messages = appended.flatMap(({ msgs }) => msgs)
    const seen = { insert: 0, delete: 0 }
    for (const message of messages) {
      expect(message.body.length).toBeLessThan(maxFrameBytes - 1024)
      const kind = dmlHeader(message)?.kind ?? 'insert'
      seen[kind] += kind === 'insert' ? rowsOf(message).length : keysOf(message).length
    }
    expect(seen).toEqual({ insert: 10_000, delete: 10_000 })
  })

  test.each([DataType.Int64, DataType.VarChar])('of many rows (key type %s) pauses, and all rows are in the log, each in its shard, in pieces', async (keyType) => {
    const { writer, appended, pauses } = openWriter()
    const { rows, keys } = rowsWith(40_000, 128, keyType)
    await writer.write({ collection, deletes: [{ partitionId: 0n, keys }], inserts: [{ partitionId: 3n, rows, keys }] })
    // At least once for every 16,384 keys hashed, and every 4 MB of vectors copied.
    expect(pauses()).toBeGreaterThanOrEqual(2 * 2 + (2 * 20) / 4)
    const expected = groupByBucket(hashPrimaryKeys(keys), 2)
    for (const [index, { pchannel, vchannel }] of shards.entries()) {
      const messages = appended.filter(({ channel }) => channel === pchannel).flatMap(({ msgs }) => msgs)
      const kinds = messages.map((message) => dmlHeader(message))
      expect(kinds[0]).toMatchObject({ kind: 'delete', partitionId: 0n, vchannel, ts: 5n })
      const inserts = messages.slice(1)
      expect(inserts.length).toBeGreaterThan(1)
      const seen: number[] = []
      for (const message of inserts) {
        expect(message.body.length).toBeLessThan(9 * 1024 * 1024)
        const column = rowsOf(message).columns.get(101)
        if (column?.kind !== 'vector') throw new Error('no vectors')
        const view = new DataView(column.data.buffer, column.data.byteOffset)
        for (let row = 0; row < column.length; row++) seen.push(view.getFloat32(row * column.bytesPerRow, true))
      }
      expect(seen).toEqual([...(expected[index] ?? [])])
      const all = primaryKeyList(keys)
      expect(primaryKeyList(keysOf(messages[0] ?? inserts[0] as never))).toEqual(seen.map((row) => all[row]))
    }
  })

  test('of few rows does not pause', async () => {
    const { writer, appended, pauses } = openWriter()
    const { rows, keys } = rowsWith(100, 8, DataType.Int64)
    expect(await writer.write({ collection, deletes: [], inserts: [{ partitionId: 3n, rows, keys }] })).toBe(5n)
    expect(appended.length).toBe(2)
    expect(pauses()).toBe(0)
    expect(writer.lastWrite(7n)).toBe(5n)
  })

  test('that is cancelled between its steps writes nothing', async () => {
    const cancel = new AbortController()
    const reason = new Error('the client went away')
    const { writer, appended, pauses } = openWriter(() => cancel.abort(reason))
    const { rows, keys } = rowsWith(40_000, 128, DataType.Int64)
    await expect(writer.write({ collection, deletes: [], inserts: [{ partitionId: 3n, rows, keys }], signal: cancel.signal })).rejects.toBe(reason)
    expect(pauses()).toBe(1)
    expect(appended).toEqual([])
    expect(writer.lastWrite(7n)).toBe(0n)
  })
})
