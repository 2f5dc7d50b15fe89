import { DataType, IndexType, LoadState, type MilvusClient, ShowCollectionsType } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodeMessage } from '../../src/wire/index.ts'
import { openTestNode, type TestNode } from './node.ts'

let node: TestNode
let client: MilvusClient
const hellos: Readonly<Record<string, string>>[] = []

beforeAll(async () => {
  node = await openTestNode({ onConnect: (_, info) => hellos.push(info) })
  client = await node.connect()
})
afterAll(() => node.close())

const success = { error_code: 'Success', code: 0 }
const fields = [
  { name: 'vector', data_type: DataType.FloatVector, dim: 8 },
  { name: 'id', data_type: DataType.Int64, is_primary_key: true, autoID: true },
]

/** The fields of the official suite's fixture; new each time, for the client changes what it is given. */
const fixture = () => [
  ...structuredClone(fields),
  { name: 'int64', data_type: 'Int64' as const },
  { name: 'float', default_value: 100, data_type: DataType.Float },
  { name: 'bool', nullable: true, data_type: DataType.Bool },
  { name: 'default_value', nullable: true, default_value: 100, data_type: 'Int32' as const },
  { name: 'varChar', data_type: DataType.VarChar, default_value: 'd', max_length: 8, enable_analyzer: true },
  { name: 'json', nullable: true, data_type: DataType.JSON },
  { name: 'int32_array', data_type: DataType.Array, nullable: true, element_type: 'Int32' as const, max_capacity: 4 },
  { name: 'varChar_array', data_type: DataType.Array, element_type: DataType.VarChar, max_capacity: 4, max_length: 8 },
  { name: 'geometry', data_type: DataType.Geometry },
  { name: 'timestamptz', data_type: DataType.Timestamptz, default_value: '1984-04-14T15:00:00+08:00' },
]

