/** Databases, partitions, aliases, statistics and load states as the official client sees them. */
import { DataType, LoadState } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestNode, type TestNode } from './support.ts'

const rowsOf = (begin: number, count: number) => Array.from({ length: count }, (_, i) => ({ id: begin + i, vector: [begin + i, 1] }))

describe('metadata', () => {
  let test: TestNode
  beforeAll(async () => {
    test = await startTestNode()
  })
  afterAll(() => test.close())

  it('keeps collections of equal names in different databases apart', async () => {
    const { client } = test
    for (const db_name of ['shop', 'blog']) {
      expect(await client.createDatabase({ db_name })).toMatchObject({ error_code: 'Success' })
      expect(await client.createCollection({ db_name, collection_name: 'items', dimension: 2, consistency_level: 'Strong' })).toMatchObject({ error_code: 'Success' })
    }
    await client.insert({ db_name: 'shop', collection_name: 'items', data: rowsOf(0, 3) })
    await client.insert({ db_name: 'blog', collection_name: 'items', data: rowsOf(0, 5) })
    expect((await client.count({ db_name: 'shop', collection_name: 'items' })).data).toBe(3)
    expect((await client.count({ db_name: 'blog', collection_name: 'items' })).data).toBe(5)
    expect((await client.hasCollection({ collection_name: 'items' })).value).toBe(false)
    expect((await client.listDatabases()).db_names).toEqual(expect.arrayContaining(['default', 'shop', 'blog']))
    expect(await client.dropDatabase({ db_name: 'shop' })).not.toMatchObject({ error_code: 'Success' })
    await client.dropCollection({ db_name: 'shop', collection_name: 'items' })
    expect(await client.dropDatabase({ db_name: 'shop' })).toMatchObject({ error_code: 'Success' })
    expect((await client.count({ db_name: 'blog', collection_name: 'items' })).data).toBe(5)
  })

  it('writes to partitions, loads and releases them, drops them with their rows', async () => {
    const { client } = test
    const collection_name = 'parts'
    await client.createCollection({ collection_name, dimension: 2, consistency_level: 'Strong' })
    for (const partition_name of ['a', 'b']) expect(await client.createPartition({ collection_name, partition_name })).toMatchObject({ error_code: 'Success' })
    await client.insert({ collection_name, partition_name: 'a', data: rowsOf(0, 10) })
    await client.insert({ collection_name, partition_name: 'b', data: rowsOf(10, 20) })
    await client.insert({ collection_name, data: rowsOf(30, 40) })
    expect((await client.showPartitions({ collection_name })).partition_names).toEqual(['_default', 'a', 'b'])
    const count = async (...partition_names: string[]) => (await client.query({ collection_name, partition_names, filter: '', output_fields: ['count(*)'] })).data[0]?.['count(*)']
    expect([await count(), await count('a'), await count('b'), await count('a', 'b')].map(Number)).toEqual([70, 10, 20, 30])
    expect((await client.getPartitionStatistics({ collection_name, partition_name: 'b' })).data.row_count).toBe('20')
    expect((await client.getCollectionStatistics({ collection_name })).data.row_count).toBe('70')
    await client.deleteEntities({ collection_name, partition_name: 'a', expr: 'id in [1, 11]' })
    expect(Number(await count())).toBe(69)

    await client.releasePartitions({ collection_name, partition_names: ['b'] })
    expect((await client.getLoadState({ collection_name, partition_names: ['b'] })).state).toBe(LoadState.LoadStateNotLoad)
    expect(Number(await count())).toBe(49)
    expect((await client.query({ collection_name, partition_names: ['b'], filter: 'id > 0', limit: 1 })).status).not.toMatchObject({ error_code: 'Success' })
    await client.loadPartitions({ collection_name, partition_names: ['b'] })
    await expect.poll(async () => (await client.getLoadState({ collection_name, partition_names: ['b'] })).state).toBe(LoadState.LoadStateLoaded)
    expect(Number(await count())).toBe(69)
    await client.releasePartitions({ collection_name, partition_names: ['b'] })
    expect(await client.dropPartition({ collection_name, partition_name: 'b' })).toMatchObject({ error_code: 'Success' })
    expect((await client.hasPartition({ collection_name, partition_name: 'b' })).value).toBe(false)
    expect(Number(await count())).toBe(49)
  })

  it('answers to aliases, moved from one collection to another', async () => {
    const { client } = test
    for (const collection_name of ['v1', 'v2']) await client.createCollection({ collection_name, dimension: 2, consistency_level: 'Strong' })
    await client.insert({ collection_name: 'v2', data: rowsOf(0, 4) })
    expect(await client.createAlias({ collection_name: 'v1', alias: 'live' })).toMatchObject({ error_code: 'Success' })
    await client.insert({ collection_name: 'live', data: rowsOf(0, 1) })
    expect((await client.count({ collection_name: 'live' })).data).toBe(1)
    expect(await client.alterAlias({ collection_name: 'v2', alias: 'live' })).toMatchObject({ error_code: 'Success' })
    expect((await client.count({ collection_name: 'live' })).data).toBe(4)
    expect((await client.describeAlias({ collection_name: 'v2', alias: 'live' })).collection).toBe('v2')
    expect((await client.describeCollection({ collection_name: 'v2' })).aliases).toEqual(['live'])
    expect(await client.dropCollection({ collection_name: 'v2' })).toMatchObject({ error_code: 'Success' })
    expect((await client.describeCollection({ collection_name: 'live' })).status.error_code).toBe('CollectionNotExists')
  })

  it('describes what was created, and says how far a load is', async () => {
    const { client } = test
    const collection_name = 'described'
    const fields = [
      { name: 'pk', data_type: DataType.Int64, is_primary_key: true, autoID: true, description: 'the key' },
      { name: 'tenant', data_type: DataType.VarChar, max_length: 32, is_partition_key: true },
      { name: 'vec', data_type: DataType.FloatVector, dim: 3 },
    ]
    await client.createCollection({ collection_name, fields, num_partitions: 4, description: 'words', properties: { 'collection.ttl.seconds': 3600 }, consistency_level: 'Session' })
    const described = await client.describeCollection({ collection_name })
    expect(described).toMatchObject({ consistency_level: 'Session', num_partitions: '4', schema: { description: 'words' } })
    expect(described.schema.fields).toMatchObject([
      { name: 'pk', is_primary_key: true, autoID: true, description: 'the key', data_type: 'Int64' },
      { name: 'tenant', is_partition_key: true, data_type: 'VarChar' },
      { name: 'vec', data_type: 'FloatVector', dim: '3' },
    ])
    expect(described.properties).toEqual(expect.arrayContaining([{ key: 'collection.ttl.seconds', value: '3600' }]))
    expect((await client.getLoadState({ collection_name })).state).toBe(LoadState.LoadStateNotLoad)
    await expect(client.loadCollection({ collection_name })).rejects.toThrow('there is no vector index on field: [vec]')
    await client.createIndex({ collection_name, field_name: 'vec', index_type: 'IVF_FLAT', metric_type: 'COSINE', params: { nlist: 8 } })
    expect((await client.describeIndex({ collection_name })).index_descriptions).toMatchObject([{ field_name: 'vec', state: 'Finished' }])
    await client.loadCollectionSync({ collection_name })
    expect((await client.getLoadState({ collection_name })).state).toBe(LoadState.LoadStateLoaded)
    const inserted = await client.insert({ collection_name, data: ['a', 'b', 'a'].map((tenant, i) => ({ tenant, vec: [i, 1, 0] })) })
    expect(inserted.status.error_code).toBe('Success')
    const ofA = await client.query({ collection_name, filter: 'tenant == "a"', output_fields: ['tenant'], consistency_level: 0 })
    expect(ofA.data.map((row) => row['tenant'])).toEqual(['a', 'a'])
    expect((await client.getLoadState({ collection_name: 'nowhere' })).state).toBe(LoadState.LoadStateNotExist)
  })
})
