import { describe, expect, it } from 'vitest'
import type { MetaChange } from '../../src/coordinator/api.ts'
import type { SegmentMeta } from '../../src/model/meta.ts'
import { DataType } from '../../src/model/schema.ts'
import { createCollection, dump, field, openFixture, schema } from './helpers.ts'

function segment(id: bigint, collectionId: bigint, partitionId: bigint, endTs: bigint): SegmentMeta {
  return {
    id,
    deletesTs: 0n,
    collectionId,
    partitionId,
    vchannel: 'v',
    level: 'L1',
    rows: 1,
    bytes: 1,
    startTs: 0n,
    endTs,
    path: `p${id}`,
    crc32: 0,
    indexes: [],
  }
}

describe('databases', () => {
  it('has the default database from the start, once', async () => {
    const { catalog, reopen } = await openFixture()
    expect(catalog.databases().map(({ name }) => name)).toEqual(['default'])
    expect((await reopen()).databases()).toEqual(catalog.databases())
  })

  it('creates, alters and drops, with the refusals of Milvus', async () => {
    const { catalog, reopen } = await openFixture({ limits: { maxDatabases: 2 } })
    await catalog.createDatabase('a', { k: 'v' })
    await expect(catalog.createDatabase('a', {})).rejects.toMatchObject({ code: 65535, message: 'database already exist: a' })
    await expect(catalog.createDatabase('b', {})).rejects.toMatchObject({ code: 801 })
    await catalog.alterDatabase('a', { x: '1', __proto__x: '2' }, ['k'])
    expect((await reopen()).database('a').properties).toEqual({ x: '1', __proto__x: '2' })
    await createCollection(catalog, 'c', { dbName: 'a' })
    await expect(catalog.dropDatabase('a')).rejects.toMatchObject({
      message: expect.stringContaining('must drop all collections') as unknown,
    })
    await catalog.dropCollection('a', 'c')
    await catalog.dropDatabase('a')
    await catalog.dropDatabase('a')
    await expect(catalog.dropDatabase('default')).rejects.toMatchObject({ message: 'can not drop default database' })
    expect(() => catalog.database('a')).toThrow('database not found[database=a]')
  })
})