describe('the official client', () => {
  it('connects, and gets the version, health and a timestamp', async () => {
    expect(hellos[0]).toMatchObject({ sdk_type: 'nodejs' })
    expect(await client.getVersion()).toMatchObject({ version: 'v2.6.0-mini' })
    expect(await client.checkHealth()).toMatchObject({ isHealthy: true, status: success })
  })

  it('creates and describes the fixture of its own suite', async () => {
    const create = await client.createCollection({
      collection_name: 'fixture',
      fields: fixture(),
      enable_dynamic_field: true,
      consistency_level: 'Strong',
    })
    expect(create).toMatchObject(success)
    const described = await client.describeCollection({ collection_name: 'fixture' })
    expect(described).toMatchObject({
      status: success,
      collection_name: 'fixture',
      db_name: 'default',
      consistency_level: 'Strong',
      shards_num: 1,
      num_partitions: '1',
      properties: [{ key: 'timezone', value: 'UTC' }],
    })
    const { fields: shown, enable_dynamic_field: dynamic } = described.schema
    expect(dynamic).toBe(true)
    expect(shown.map(({ name }) => name)).toEqual(fixture().map(({ name }) => name))
    expect(shown.map(({ fieldID }) => Number(fieldID))).toEqual(fixture().map((_, i) => 100 + i))
    const byName = new Map(shown.map((field) => [field.name, field]))
    expect(byName.get('id')).toMatchObject({ is_primary_key: true, autoID: true, data_type: 'Int64' })
    expect(byName.get('vector')?.type_params).toEqual([{ key: 'dim', value: '8' }])
    expect(byName.get('default_value')).toMatchObject({ default_value: 100, nullable: true })
    expect(byName.get('varChar')).toMatchObject({ default_value: 'd' })
    expect(byName.get('int32_array')).toMatchObject({ element_type: 'Int32' })
    expect(new Date(String(byName.get('timestamptz')?.default_value))).toEqual(new Date('1984-04-14T15:00:00+08:00'))
    const batch = await client.batchDescribeCollections({ db_name: 'default', collection_names: ['fixture'] })
    expect(batch.responses[0]?.collection_name).toBe('fixture')
    expect(
      await client.createCollection({
        collection_name: 'fixture',
        fields: fixture(),
        enable_dynamic_field: true,
        consistency_level: 'Strong',
      }),
    ).toMatchObject(success)
    await expect(client.createCollection({ collection_name: 'fixture', fields })).rejects.toMatchObject({
      error_code: 'IllegalArgument',
      code: 1100,
    })
  })

  it('creates a collection the quick way: index, load and all', async () => {
    expect(await client.createCollection({ collection_name: 'quick', dimension: 4 })).toMatchObject(success)
    expect(await client.describeIndex({ collection_name: 'quick' })).toMatchObject({
      index_descriptions: [{ index_name: 'vector', field_name: 'vector', state: 'Finished' }],
    })
    expect(await client.getLoadState({ collection_name: 'quick' })).toMatchObject({ state: LoadState.LoadStateLoaded })
    node.data.loaded = 40
    expect(await client.getLoadState({ collection_name: 'quick' })).toMatchObject({ state: LoadState.LoadStateLoading })
    expect(await client.getLoadingProgress({ collection_name: 'quick' })).toMatchObject({ progress: '40' })
    node.data.loaded = 100
    const loaded = await client.showCollections({ type: ShowCollectionsType.Loaded })
    expect(loaded.data).toMatchObject([{ name: 'quick', loadedPercentage: '100' }])
    expect((await client.showCollections()).data.map(({ name }) => name)).toEqual(['fixture', 'quick'])
    expect(await client.releaseCollection({ collection_name: 'quick' })).toMatchObject(success)
    expect(await client.getLoadState({ collection_name: 'quick' })).toMatchObject({ state: LoadState.LoadStateNotLoad })
    expect(await client.getLoadState({ collection_name: 'nope' })).toMatchObject({ state: LoadState.LoadStateNotExist })
    await expect(client.loadCollection({ collection_name: 'quick', replica_number: 100 })).rejects.toThrow('service resource insufficient')
    expect(await client.loadCollectionAsync({ collection_name: 'fixture' })).toMatchObject({ error_code: 'IndexNotExist', code: 700 })
  })

  it('says of missing things what Milvus says', async () => {
    expect(await client.hasCollection({ collection_name: 'nope' })).toMatchObject({ value: false, status: success })
    expect(await client.describeCollection({ collection_name: 'nope' })).toMatchObject({
      status: { error_code: 'CollectionNotExists', code: 100, reason: 'collection not found[database=default][collection=nope]' },
    })
    expect(await client.describeCollection({ collection_name: 'c', db_name: 'nodb' })).toMatchObject({
      status: { error_code: 'UnexpectedError', code: 800 },
    })
    expect(await client.dropCollection({ collection_name: 'nope' })).toMatchObject(success)
    expect(await client.describeIndex({ collection_name: 'fixture' })).toMatchObject({ status: { error_code: 'IndexNotExist' } })
    expect(await client.createIndex({ collection_name: 'fixture', field_name: 'nope' })).toMatchObject({ error_code: 'UnexpectedError' })
  })

  it('handles aliases', async () => {
    expect(await client.createAlias({ collection_name: 'fixture', alias: 'nick' })).toMatchObject(success)
    expect(await client.describeAlias({ collection_name: 'fixture', alias: 'nick' })).toMatchObject({
      collection: 'fixture',
      alias: 'nick',
    })
    expect(await client.listAliases({ collection_name: 'fixture' })).toMatchObject({ aliases: ['nick'] })
    expect(await client.describeCollection({ collection_name: 'nick' })).toMatchObject({ collection_name: 'fixture', aliases: ['nick'] })
    expect(await client.alterAlias({ collection_name: 'quick', alias: 'nick' })).toMatchObject(success)
    expect(await client.dropAlias({ alias: 'nick' })).toMatchObject(success)
    expect(await client.describeAlias({ collection_name: 'fixture', alias: 'nick' })).toMatchObject({ status: { code: 1600 } })
    expect(await client.createAlias({ collection_name: 'fixture', alias: '1a' })).toMatchObject({ code: 1100 })
  })

  it('handles partitions, loads and releases them', async () => {
    await client.createCollection({ collection_name: 'parts', fields })
    expect(await client.createPartition({ collection_name: 'parts', partition_name: 'a' })).toMatchObject(success)
    await client.createPartition({ collection_name: 'parts', partition_name: 'b' })
    const shown = await client.showPartitions({ collection_name: 'parts' })
    expect(shown.partition_names).toEqual(['_default', 'a', 'b'])
    expect(new Set(shown.partitionIDs).size).toBe(3)
    expect(await client.hasPartition({ collection_name: 'parts', partition_name: 'a' })).toMatchObject({ value: true })
    expect(await client.hasPartition({ collection_name: 'parts', partition_name: 'x' })).toMatchObject({ value: false })
    node.data.rows = 7
    expect((await client.getPartitionStatistics({ collection_name: 'parts', partition_name: 'a' })).data).toMatchObject({ row_count: '7' })
    expect((await client.getCollectionStatistics({ collection_name: 'parts' })).data).toMatchObject({ row_count: '7' })
    node.data.rows = 0
    await client.createIndex({ collection_name: 'parts', field_name: 'vector', metric_type: 'L2' })
    expect(await client.loadPartitions({ collection_name: 'parts', partition_names: ['a'] })).toMatchObject(success)
    const loaded = await client.showPartitions({ collection_name: 'parts', type: 1 })
    expect(loaded.data).toMatchObject([{ name: 'a', loadedPercentage: '100' }])
    const state = (partition_names?: string[]) =>
      client.getLoadState({ collection_name: 'parts', ...(partition_names && { partition_names }) })
    expect(await state()).toMatchObject({ state: LoadState.LoadStateLoaded })
    expect(await state(['b'])).toMatchObject({ state: LoadState.LoadStateNotLoad })
    expect(await client.releasePartitions({ collection_name: 'parts', partition_names: ['a'] })).toMatchObject(success)
    expect(await state()).toMatchObject({ state: LoadState.LoadStateNotLoad })
    expect(await client.dropPartition({ collection_name: 'parts', partition_name: 'a' })).toMatchObject(success)
    expect(await client.createPartition({ collection_name: 'parts', partition_name: 'a-b' })).toMatchObject({ code: 1100 })
  })

  it('refuses partitions by hand where a key makes them', async () => {
    const keyed = [...fields, { name: 'tenant', data_type: DataType.VarChar, max_length: 20, is_partition_key: true }]
    expect(await client.createCollection({ collection_name: 'keyed', fields: keyed })).toMatchObject(success)
    expect((await client.showPartitions({ collection_name: 'keyed' })).partition_names).toHaveLength(16)
    expect(await client.describeCollection({ collection_name: 'keyed' })).toMatchObject({ num_partitions: '16' })
    expect(await client.createPartition({ collection_name: 'keyed', partition_name: 'a' })).toMatchObject({ error_code: 'UnexpectedError' })
  })

  it('handles indexes', async () => {
    const at = { collection_name: 'fixture' }
    const made = await client.createIndex([
      { ...at, field_name: 'vector', index_name: 'ix', index_type: 'IVF_FLAT', metric_type: 'COSINE', params: { nlist: 1024 } },
      { ...at, field_name: 'int64', index_type: IndexType.STL_SORT },
      { ...at, field_name: 'varChar', index_type: IndexType.TRIE },
      { ...at, field_name: 'int32_array', index_type: IndexType.BITMAP },
      { ...at, field_name: 'geometry', index_type: IndexType.RTREE },
      {
        ...at,
        field_name: 'json',
        index_name: 'j',
        index_type: IndexType.INVERTED,
        params: { json_cast_type: 'varchar', json_path: 'json["a"]' },
      },
    ])
    expect(made).toMatchObject(success)
    const { index_descriptions: all } = await client.describeIndex(at)
    expect(all.map(({ index_name, field_name }) => [index_name, field_name])).toEqual([
      ['ix', 'vector'],
      ['int64', 'int64'],
      ['varChar', 'varChar'],
      ['int32_array', 'int32_array'],
      ['geometry', 'geometry'],
      ['j', 'json'],
    ])
    expect(all[0]?.params).toContainEqual({ key: 'served_by', value: 'HNSW' })
    expect(await client.alterIndexProperties({ ...at, index_name: 'ix', params: { 'mmap.enabled': true } })).toMatchObject(success)
    expect((await client.describeIndex({ ...at, index_name: 'ix' })).index_descriptions[0]?.params).toContainEqual({
      key: 'mmap.enabled',
      value: 'true',
    })
    expect(await client.dropIndexProperties({ ...at, index_name: 'ix', properties: ['mmap.enabled'] })).toMatchObject(success)
    expect(await client.getIndexState({ ...at, index_name: 'ix' })).toMatchObject({ state: 'Finished' })
    expect(await client.getIndexBuildProgress({ ...at, index_name: 'ix' })).toMatchObject({ total_rows: '0' })
    expect((await client.getIndexStatistics({ ...at, index_name: 'ix' })).index_descriptions).toHaveLength(1)
    expect(await client.dropIndex({ ...at, index_name: 'ix', field_name: 'vector' })).toMatchObject(success)
    expect(await client.describeIndex({ ...at, index_name: 'ix', field_name: 'vector' })).toMatchObject({
      status: { error_code: 'IndexNotExist' },
    })
  })

  it('alters collections and fields, adds fields, renames, truncates', async () => {
    await client.createCollection({
      collection_name: 'alter',
      fields: [...fields, { name: 'text', data_type: DataType.VarChar, max_length: 8 }],
    })
    expect(
      await client.alterCollectionProperties({ collection_name: 'alter', properties: { 'collection.ttl.seconds': 18000 } }),
    ).toMatchObject(success)
    expect((await client.describeCollection({ collection_name: 'alter' })).properties).toContainEqual({
      key: 'collection.ttl.seconds',
      value: '18000',
    })
    expect(await client.dropCollectionProperties({ collection_name: 'alter', properties: ['collection.ttl.seconds'] })).toMatchObject(
      success,
    )
    expect((await client.describeCollection({ collection_name: 'alter' })).properties).toEqual([{ key: 'timezone', value: 'UTC' }])
    expect(
      await client.alterCollectionFieldProperties({ collection_name: 'alter', field_name: 'text', properties: { max_length: 1024 } }),
    ).toMatchObject(success)
    const before = (await client.describeCollection({ collection_name: 'alter' })).update_timestamp_str
    expect(
      await client.addCollectionField({ collection_name: 'alter', field: { name: 'more', data_type: DataType.Int64, nullable: true } }),
    ).toMatchObject(success)
    const refused = await client.addCollectionField({ collection_name: 'alter', field: { name: 'strict', data_type: DataType.Int64 } })
    expect(refused).toMatchObject({ error_code: 'IllegalArgument' })
    const after = await client.describeCollection({ collection_name: 'alter' })
    expect(after.schema.fields.at(-1)).toMatchObject({ name: 'more', nullable: true })
    expect(BigInt(after.update_timestamp_str)).toBeGreaterThan(BigInt(before))
    expect(await client.renameCollection({ collection_name: 'alter', new_collection_name: 'renamed' })).toMatchObject(success)
    expect(await client.truncateCollection({ collection_name: 'renamed' })).toMatchObject({ status: success })
    expect(await client.hasCollection({ collection_name: 'alter' })).toMatchObject({ value: false })
  })

  it('keeps databases apart', async () => {
    expect(await client.createDatabase({ db_name: 'other' })).toMatchObject(success)
    const inOther = await node.connect({ database: 'other' })
    expect(await inOther.createCollection({ collection_name: 'fixture', fields })).toMatchObject(success)
    expect((await inOther.showCollections()).data).toHaveLength(1)
    expect((await inOther.describeCollection({ collection_name: 'fixture' })).schema.fields).toHaveLength(2)
    expect((await client.listDatabases()).db_names).toEqual(['default', 'other'])
    expect(await client.alterDatabase({ db_name: 'other', properties: { 'database.replica.number': '1' } })).toMatchObject(success)
    expect(await client.describeDatabase({ db_name: 'other' })).toMatchObject({
      properties: [{ key: 'database.replica.number', value: '1' }],
    })
    expect(await client.dropDatabase({ db_name: 'other' })).toMatchObject({ error_code: 'UnexpectedError' })
    await inOther.dropCollection({ collection_name: 'fixture' })
    expect(await client.dropDatabase({ db_name: 'other' })).toMatchObject(success)
    expect(await client.createDatabase({ db_name: '1x' })).toMatchObject({ code: 802 })
  })
})

