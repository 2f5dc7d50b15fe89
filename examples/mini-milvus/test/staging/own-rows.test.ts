/** What is left of a client's writes when they are gone through in order, against a model that does it one by one. */
import { SeededRandom } from '@timetick/tso/testing'
import { describe, expect, it } from 'vitest'
import { primaryKeyColumn, primaryKeyList } from '../../src/model/primary-keys.ts'
import { DataType } from '../../src/model/schema.ts'
import { atOnce } from '../../src/segment/steps.ts'
import { OwnRows } from '../../src/staging/own-rows.ts'
import { rows } from '../node/harness.ts'

const PARTITIONS = [7n, 8n]

describe('own rows', () => {
  it('are what the client inserted and did not delete after it, in order, over random writes', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = new SeededRandom(seed)
      const own = new OwnRows()
      let model: { partitionId: bigint; key: bigint; version: number }[] = []
      const deleted: { partitionId: bigint; key: bigint }[] = []
      for (let i = 0; i < 30; i++) {
        const ids = Array.from({ length: random.integer(1, 4) }, () => random.integer(0, 9))
        if (random.integer(0, 1) === 0) {
          const partitionId = PARTITIONS[random.integer(0, 1)] ?? 7n
          own.add({ partitionId, ...rows(ids, i) })
          model.push(...ids.map((id) => ({ partitionId, key: BigInt(id), version: i })))
        } else {
          const partitionId = [0n, ...PARTITIONS][random.integer(0, 2)] ?? 0n
          atOnce(own.delete({ partitionId, keys: primaryKeyColumn(DataType.Int64, ids.map(BigInt)) }))
          model = model.filter((row) => !(ids.includes(Number(row.key)) && (partitionId === 0n || partitionId === row.partitionId)))
          deleted.push(...ids.map((id) => ({ partitionId, key: BigInt(id) })))
        }
      }
      const { inserts, deletes } = atOnce(own.netSteps())
      const left = inserts.flatMap(({ partitionId, rows: batch, keys }) => {
        const column = batch.columns.get(101)
        const versions = column?.kind === 'int64' ? [...column.values] : []
        expect([batch.length, versions.length], `seed ${seed}`).toEqual([keys.length, keys.length])
        return primaryKeyList(keys).map((key, row) => ({ partitionId, key, version: Number(versions[row]) }))
      })
      expect(left, `seed ${seed}`).toEqual(model)
      expect(deletes.flatMap(({ partitionId, keys }) => primaryKeyList(keys).map((key) => ({ partitionId, key }))), `seed ${seed}`).toEqual(deleted)
      const isDeleted = atOnce(own.deletedSteps())
      const last = atOnce(own.lastSteps())
      for (let id = 0n; id < 10n; id++) {
        for (const partitionId of PARTITIONS) {
          expect(isDeleted(id, partitionId), `seed ${seed}`).toBe(deleted.some((item) => item.key === id && (item.partitionId === 0n || item.partitionId === partitionId)))
          const place = last(id, partitionId)
          const expected = model.filter((row) => row.key === id && row.partitionId === partitionId).at(-1)
          const column = place === undefined ? undefined : own.batches[place.batch]?.rows.columns.get(101)
          expect(column?.kind === 'int64' ? Number(column.values[place?.row ?? 0]) : undefined, `seed ${seed}`).toBe(expected?.version)
        }
      }
    }
  })

  it('of many small writes become few batches, but not across partitions or fields', () => {
    const own = new OwnRows()
    for (let id = 0; id < 2000; id++) own.add({ partitionId: 7n, ...rows([id], 1) })
    own.add({ partitionId: 8n, ...rows([1], 1) })
    const { rows: batch, keys } = rows([2], 1)
    own.add({ partitionId: 8n, keys, rows: { length: 1, columns: new Map([...batch.columns].filter(([id]) => id !== 101)) } })
    const { inserts } = atOnce(own.netSteps())
    expect(inserts.map((item) => [item.partitionId, item.keys.length, item.rows.columns.size])).toEqual([[7n, 1024, 3], [7n, 976, 3], [8n, 1, 3], [8n, 1, 2]])
    expect(inserts.flatMap((item) => primaryKeyList(item.keys)).slice(0, 2000)).toEqual(Array.from({ length: 2000 }, (_, id) => BigInt(id)))
  })
})
