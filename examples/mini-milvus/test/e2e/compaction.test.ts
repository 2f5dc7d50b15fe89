/** A compaction on request: small segments become one, deleted rows go, and answers stay the same. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestNode, type TestNode } from './support.ts'

const collection_name = 'pieces'

describe('manual compaction', () => {
  let test: TestNode
  beforeAll(async () => {
    // Nothing is due by itself: only what is asked for happens.
    test = await startTestNode({ inMemory: true, parameters: { 'compaction.deleteShare': 1, 'compaction.minSegments': 100 } })
    const { client } = test
    await client.createCollection({ collection_name, dimension: 2, metric_type: 'L2', consistency_level: 'Strong' })
    for (let piece = 0; piece < 4; piece++) {
      const data = Array.from({ length: 50 }, (_, i) => ({ id: piece * 50 + i, vector: [piece * 50 + i, 0] }))
      await client.insert({ collection_name, data })
      await client.flushSync({ collection_names: [collection_name] })
    }
    await client.delete({ collection_name, filter: 'id % 4 == 1' })
    await client.flushSync({ collection_names: [collection_name] })
  })
  afterAll(() => test.close())

  const segments = async () => (await test.client.getPersistentSegmentInfo({ collectionName: collection_name })).infos
  const rows = async () => (await test.client.getCollectionStatistics({ collection_name })).data.row_count

  it('merges segments and reclaims deleted rows', async () => {
    const { client } = test
    expect(await segments()).toHaveLength(4)
    expect(await rows()).toBe('200')
    const { status, compactionID, compactionPlanCount } = await client.compact({ collection_name })
    expect(status.error_code).toBe('Success')
    expect(compactionPlanCount).toBe(1)
    const state = () => client.getCompactionState({ compactionID })
    await expect.poll(state).toMatchObject({ state: 'Completed', executingPlanNo: '0', failedPlanNo: '0' })
    const [only, ...others] = await segments()
    expect(others).toEqual([])
    expect(only).toMatchObject({ num_rows: '150' })
    expect(await rows()).toBe('150')
    const plans = await client.getCompactionStateWithPlans({ compactionID })
    expect(plans.mergeInfos.at(-1)).toMatchObject({ target: only?.segmentID })
    const found = await client.query({ collection_name, filter: 'id >= 0', output_fields: ['id'] })
    expect(found.data.map((row) => Number(row['id']))).toEqual(Array.from({ length: 200 }, (_, id) => id).filter((id) => id % 4 !== 1))
    const hits = await client.search({ collection_name, data: [101.2, 0], limit: 3, output_fields: ['id'] })
    expect(hits.results.map(({ id }) => id)).toEqual(['102', '100', '103'])
  })

  it('has nothing to do the second time, and says so', async () => {
    const { client } = test
    const { compactionID, compactionPlanCount } = await client.compact({ collection_name })
    expect(compactionPlanCount).toBe(0)
    expect(await client.getCompactionState({ compactionID })).toMatchObject({ state: 'Completed', completedPlanNo: '0' })
    expect((await client.getCompactionState({ compactionID: '5' })).status).toMatchObject({ code: 1100 })
  })

  it('reclaims what upserts left in the count, as Milvus does', async () => {
    const { client } = test
    const collection_name = 'upserted'
    const count = async () => (await client.getCollectionStatistics({ collection_name })).data.row_count
    await client.createCollection({ collection_name, dimension: 2, metric_type: 'L2', consistency_level: 'Strong' })
    await client.insert({ collection_name, data: Array.from({ length: 100 }, (_, id) => ({ id, vector: [id, 0] })) })
    await client.upsert({ collection_name, data: [{ id: 7, vector: [7, 1] }] })
    expect(await count()).toBe('101')
    await client.flushSync({ collection_names: [collection_name] })
    expect(await count()).toBe('101')
    const { compactionID } = await client.compact({ collection_name })
    await expect.poll(() => client.getCompactionState({ compactionID })).toMatchObject({ state: 'Completed' })
    expect(await count()).toBe('100')
    const found = await client.query({ collection_name, filter: 'id == 7', output_fields: ['vector'] })
    expect(found.data).toMatchObject([{ vector: [7, 1] }])
    expect((await client.compact({ collection_name })).compactionPlanCount).toBe(0)
  })
})