describe('schemas that Milvus refuses', () => {
  const vector = { name: 'v', data_type: DataType.FloatVector, type_params: [{ key: 'dim', value: '4' }] }
  const id = { name: 'id', data_type: DataType.Int64, is_primary_key: true }
  const cases: [string, object[], string][] = [
    ['no field', [], 'primary key is not specified'],
    ['no vector', [id], 'schema does not contain vector field'],
    ['two keys', [id, { ...id, name: 'id2' }, vector], 'there are more than one primary key'],
    ['a key of floats', [{ ...id, data_type: DataType.Float }, vector], 'should be Int64 or VarChar'],
    ['a nullable key', [{ ...id, nullable: true }, vector], 'primary field not support null'],
    ['equal names', [id, vector, vector], 'duplicated field name'],
    ['a bad name', [{ ...id, name: 'a b' }, vector], 'can only contain numbers, letters and underscores'],
    ['no name', [{ ...id, name: '' }, vector], 'field name should not be empty'],
    ['a long name', [{ ...id, name: 'x'.repeat(256) }, vector], 'less than 255 characters'],
    ['no dim', [id, { ...vector, type_params: [] }], 'dimension is not defined'],
    [
      'dim 1',
      [id, { ...vector, type_params: [{ key: 'dim', value: '1' }] }],
      'invalid dimension: 1 of field v. float vector dimension should be in range 2 ~ 32768',
    ],
    ['dim 99999', [id, { ...vector, type_params: [{ key: 'dim', value: '99999' }] }], 'invalid dimension: 99999'],
    ['dim 4.5', [id, { ...vector, type_params: [{ key: 'dim', value: '4.5' }] }], 'invalid dimension: 4.5'],
    ['text without max_length', [id, vector, { name: 't', data_type: DataType.VarChar }], 'type param(max_length) should be specified'],
    [
      'an array without capacity',
      [id, vector, { name: 't', data_type: DataType.Array, element_type: DataType.Int8 }],
      'type param(max_capacity)',
    ],
    [
      'an array of arrays',
      [id, vector, { name: 't', data_type: DataType.Array, element_type: DataType.Array }],
      'element type Array is not supported',
    ],
    [
      'autoID beside the key',
      [id, vector, { name: 't', data_type: DataType.Int64, autoID: true }],
      'only primary field can speficy AutoID',
    ],
    [
      'two partition keys',
      [id, vector, ...['x', 'y'].map((name) => ({ name, data_type: DataType.Int64, is_partition_key: true }))],
      'more than one partition key',
    ],
    [
      'a default of another type',
      [id, vector, { name: 'b', data_type: DataType.Bool, default_value: { string_data: 'x' } }],
      'is not equal to the type(string) of default_value',
    ],
    [
      'a default too long',
      [
        id,
        vector,
        { name: 't', data_type: DataType.VarChar, type_params: [{ key: 'max_length', value: '2' }], default_value: { string_data: 'ééé' } },
      ],
      'the length (6) of string exceeds max length (2)',
    ],
    ['a default out of range', [id, vector, { name: 't', data_type: DataType.Int8, default_value: { int_data: 128 } }], 'out of range'],
    ['an unknown type', [id, vector, { name: 't', data_type: 99 }], 'data type Unknown(99)'],
    [
      'too many fields',
      [id, vector, ...Array.from({ length: 63 }, (_, i) => ({ name: `f${i}`, data_type: DataType.Bool }))],
      "maximum field's number should be limited to 64",
    ],
    ['too many vectors', [id, ...Array.from({ length: 11 }, (_, i) => ({ ...vector, name: `v${i}` }))], "maximum vector field's number"],
    [
      'a type to come',
      [id, vector, { name: 's', data_type: DataType.Text }],
      'Text is not served by mini-milvus yet',
    ],
  ]
  const create = async (schema: Uint8Array, more: object = {}): Promise<{ code?: number; message?: string }> => {
    const handler = node.handlers.CreateCollection as unknown as { run(request: object, call: object): Promise<object> }
    const request = { collection_name: 'bad', schema, shards_num: 0, consistency_level: 0, properties: [], num_partitions: 0n, ...more }
    return handler.run(request, { dbName: 'default' }).catch((error: unknown) => error as object)
  }

  it.each(cases)('%s', async (_, list, message) => {
    const outcome = await create(encodeMessage('schema.CollectionSchema', { fields: list }))
    expect(outcome.message).toContain(message)
    expect(outcome.code).toBe(message.includes('yet') ? 10 : 1100)
  })

  it('and requests around them', async () => {
    const schema = encodeMessage('schema.CollectionSchema', { fields: [id, vector] })
    expect(await create(new Uint8Array([255]))).toMatchObject({ code: 1100 })
    expect(await create(schema, { shards_num: 17 })).toMatchObject({ code: 1100 })
    expect(await create(schema, { shards_num: -1 })).toMatchObject({ code: 1100 })
    expect(await create(schema, { num_partitions: 4n })).toMatchObject({ code: 1100 })
    expect(await create(schema, { consistency_level: 9 })).toMatchObject({ code: 1100 })
    expect(await create(schema, { collection_name: '../x' })).toMatchObject({ code: 1100 })
    expect(await create(schema, { collection_name: 'x'.repeat(1e6) })).toMatchObject({
      code: 1100,
      message: expect.stringMatching(/^.{0,600}$/) as unknown,
    })
    expect(await create(schema, { properties: [{ key: 'collection.ttl.seconds', value: 'soon' }] })).toMatchObject({ code: 1100 })
  })
})
