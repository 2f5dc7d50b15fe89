/** Which rule of visibility holds: by parameter, by property of databases and collections, by connection; and who says so. */
import { DataType, MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestNode, type TestNode } from './support.ts'

const RULE = 'timetick.visibility'
const EFFECTIVE = 'timetick.visibility.effective'

describe('the rule of visibility', () => {
  let test: TestNode
  beforeAll(async () => {
    test = await startTestNode()
  })
  afterAll(() => test.close())

  const create = (collection_name: string, properties: Record<string, string> = {}, db_name = 'default') =>
    test.client.createCollection({
      collection_name,
      db_name,
      properties,
      fields: [
        { name: 'id', data_type: DataType.Int64, is_primary_key: true },
        { name: 'vector', data_type: DataType.FloatVector, dim: 2 },
      ],
    })

  async function shown(collection_name: string, client = test.client, db_name = 'default'): Promise<Record<string, string>> {
    const { properties, status } = await client.describeCollection({ collection_name, db_name, cache: false })
    expect(status.error_code).toBe('Success')
    return Object.fromEntries(properties.map(({ key, value }) => [key, String(value)]))
  }

  it('is Milvus’s by default, and DescribeCollection says nothing of it', async () => {
    await create('plain')
    const properties = await shown('plain')
    expect(Object.keys(properties).filter((key) => key.startsWith('timetick.'))).toEqual([])
  })

  it('is a property of a collection, when it is made and afterwards', async () => {
    await create('made', { [RULE]: 'flush' })
    expect(await shown('made')).toMatchObject({ [RULE]: 'flush', [EFFECTIVE]: 'flush' })
    await create('altered')
    expect((await test.client.alterCollectionProperties({ collection_name: 'altered', properties: { [RULE]: 'flush' } })).error_code).toBe('Success')
    expect(await shown('altered')).toMatchObject({ [RULE]: 'flush', [EFFECTIVE]: 'flush' })
    expect((await test.client.dropCollectionProperties({ collection_name: 'altered', properties: [RULE] })).error_code).toBe('Success')
    expect(await shown('altered')).not.toHaveProperty([RULE])
  })

  it('stays through changes of other properties, as SDKs make them', async () => {
    await create('kept', { [RULE]: 'flush' })
    await test.client.alterCollectionProperties({ collection_name: 'kept', properties: { 'collection.ttl.seconds': 1000 } })
    await test.client.renameCollection({ collection_name: 'kept', new_collection_name: 'kept2' })
    expect(await shown('kept2')).toMatchObject({ [RULE]: 'flush', 'collection.ttl.seconds': '1000' })
  })

  it('writing back what was shown sets nothing', async () => {
    await create('written')
    await test.client.alterCollectionProperties({ collection_name: 'written', properties: { [EFFECTIVE]: 'flush' } })
    expect(await shown('written')).not.toHaveProperty([EFFECTIVE])
  })

  it.each(['', 'later', 'FLUSHED', 'flush,milvus'])('refuses %j as a value', async (value) => {
    const made: unknown = await create('wrong', { [RULE]: value }).catch((status: unknown) => status)
    expect(made).toMatchObject({ error_code: 'IllegalArgument', reason: expect.stringContaining(`${RULE} must be milvus or flush`) as string })
    const altered: unknown = await test.client.alterCollectionProperties({ collection_name: 'plain', properties: { [RULE]: value } }).catch((status: unknown) => status)
    expect(altered).toMatchObject({ error_code: 'IllegalArgument' })
    const database: unknown = await test.client.createDatabase({ db_name: 'wrong', properties: { [RULE]: value } }).catch((status: unknown) => status)
    expect(database).toMatchObject({ error_code: 'IllegalArgument' })
  })

  it('is a property of a database, for collections that have none; theirs wins', async () => {
    await test.client.createDatabase({ db_name: 'careful', properties: { [RULE]: 'flush' } })
    await create('follows', {}, 'careful')
    await create('differs', { [RULE]: 'milvus' }, 'careful')
    expect(await shown('follows', test.client, 'careful')).toMatchObject({ [EFFECTIVE]: 'flush' })
    expect(await shown('differs', test.client, 'careful')).toMatchObject({ [RULE]: 'milvus', [EFFECTIVE]: 'milvus' })
    const described = await test.client.describeDatabase({ db_name: 'careful' })
    expect(Object.fromEntries(described.properties.map(({ key, value }) => [key, value]))).toMatchObject({ [RULE]: 'flush', [EFFECTIVE]: 'flush' })
    await test.client.alterDatabase({ db_name: 'careful', properties: { [RULE]: 'milvus' } })
    expect(await shown('follows', test.client, 'careful')).not.toHaveProperty([EFFECTIVE])
    await test.client.dropDatabaseProperties({ db_name: 'careful', properties: [RULE] })
    expect((await test.client.describeDatabase({ db_name: 'careful' })).properties.map(({ key }) => key)).not.toContain(RULE)
  })

  it('is chosen by a connection’s options, where nothing else is said', async () => {
    const client = new MilvusClient({ address: test.node.address, logLevel: 'error', option: { visibility: 'flush' } })
    await client.connectPromise
    expect(await shown('plain', client)).toMatchObject({ [EFFECTIVE]: 'flush' })
    expect(await shown('differs', client, 'careful')).toMatchObject({ [EFFECTIVE]: 'milvus' })
    expect(await shown('plain')).not.toHaveProperty([EFFECTIVE])
    await client.closeConnection()
  })

  it('does not change under staged work, whichever way: property, its drop, the database’s, another database; other names do not matter', async () => {
    const db_name = 'busy'
    await test.client.createDatabase({ db_name, properties: { [RULE]: 'flush' } })
    await create('own', { [RULE]: 'flush' }, db_name)
    await create('follows', {}, db_name)
    const row = [{ id: 1, vector: [1, 2] }]
    for (const collection_name of ['own', 'follows']) expect((await test.client.insert({ db_name, collection_name, data: row })).status.error_code).toBe('Success')
    const refused = { error_code: 'IllegalArgument', reason: expect.stringContaining('staged work') as string }
    const tries = [
      () => test.client.alterCollectionProperties({ db_name, collection_name: 'own', properties: { [RULE]: 'milvus' } }),
      () => test.client.dropCollectionProperties({ db_name, collection_name: 'own', properties: [RULE] }),
      () => test.client.alterDatabase({ db_name, properties: { [RULE]: 'milvus' } }),
      () => test.client.dropDatabaseProperties({ db_name, properties: [RULE] }),
      () => test.client.renameCollection({ db_name, collection_name: 'follows', new_collection_name: 'follows', new_db_name: 'default' }),
    ]
    for (const [index, change] of tries.entries()) {
      const answer: unknown = await change().catch((status: unknown) => status)
      expect(answer, `change ${index}`).toMatchObject(refused)
    }
    expect((await test.client.createAlias({ db_name, collection_name: 'own', alias: 'alias' })).error_code).toBe('Success')
    expect((await test.client.renameCollection({ db_name, collection_name: 'own', new_collection_name: 'own2' })).error_code).toBe('Success')
    expect(await shown('alias', test.client, db_name)).toMatchObject({ [EFFECTIVE]: 'flush' })
    await test.client.flushSync({ db_name, collection_names: ['own2', 'follows'] })
    for (const change of tries.slice(2, 3)) expect(await change()).toMatchObject({ error_code: 'Success' })
  })

  it('is the server’s parameter, last', async () => {
    const other = await startTestNode({ inMemory: true, parameters: { 'common.visibility': 'flush' } })
    await other.client.createCollection({ collection_name: 'c', dimension: 2 })
    expect(await shown('c', other.client)).toMatchObject({ [EFFECTIVE]: 'flush' })
    const client = new MilvusClient({ address: other.node.address, logLevel: 'error', option: { visibility: 'milvus' } })
    await client.connectPromise
    expect(await shown('c', client)).not.toHaveProperty([EFFECTIVE])
    await client.closeConnection()
    await other.close()
  })
})
