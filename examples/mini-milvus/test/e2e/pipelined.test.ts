/** One client's calls that do not wait for each other, on one connection: they take effect as they were sent, whatever their size and kind. */
import { DataType } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rawClient, type RawClient } from './raw-client.ts'
import { seededRandom, startTestNode, type TestNode } from './support.ts'

const collection_name = 'ordered'
const DIM = 128

describe('pipelined calls of one client', () => {
  let test: TestNode
  let raw: RawClient
  let next = 0
  beforeAll(async () => {
    test = await startTestNode()
    raw = rawClient(test.node.address)
    await test.client.createCollection({
      collection_name,
      shards_num: 2,
      properties: { 'timetick.visibility': 'flush' },
      fields: [
        { name: 'id', data_type: DataType.Int64, is_primary_key: true },
        { name: 'vector', data_type: DataType.FloatVector, dim: DIM },
      ],
    })
    await test.client.createIndex({ collection_name, field_name: 'vector', index_type: 'FLAT', metric_type: 'L2' })
    await test.client.loadCollectionSync({ collection_name })
  })
  afterAll(async () => {
    raw.close()
    await test.close()
  })

  const insert = (first: number, count: number, method: 'Insert' | 'Upsert' = 'Insert') => {
    const ids = Array.from({ length: count }, (_, row) => BigInt(first + row))
    const fields_data = [
      { type: 5, field_name: 'id', scalars: { long_data: { data: ids } } },
      { type: 101, field_name: 'vector', vectors: { dim: BigInt(DIM), float_vector: { data: Array.from({ length: count * DIM }, () => 0.5) } } },
    ]
    return ok(raw.call(method, { collection_name, fields_data, num_rows: count, hash_keys: [] }))
  }
  const remove = (first: number, count: number) => ok(raw.call('Delete', { collection_name, expr: `id >= ${first} and id < ${first + count}` }))
  const removeKey = (id: number) => ok(raw.call('Delete', { collection_name, expr: `id in [${id}]` }))
  const flush = () => ok(raw.call('Flush', { collection_names: [collection_name] }))
  async function count(first: number, size: number): Promise<number> {
    const found = await ok(raw.call('Query', { collection_name, expr: `id >= ${first} and id < ${first + size}`, output_fields: ['count(*)'], consistency_level: 3, guarantee_timestamp: 1n }))
    const [column] = found['fields_data'] as { scalars: { long_data: { data: bigint[] } } }[]
    return Number(column?.scalars.long_data.data[0])
  }

  async function ok(answer: Promise<Record<string, unknown>>): Promise<Record<string, unknown>> {
    const found = await answer
    const status = (found['status'] ?? found) as { code: number; reason: string }
    expect([status.code, status.reason]).toEqual([0, ''])
    return found
  }

  const take = (size: number): number => (next += size) - size

  it('a small delete does not overtake the large insert before it, nor a flush the two', async () => {
    const size = 10_000
    for (let round = 0; round < 3; round++) {
      const first = take(size)
      const [, , , seen] = await Promise.all([insert(first, size), removeKey(first + 7), flush(), count(first, size)])
      expect(seen).toBe(size - 1)
    }
  })

  it('a read sees the flushes before it and none of those after it', async () => {
    const size = 10
    for (let round = 0; round < 5; round++) {
      const first = take(3 * size)
      const all = await Promise.all([
        count(first, 3 * size), insert(first, size), count(first, 3 * size), flush(), count(first, 3 * size), insert(first + size, size), remove(first, 5),
        count(first, 3 * size), flush(), count(first, 3 * size), insert(first + 2 * size, size), flush(), count(first, 3 * size),
      ])
      expect(all.filter((item) => typeof item === 'number')).toEqual([0, 0, size, size, 2 * size - 5, 3 * size - 5])
    }
  })

  it('random calls leave and show what they would leave and show one after the other', async () => {
    for (const seed of [1, 2, 3]) {
      const random = seededRandom(seed)
      const size = 40
      const first = take(size)
      let [staged, visible] = [new Set<number>(), new Set<number>()]
      const answers: Promise<unknown>[] = []
      const expected: unknown[] = []
      for (let step = 0; step < 40; step++) {
        const id = first + Math.floor(random() * size)
        const kind = Math.floor(random() * 5)
        if (kind === 0) {
          answers.push(insert(id, 1, 'Upsert').then(() => 'done'))
          staged.add(id)
        } else if (kind === 1) {
          answers.push(remove(id, 3).then(() => 'done'))
          for (const gone of [id, id + 1, id + 2]) staged.delete(gone)
        } else if (kind === 2) {
          answers.push(flush().then(() => 'done'))
          visible = staged
          staged = new Set(visible)
        } else answers.push(count(first, size))
        expected.push(kind < 3 ? 'done' : visible.size)
      }
      expect({ seed, answers: await Promise.all(answers) }).toEqual({ seed, answers: expected })
      await flush()
    }
  })

  it('a call that is cancelled leaves no gap', async () => {
    const size = 5000
    const first = take(2 * size)
    const bytes = Buffer.alloc(0)
    const cancelled = raw.bytes('Flush', bytes, { deadline: Date.now() - 1 }).catch((error: unknown) => error)
    const [, , seen] = await Promise.all([insert(first, size), flush(), count(first, size), cancelled])
    expect(seen).toBe(size)
  })
})