describe('collections', () => {
  it('is idempotent for an equal definition and refuses another', async () => {
    const { catalog } = await openFixture()
    const first = await createCollection(catalog, 'c')
    expect(await createCollection(catalog, 'c')).toBe(first)
    const other = {
      dbName: 'default',
      schema: schema('c', [field(102, 'x', DataType.Bool)]),
      shardsNum: 1,
      consistencyLevel: 2,
      properties: {},
    }
    await expect(catalog.createCollection(other)).rejects.toMatchObject({ code: 1100, legacy: 5 })
    await expect(createCollection(catalog, 'c', { dbName: 'nowhere' })).rejects.toMatchObject({ code: 800 })
  })

  it('spreads shards over the least used channels', async () => {
    const { catalog } = await openFixture({ pchannels: ['a', 'b', 'c'] })
    const two = await createCollection(catalog, 'two', { shardsNum: 2 })
    expect(two.shards.map(({ pchannel }) => pchannel)).toEqual(['a', 'b'])
    const one = await createCollection(catalog, 'one')
    expect(one.shards).toEqual([{ pchannel: 'c', vchannel: `c_${one.id}v0` }])
    const five = await createCollection(catalog, 'five', { shardsNum: 5 })
    expect(new Set(five.shards.map(({ vchannel }) => vchannel)).size).toBe(5)
  })

  it('names partitions as Milvus does', async () => {
    const { catalog } = await openFixture()
    expect((await createCollection(catalog, 'a')).partitions.map(({ name }) => name)).toEqual(['_default'])
    expect((await createCollection(catalog, 'b', { numPartitions: 3 })).partitions.map(({ name }) => name)).toEqual([
      '_default_0',
      '_default_1',
      '_default_2',
    ])
  })

  it('drops everything that belongs to it, and only that', async () => {
    const { catalog, kv } = await openFixture()
    const before = (await kv.loadWithPrefix('')).keys
    const { id, partitions, shards } = await createCollection(catalog, 'c')
    await catalog.createAlias('default', 'alias', 'c')
    await catalog.createIndex('default', 'c', 'vector', '', {})
    await catalog.loadCollection('default', 'c', 1)
    await catalog.saveFlush({
      collectionId: id,
      vchannel: shards[0]?.vchannel ?? '',
      flushedTs: 5n,
      segments: [segment(9n, id, partitions[0]?.id ?? 0n, 5n)],
    })
    expect((await kv.loadWithPrefix('')).keys).toHaveLength(before.length + 6)
    const changes: MetaChange[] = []
    catalog.onChange((change) => changes.push(change))
    await expect(catalog.dropCollection('default', 'alias')).rejects.toMatchObject({
      message: 'cannot drop the collection via alias = alias',
    })
    await catalog.dropCollection('default', 'c')
    await catalog.dropCollection('default', 'c')
    expect((await kv.loadWithPrefix('')).keys).toEqual(before)
    expect(changes.map(({ kind, after }) => [kind, after])).toEqual([
      ['load', undefined],
      ['index', undefined],
      ['segment', undefined],
      ['collection', undefined],
    ])
    await catalog.saveFlush({ collectionId: id, vchannel: 'v', flushedTs: 6n, segments: [segment(10n, id, 1n, 6n)] })
    expect((await kv.loadWithPrefix('')).keys).toEqual(before)
  })

  it('renames, also into another database', async () => {
    const { catalog } = await openFixture()
    await catalog.createDatabase('other', {})
    const { id } = await createCollection(catalog, 'c')
    await createCollection(catalog, 'd')
    await expect(catalog.renameCollection('default', 'c', 'default', 'd')).rejects.toMatchObject({ code: 65535 })
    await catalog.renameCollection('default', 'c', 'other', 'e')
    expect(catalog.findCollection('default', 'c')).toBeUndefined()
    expect(catalog.collection('other', 'e')).toMatchObject({ id, dbName: 'other', schema: { name: 'e' } })
    await expect(catalog.renameCollection('default', 'c', 'default', 'x')).rejects.toMatchObject({ code: 100, legacy: 4 })
  })

  it('raises updateTs with each change of the schema', async () => {
    const { catalog } = await openFixture()
    let last = (await createCollection(catalog, 'c')).updateTs
    const changes = [
      () =>
        catalog.addField(
          'default',
          'c',
          field(0, 'added', DataType.VarChar, { nullable: true, maxLength: 8, typeParams: { max_length: '8' } }),
        ),
      () => catalog.alterField('default', 'c', 'added', { max_length: '10' }, []),
      () => catalog.alterCollection('default', 'c', { 'dynamicfield.enabled': 'true', k: 'v' }, []),
    ]
    for (const change of changes) {
      await change()
      const { updateTs } = catalog.collection('default', 'c')
      expect(updateTs).toBeGreaterThan(last)
      last = updateTs
    }
    await catalog.addField('default', 'c', field(0, 'later', DataType.Bool, { nullable: true }))
    const { schema: after } = catalog.collection('default', 'c')
    expect(after.fields.map(({ id, name }) => [id, name])).toEqual([
      [100, 'id'],
      [101, 'vector'],
      [102, 'added'],
      [104, 'later'],
      [103, '$meta'],
    ])
    expect(after.fields[2]).toMatchObject({ maxLength: 10, typeParams: { max_length: '10' } })
    await expect(catalog.addField('default', 'c', field(0, 'added', DataType.Bool))).rejects.toMatchObject({ code: 1100 })
    await expect(catalog.alterField('default', 'c', 'added', { dim: '3' }, [])).rejects.toMatchObject({ code: 1100 })
    await expect(catalog.alterField('default', 'c', 'added', { max_length: '0' }, [])).rejects.toMatchObject({ code: 1100 })
  })

  it('truncates segments that lie before, and remembers the moment', async () => {
    const { catalog } = await openFixture()
    const { id, partitions } = await createCollection(catalog, 'c')
    const partition = partitions[0]?.id ?? 0n
    await catalog.saveFlush({
      collectionId: id,
      vchannel: 'v',
      flushedTs: 30n,
      segments: [segment(1n, id, partition, 10n), segment(2n, id, partition, 30n)],
    })
    await catalog.truncateCollection('default', 'c', 20n)
    expect(catalog.segments(id).map((known) => known.id)).toEqual([2n])
    expect(catalog.collection('default', 'c').truncatedTs).toBe(20n)
    await catalog.saveFlush({ collectionId: id, vchannel: 'v', flushedTs: 10n, segments: [segment(3n, id, partition, 15n)] })
    expect(catalog.segments(id).map((known) => known.id)).toEqual([2n])
    expect(catalog.flushedTs(id, 'v')).toBe(30n)
  })
})

