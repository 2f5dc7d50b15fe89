/** Rule `flush` through the official client: what is staged is nobody's to see, and a flush shows all of it at once. */
import { ConsistencyLevelEnum as Level, DataType, MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestNode, type TestNode } from './support.ts'

const visibility = { 'timetick.visibility': 'flush' }

describe('visibility flush', () => {
  let test: TestNode
  let other: MilvusClient
  let count = 0
  beforeAll(async () => {
    test = await startTestNode({ inMemory: true, parameters: { 'proxy.timeTickInterval': '60000ms' } })
    other = new MilvusClient({ address: test.node.address, logLevel: 'error' })
    await other.connectPromise
  })
  afterAll(async () => {
    await other.closeConnection()
    await test.close()
  })

  async function make(more: object = {}, shards_num = 2): Promise<string> {
    const collection_name = `c${(count += 1)}`
    const made = await test.client.createCollection({
      collection_name,
      shards_num,
      properties: visibility,
      consistency_level: 'Strong',
      fields: [
        { name: 'id', data_type: DataType.Int64, is_primary_key: true, autoID: false },
        { name: 'color', data_type: DataType.VarChar, max_length: 20 },
        { name: 'size', data_type: DataType.Int64, nullable: true },
        { name: 'vector', data_type: DataType.FloatVector, dim: 2 },
      ],
      index_params: [{ field_name: 'vector', index_type: 'HNSW', metric_type: 'L2' }],
      ...more,
    })
    expect(made.error_code).toBe('Success')
    await test.client.loadCollectionSync({ collection_name })
    return collection_name
  }

  const row = (id: number, color = 'red', size: number | null = id) => ({ id, color, size, vector: [id, 0] })

  const described = ({ id, color, size }: Record<string, unknown>): [string, string] => [String(id), `${String(color)} ${String(size)}`]

  /** What everybody sees, by each way of reading; they must agree. */
  async function seen(collection_name: string): Promise<Record<string, string>> {
    const answers = []
    for (const client of [test.client, other]) {
      for (const consistency_level of [Level.Strong, Level.Eventually]) {
        const rows = await client.query({ collection_name, filter: 'id >= 0', output_fields: ['id', 'color', 'size'], consistency_level })
        expect(rows.status.error_code).toBe('Success')
        const found = Object.fromEntries(rows.data.map(described))
        const counted = await client.query({ collection_name, filter: '', output_fields: ['count(*)'], consistency_level })
        expect(Number(counted.data[0]?.['count(*)'])).toBe(rows.data.length)
        const hits = await client.search({ collection_name, data: [0, 0], limit: 100, output_fields: ['id', 'color', 'size'], consistency_level })
        expect(hits.status.error_code).toBe('Success')
        expect(Object.fromEntries(hits.results.map(described))).toEqual(found)
        answers.push(found)
      }
    }
    for (const answer of answers) expect(answer).toEqual(answers[0])
    return answers[0] ?? {}
  }

  const rowCount = async (collection_name: string): Promise<number> => Number((await test.client.getCollectionStatistics({ collection_name })).data['row_count'])
  const flush = async (...collection_names: string[]): Promise<void> => {
    const flushed = await test.client.flush({ collection_names })
    expect(flushed.status.error_code).toBe('Success')
  }
  const insert = async (collection_name: string, ...data: object[]): Promise<void> => {
    const { status, insert_cnt } = await test.client.insert({ collection_name, data: data as never })
    expect([status.error_code, Number(insert_cnt)]).toEqual(['Success', data.length])
  }

  it('inserted rows are seen by nobody before the flush, and by everybody after it', async () => {
    const name = await make()
    await insert(name, row(1), row(2), row(3))
    expect(await seen(name)).toEqual({})
    expect(await rowCount(name)).toBe(0)
    await flush(name)
    expect(await seen(name)).toEqual({ 1: 'red 1', 2: 'red 2', 3: 'red 3' })
    expect(await rowCount(name)).toBe(3)
  })

  it('deleted and upserted rows stay as they are before the flush', async () => {
    const name = await make()
    await insert(name, row(1), row(2), row(3))
    await flush(name)
    const before = await seen(name)
    await test.client.delete({ collection_name: name, ids: [1] })
    await test.client.delete({ collection_name: name, filter: 'size == 2' })
    await test.client.upsert({ collection_name: name, data: [row(3, 'blue')] })
    expect(await seen(name)).toEqual(before)
    await flush(name)
    expect(await seen(name)).toEqual({ 3: 'blue 3' })
  })

  it('writes take effect in their order, predicates in their place', async () => {
    const name = await make()
    await insert(name, row(1), row(2), row(3), row(4), row(5))
    await flush(name)
    await test.client.upsert({ collection_name: name, data: [row(1, 'blue')] })
    await insert(name, row(6), row(7, 'blue'))
    await test.client.delete({ collection_name: name, filter: 'color == "blue" or id == 5' })
    await insert(name, row(8, 'blue'), row(5, 'green'))
    await test.client.delete({ collection_name: name, ids: [2, 6] })
    await test.client.upsert({ collection_name: name, data: [row(6, 'black')] })
    await flush(name)
    expect(await seen(name)).toEqual({ 3: 'red 3', 4: 'red 4', 5: 'green 5', 6: 'black 6', 8: 'blue 8' })
  })

  it('a partial upsert reads what is committed when it is flushed, and what its client wrote before it', async () => {
    const name = await make()
    await insert(name, row(1), row(2))
    await flush(name)
    await test.client.upsert({ collection_name: name, data: [row(2, 'blue', 20)] })
    const partial = await test.client.upsert({ collection_name: name, partial_update: true, data: [{ id: 1, size: 100 }, { id: 2, size: 200 }] })
    expect(partial.status.error_code).toBe('Success')
    await other.upsert({ collection_name: name, data: [row(1, 'green', 10)] })
    await other.flush({ collection_names: [name] })
    expect(await seen(name)).toEqual({ 1: 'green 10', 2: 'red 2' })
    await flush(name)
    expect(await seen(name)).toEqual({ 1: 'green 100', 2: 'blue 200' })
  })

  it('a partial upsert of a row that is not there is refused at once, as in Milvus', async () => {
    const name = await make()
    await insert(name, row(1))
    await flush(name)
    const partially = (...ids: number[]) => test.client.upsert({ collection_name: name, partial_update: true, data: ids.map((id) => ({ id, size: 7 })) })
    const refused = { error_code: 'IllegalArgument', code: 1100, reason: 'fieldSchema(color) has no corresponding fieldData pass in' }
    expect((await partially(1, 2)).status).toMatchObject(refused)
    await test.client.delete({ collection_name: name, ids: [1] })
    expect((await partially(1)).status).toMatchObject(refused)
    await insert(name, row(2))
    expect((await partially(2)).status.error_code).toBe('Success')
    await flush(name)
    expect(await seen(name)).toEqual({ 2: 'red 7' })
  })

  it('one whose row another client deletes meanwhile is left out of the flush, which says so; nobody is stuck', async () => {
    const name = await make()
    await insert(name, row(1), row(2))
    await flush(name)
    await insert(name, row(3))
    await test.client.upsert({ collection_name: name, partial_update: true, data: [{ id: 1, size: 7 }] })
    await test.client.upsert({ collection_name: name, partial_update: true, data: [{ id: 2, size: 7 }] })
    await other.delete({ collection_name: name, ids: [1] })
    await other.flush({ collection_names: [name] })
    const { status } = await test.client.flush({ collection_names: [name] })
    expect(status).toMatchObject({ error_code: 'Success', code: 0, extra_info: { 'timetick.left_out': '1' } })
    expect(status.reason).toBe(`collection ${name}: the partial upsert of row 1 was left out: fieldSchema(color) has no corresponding fieldData pass in`)
    expect(await seen(name)).toEqual({ 2: 'red 7', 3: 'red 3' })
    const again = await test.client.flush({ collection_names: [name] })
    expect([again.status.code, again.status.reason]).toEqual([0, ''])
  })

  it('a flush of several collections shows all of them, and leaves the others and other clients alone', async () => {
    const [a, b, c] = [await make(), await make({}, 1), await make({}, 4)]
    for (const name of [a, b, c]) await insert(name, row(1))
    await other.insert({ collection_name: a, data: [row(9)] })
    await flush(a, b)
    expect([await seen(a), await seen(b), await seen(c)]).toEqual([{ 1: 'red 1' }, { 1: 'red 1' }, {}])
    await test.client.flushAll({})
    expect(await seen(c)).toEqual({ 1: 'red 1' })
    expect(await seen(a)).toEqual({ 1: 'red 1' })
  })

  it('auto ids are given at once and are those that come', async () => {
    const name = await make({
      fields: [
        { name: 'id', data_type: DataType.Int64, is_primary_key: true, autoID: true },
        { name: 'color', data_type: DataType.VarChar, max_length: 20 },
        { name: 'size', data_type: DataType.Int64, nullable: true },
        { name: 'vector', data_type: DataType.FloatVector, dim: 2 },
      ],
    })
    const ids: string[] = []
    for (let round = 0; round < 3; round++) {
      const { IDs } = await test.client.insert({ collection_name: name, data: [{ color: 'red', size: round, vector: [round, 0] }] })
      ids.push(...(IDs as unknown as { int_id: { data: string[] } }).int_id.data)
    }
    await flush(name)
    expect(Object.keys(await seen(name)).sort()).toEqual(ids.sort())
    expect(new Set(ids).size).toBe(3)
  })

  it('drop and truncate discard what is staged, of a partition and of a collection', async () => {
    const name = await make()
    await test.client.createPartition({ collection_name: name, partition_name: 'p' })
    await insert(name, row(1))
    await test.client.insert({ collection_name: name, partition_name: 'p', data: [row(2)] })
    await test.client.releasePartitions({ collection_name: name, partition_names: ['p'] })
    await test.client.dropPartition({ collection_name: name, partition_name: 'p' })
    await flush(name)
    expect(await seen(name)).toEqual({ 1: 'red 1' })
    await insert(name, row(3))
    await (test.client as unknown as { truncateCollection(request: object): Promise<unknown> }).truncateCollection({ collection_name: name })
    await flush(name)
    expect(await seen(name)).toEqual({})
    await insert(name, row(4))
    await test.client.dropCollection({ collection_name: name })
    await test.client.createCollection({ collection_name: name, dimension: 2, properties: visibility })
    await flush(name)
    expect(Number((await test.client.query({ collection_name: name, filter: '', output_fields: ['count(*)'] })).data[0]?.['count(*)'])).toBe(0)
  })

  it('a field that is added meanwhile gets its default or null', async () => {
    const name = await make()
    await insert(name, row(1))
    await test.client.addCollectionField({ collection_name: name, field: { name: 'weight', data_type: DataType.Int64, nullable: true, default_value: 7 } as never })
    await test.client.addCollectionField({ collection_name: name, field: { name: 'note', data_type: DataType.VarChar, max_length: 10, nullable: true } as never })
    await flush(name)
    const { data } = await test.client.query({ collection_name: name, filter: 'weight == 7', output_fields: ['id', 'weight', 'note'] })
    expect(data).toEqual([{ id: '1', weight: '7', note: null }])
  })

  it('what is staged beyond the bound is refused with 8, and nothing of it is kept', async () => {
    const small = await startTestNode({ inMemory: true, parameters: { 'staging.maxClientBytes': '4096', 'common.visibility': 'flush' } })
    try {
      await small.client.createCollection({ collection_name: 'c', dimension: 2 })
      const many = Array.from({ length: 400 }, (_, id) => ({ id, vector: [id, 0] }))
      const refused = await small.client.insert({ collection_name: 'c', data: many })
      expect(refused.status).toMatchObject({ code: 8, retriable: true })
      expect((await small.client.insert({ collection_name: 'c', data: many.slice(0, 10) })).status.code).toBe(0)
      await small.client.flush({ collection_names: ['c'] })
      expect((await small.client.insert({ collection_name: 'c', data: many.slice(10, 20) })).status.code).toBe(0)
      await small.client.flush({ collection_names: ['c'] })
      const counted = await small.client.query({ collection_name: 'c', filter: '', output_fields: ['count(*)'] })
      expect(Number(counted.data[0]?.['count(*)'])).toBe(20)
    } finally {
      await small.close()
    }
  })
})
