/** Rule `flush`: numbers while a flush is under way, over shards and query nodes, and a flush without the right to it. */
import { ConsistencyLevelEnum as Level, DataType, MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startMiniMilvus } from '../../src/index.ts'
import { startTestNode, type TestNode } from './support.ts'

const properties = { 'timetick.visibility': 'flush' }
const fields = [
  { name: 'id', data_type: DataType.Int64, is_primary_key: true, autoID: false },
  { name: 'mark', data_type: DataType.Int64 },
  { name: 'vector', data_type: DataType.FloatVector, dim: 2 },
]
const index_params = [{ field_name: 'vector', index_type: 'FLAT', metric_type: 'L2' }]
const BATCH = 60
const isLong = process.env['TIMETICK_RING'] !== undefined
const ROUNDS = isLong ? 6 : 2

async function connect(address: string, more: object = {}): Promise<MilvusClient> {
  const client = new MilvusClient({ address, logLevel: 'error', channelOptions: { 'grpc.use_local_subchannel_pool': 1 }, ...more })
  await client.connectPromise
  return client
}

describe.each(isLong ? [1, 3] : [3])('rule flush on %i query nodes', (count) => {
  let test: TestNode
  let reader: MilvusClient
  beforeAll(async () => {
    test = await startTestNode({ inMemory: true, parameters: { 'queryNode.count': count, 'dataNode.sealIdle': '60s', 'compaction.minSegments': 1000 } })
    reader = await connect(test.node.address)
  }, 60_000)
  afterAll(async () => {
    await reader.closeConnection()
    await test.close()
  })

  async function make(collection_name: string): Promise<void> {
    await test.client.createCollection({ collection_name, shards_num: 3, properties, fields, index_params })
    await test.client.loadCollectionSync({ collection_name })
  }

  const rows = (round: number) => Array.from({ length: BATCH }, (_, i) => ({ id: round * BATCH + i, mark: round, vector: [i, round] }))

  /** While `work` runs, looks again and again; gives how often. */
  async function watch(work: Promise<unknown>, look: () => Promise<void>): Promise<number> {
    let isDone = false
    void work.finally(() => (isDone = true)).catch(() => undefined)
    let looks = 0
    for (; !isDone || looks === 0; looks++) await look()
    await work
    return looks
  }

  it('counts and statistics never show a part of it', async () => {
    const collection_name = 'counted'
    await make(collection_name)
    const last = { counted: 0, rows: 0, found: 0 }
    for (let round = 0; round < ROUNDS; round++) {
      expect((await test.client.insert({ collection_name, data: rows(round) })).status.code).toBe(0)
      const least = round * BATCH
      const look = async (): Promise<void> => {
        const consistency_level = round % 2 === 0 ? Level.Eventually : Level.Strong
        const [counted, statistics, found] = await Promise.all([
          reader.query({ collection_name, filter: '', output_fields: ['count(*)'], consistency_level }),
          reader.getCollectionStatistics({ collection_name }),
          reader.query({ collection_name, filter: 'id >= 0', output_fields: ['id'], limit: 10_000, consistency_level }),
        ])
        const seen = { counted: Number(counted.data[0]?.['count(*)']), rows: Number(statistics.data['row_count']), found: found.data.length }
        for (const [name, number] of Object.entries(seen)) {
          expect([name, round, number - least === 0 || number - least === BATCH ? 'whole' : number]).toEqual([name, round, 'whole'])
          // What one look saw, a later one sees.
          expect(number).toBeGreaterThanOrEqual(last[name as keyof typeof last])
        }
        Object.assign(last, seen)
      }
      await watch(test.client.flush({ collection_names: [collection_name] }), look)
    }
    expect(last.counted).toBeGreaterThanOrEqual((ROUNDS - 1) * BATCH)
    const after = await reader.query({ collection_name, filter: '', output_fields: ['count(*)'] })
    expect(Number(after.data[0]?.['count(*)'])).toBe(ROUNDS * BATCH)
    const { infos } = await reader.getPersistentSegmentInfo({ collectionName: collection_name })
    expect(infos.reduce((sum, { num_rows }) => sum + Number(num_rows), 0)).toBe(ROUNDS * BATCH)
  })

  it('infos of segments tell of whole files, of no row before it is seen, and of none twice', async () => {
    const collection_name = 'listed'
    await make(collection_name)
    const known = new Map<string, number>()
    const whole = async (kind: string, infos: readonly { segmentID: string | number; num_rows: string | number }[]): Promise<void> => {
      const sizes = infos.map(({ segmentID, num_rows }) => [`${kind}/${segmentID}`, Number(num_rows)] as const)
      expect(new Set(sizes.map(([id]) => id)).size).toBe(sizes.length)
      for (const [id, rows] of sizes) {
        expect(rows).toBeGreaterThan(0)
        // A file never changes.
        expect([id, known.get(id) ?? rows]).toEqual([id, rows])
        known.set(id, rows)
      }
      const { data } = await reader.query({ collection_name, filter: '', output_fields: ['count(*)'], consistency_level: Level.Eventually })
      expect(sizes.reduce((sum, [, rows]) => sum + rows, 0)).toBeLessThanOrEqual(Number(data[0]?.['count(*)']))
    }
    const look = async (): Promise<void> => {
      await whole('persistent', (await reader.getPersistentSegmentInfo({ collectionName: collection_name })).infos)
      await whole('loaded', (await reader.getQuerySegmentInfo({ collectionName: collection_name })).infos)
    }
    for (let round = 0; round < ROUNDS; round++) {
      expect((await test.client.insert({ collection_name, data: rows(round) })).status.code).toBe(0)
      await look()
      await watch(test.client.flush({ collection_names: [collection_name] }), look)
    }
    const { infos } = await reader.getPersistentSegmentInfo({ collectionName: collection_name })
    expect(infos.reduce((sum, { num_rows }) => sum + Number(num_rows), 0)).toBe(ROUNDS * BATCH)
  })

  it('a call of several looks sees one flush with all of them', async () => {
    const collection_name = 'looked'
    await make(collection_name)
    await test.client.insert({ collection_name, data: rows(0) })
    await test.client.flush({ collection_names: [collection_name] })
    for (let round = 1; round <= ROUNDS; round++) {
      // All keys again with another mark: half a flush would be a mixture, a missing key or one twice.
      await test.client.upsert({ collection_name, data: rows(0).map((row) => ({ ...row, mark: round })) })
      const look = async (): Promise<void> => {
        const ordered = await reader.query({ collection_name, filter: 'id >= 0', output_fields: ['id', 'mark'], limit: 1000, order_by_fields: 'mark:desc', consistency_level: Level.Eventually })
        expect(ordered.status.code).toBe(0)
        expect([ordered.data.length, new Set(ordered.data.map(({ id }) => String(id))).size, new Set(ordered.data.map(({ mark }) => String(mark))).size]).toEqual([BATCH, BATCH, 1])
        const grouped = await reader.search({ collection_name, data: [0, 0], limit: 5, group_by_field: 'mark', output_fields: ['mark'], consistency_level: Level.Eventually })
        expect(grouped.status.code).toBe(0)
        expect(grouped.results).toHaveLength(1)
      }
      await watch(test.client.flush({ collection_names: [collection_name] }), look)
    }
  })
})