describe('partitions and load', () => {
  it('keeps the order, and refuses the default, the loaded and too many', async () => {
    const { catalog } = await openFixture({ limits: { maxPartitions: 3 } })
    await createCollection(catalog, 'c')
    for (const name of ['a', 'b', 'a']) await catalog.createPartition('default', 'c', name)
    expect(catalog.collection('default', 'c').partitions.map(({ name }) => name)).toEqual(['_default', 'a', 'b'])
    await expect(catalog.createPartition('default', 'c', 'd')).rejects.toMatchObject({ code: 1100 })
    await expect(catalog.dropPartition('default', 'c', '_default')).rejects.toMatchObject({ code: 1100 })
    await catalog.createIndex('default', 'c', 'vector', '', {})
    await catalog.loadPartitions('default', 'c', ['a'], 1)
    await expect(catalog.dropPartition('default', 'c', 'a')).rejects.toMatchObject({
      message: expect.stringContaining('is loaded') as unknown,
    })
    await catalog.dropPartition('default', 'c', 'b')
    await catalog.dropPartition('default', 'c', 'b')
    await expect(catalog.loadPartitions('default', 'c', ['b'], 1)).rejects.toMatchObject({ code: 200, legacy: 15 })
  })

  it('loads by whole and by part', async () => {
    const { catalog } = await openFixture()
    const { id } = await createCollection(catalog, 'c')
    await catalog.createPartition('default', 'c', 'a')
    await expect(catalog.loadCollection('default', 'c', 1)).rejects.toMatchObject({ code: 700, legacy: 25 })
    await catalog.createIndex('default', 'c', 'vector', '', {})
    await catalog.loadPartitions('default', 'c', ['a'], 1)
    expect(catalog.load(id)).toMatchObject({ wholeCollection: false })
    await catalog.loadCollection('default', 'c', 1)
    await catalog.createPartition('default', 'c', 'b')
    const ids = catalog.collection('default', 'c').partitions.map((partition) => partition.id)
    expect(catalog.load(id)).toMatchObject({ wholeCollection: true, partitionIds: ids })
    await catalog.releasePartitions('default', 'c', ['a'])
    expect(catalog.load(id)).toMatchObject({ wholeCollection: false, partitionIds: [ids[0], ids[2]] })
    await catalog.releasePartitions('default', 'c', ['_default', 'b'])
    expect(catalog.load(id)).toBeUndefined()
    await catalog.releaseCollection('default', 'c')
  })
})

describe('aliases', () => {
  it('stands for the collection until it is dropped', async () => {
    const { catalog } = await openFixture()
    const c = await createCollection(catalog, 'c')
    const d = await createCollection(catalog, 'd')
    await catalog.createAlias('default', 'x', 'c')
    await catalog.createAlias('default', 'x', 'c')
    expect(catalog.collection('default', 'x').id).toBe(c.id)
    await expect(catalog.createAlias('default', 'x', 'd')).rejects.toMatchObject({ code: 1602 })
    await expect(catalog.createAlias('default', 'd', 'c')).rejects.toMatchObject({ code: 1601 })
    await expect(catalog.createAlias('default', 'y', 'x')).rejects.toMatchObject({ code: 100 })
    await expect(createCollection(catalog, 'x')).rejects.toMatchObject({ code: 65535 })
    await catalog.alterAlias('default', 'x', 'd')
    expect(catalog.collection('default', 'x').id).toBe(d.id)
    await expect(catalog.alterAlias('default', 'nope', 'd')).rejects.toMatchObject({ code: 1600 })
    await catalog.dropAlias('default', 'x')
    await catalog.dropAlias('default', 'x')
    expect(catalog.findCollection('default', 'x')).toBeUndefined()
  })
})