describe('a flush without the right to it', () => {
  it('is refused, and keeps what is staged', async () => {
    const node = await startMiniMilvus({ inMemory: true, port: 0, parameters: { 'authorization.enabled': true, 'authorization.publicPrivilege': false } })
    const root = await connect(node.address, { username: 'root', password: 'Milvus' })
    const collection_name = 'guarded'
    try {
      await root.createCollection({ collection_name, shards_num: 2, properties, fields, index_params })
      await root.loadCollectionSync({ collection_name })
      await root.createUser({ username: 'writer', password: 'long enough' })
      await root.createRole({ roleName: 'writing' })
      await root.addUserToRole({ username: 'writer', roleName: 'writing' })
      const grant = (privilege: string) => root.grantPrivilegeV2({ role: 'writing', privilege, collection_name, db_name: 'default' })
      for (const privilege of ['Insert', 'DescribeCollection']) expect((await grant(privilege)).code).toBe(0)
      const writer = await connect(node.address, { username: 'writer', password: 'long enough' })
      try {
        const data = Array.from({ length: 10 }, (_, id) => ({ id, mark: 1, vector: [id, 1] }))
        const inserted = await writer.insert({ collection_name, data })
        expect(inserted.status.code).toBe(0)
        await expect(writer.flush({ collection_names: [collection_name] })).rejects.toThrow(/PERMISSION_DENIED|privilege/i)
        const count = async (): Promise<number> => Number((await root.query({ collection_name, filter: '', output_fields: ['count(*)'] })).data[0]?.['count(*)'])
        expect(await count()).toBe(0)
        expect((await grant('Flush')).code).toBe(0)
        expect((await writer.flush({ collection_names: [collection_name] })).status.code).toBe(0)
        expect(await count()).toBe(10)
      } finally {
        await writer.closeConnection()
      }
    } finally {
      await root.closeConnection()
      await node.close()
    }
  })
})