describe('indexes', () => {
  it('names, completes and repeats them as Milvus does', async () => {
    const { catalog } = await openFixture()
    const { id } = await createCollection(catalog, 'c')
    const hnsw = { index_type: 'HNSW', metric_type: 'L2', params: '{"M":4,"efConstruction":8}' }
    await catalog.createIndex('default', 'c', 'vector', 'mine', hnsw)
    await catalog.createIndex('default', 'c', 'vector', '', { index_type: 'HNSW', metric_type: 'L2', M: '4', efConstruction: '8' })
    await catalog.createIndex('default', 'c', 'vector', 'mine', hnsw)
    expect(catalog.indexes(id)).toMatchObject([{ name: 'mine', indexType: 'HNSW', metricType: 'L2', params: hnsw }])
    await expect(catalog.createIndex('default', 'c', 'vector', '', {})).rejects.toMatchObject({
      code: 65535,
      message: expect.stringContaining('one distinct index') as unknown,
    })
    await catalog.createIndex('default', 'c', 'id', '', {})
    expect(catalog.indexes(id)[1]).toMatchObject({
      name: 'id',
      indexType: 'AUTOINDEX',
      metricType: '',
      params: { index_type: 'AUTOINDEX' },
    })
    await catalog.dropIndex('default', 'c', 'vector')
    await catalog.dropIndex('default', 'c', 'vector')
    await catalog.createIndex('default', 'c', 'vector', '', { metric_type: 'ip' })
    expect(catalog.indexes(id)[1]).toMatchObject({ name: 'vector', indexType: 'AUTOINDEX', metricType: 'IP' })
    await catalog.loadCollection('default', 'c', 1)
    await expect(catalog.dropIndex('default', 'c', 'vector')).rejects.toMatchObject({ code: 65535 })
  })

  it('refuses what does not fit the field', async () => {
    const { catalog } = await openFixture()
    await createCollection(catalog, 'c')
    await expect(catalog.createIndex('default', 'c', 'nope', '', {})).rejects.toMatchObject({
      legacy: 1,
      message: 'cannot create index on non-exist field: nope',
    })
    const bad: [string, Record<string, string>, string][] = [
      ['vector', { index_type: 'abcd' }, 'invalid index type: ABCD'],
      ['vector', { index_type: 'BITMAP' }, "can't build with this index BITMAP"],
      ['vector', { metric_type: 'HAMMING' }, 'metric type HAMMING not found or not supported, supported: [COSINE IP L2]'],
      ['vector', { index_type: 'HNSW', params: '{"M":1}' }, "param 'M' (1) should be in range [2, 2048]"],
      ['vector', { index_type: 'HNSW', M: 'x' }, "param 'M' (x) should be an integer"],
      ['vector', { params: '[1]' }, 'a JSON object in params'],
      ['vector', { params: '{' }, 'a JSON object in params'],
      ['id', { index_type: 'HNSW' }, "data type Int64 can't build with this index HNSW"],
    ]
    for (const [name, params, message] of bad) {
      await expect(catalog.createIndex('default', 'c', name, '', params)).rejects.toMatchObject({
        code: 1100,
        message: expect.stringContaining(message) as unknown,
      })
    }
  })

  it('alters what may be altered', async () => {
    const { catalog } = await openFixture()
    const { id } = await createCollection(catalog, 'c')
    await catalog.createIndex('default', 'c', 'vector', 'i', {})
    await catalog.alterIndex('default', 'c', 'i', { 'mmap.enabled': 'true' }, [])
    expect(catalog.indexes(id)[0]?.params).toMatchObject({ 'mmap.enabled': 'true' })
    await catalog.alterIndex('default', 'c', 'i', {}, ['mmap.enabled'])
    expect(catalog.indexes(id)[0]?.params).not.toHaveProperty('mmap.enabled')
    await expect(catalog.alterIndex('default', 'c', 'x', {}, [])).rejects.toMatchObject({ code: 700 })
    await expect(catalog.alterIndex('default', 'c', 'i', { M: '3' }, [])).rejects.toMatchObject({ code: 1100 })
  })
})

describe('segments', () => {
  it('takes flushes, indexes and replacements, and forgets indexes that were dropped', async () => {
    const { catalog, reopen } = await openFixture()
    const { id, partitions } = await createCollection(catalog, 'c')
    const partition = partitions[0]?.id ?? 0n
    await catalog.createIndex('default', 'c', 'vector', '', {})
    const indexId = catalog.indexes(id)[0]?.id ?? 0n
    await catalog.saveFlush({
      collectionId: id,
      vchannel: 'v',
      flushedTs: 10n,
      segments: [segment(1n, id, partition, 10n), segment(2n, id, 77n, 10n)],
    })
    expect(catalog.segments(id).map((known) => known.id)).toEqual([1n])
    const index = { indexId, state: 'finished', path: 'x', bytes: 3, crc32: 1, reason: '' } as const
    await catalog.saveSegmentIndex(1n, index)
    await catalog.saveSegmentIndex(1n, { ...index, bytes: 4 })
    await catalog.saveSegmentIndex(1n, { ...index, indexId: 999n })
    await catalog.saveSegmentIndex(404n, index)
    expect(catalog.segment(1n)?.indexes).toEqual([{ ...index, bytes: 4 }])
    await catalog.saveCheckpoint('dml_0', '{"p":1}')
    expect(dump(await reopen())).toBe(dump(catalog))
    await catalog.dropIndex('default', 'c', 'vector')
    expect(catalog.segment(1n)?.indexes).toEqual([])
    await expect(catalog.replaceSegments([1n, 5n], [segment(3n, id, partition, 20n)])).rejects.toThrow(/gone/)
    await catalog.replaceSegments([1n], [segment(3n, id, partition, 20n)])
    // Asked for again, it is done.
    await catalog.replaceSegments([1n], [segment(3n, id, partition, 20n)])
    expect(catalog.segments(id).map((known) => known.id)).toEqual([3n])
    await expect(openFixture({ pchannels: [] })).rejects.toThrow(RangeError)
  })
})
