/**
 * Many rows with an HNSW index: recall against exact search, plain and filtered, deletes and upserts, and all of it again after a
 * restart on the data folder. 6,000 rows by default, 100,000 in the ci and soak rings.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DataType } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { latentVectors, nearest, rowOf, startTestNode, type TestNode } from './support.ts'

const ROWS = { ci: 100_000, soak: 100_000 }[process.env['TIMETICK_RING'] ?? ''] ?? 6_000
const DIM = 128
const K = 10
const QUERIES = 40
const BATCH = 2_000
const collection_name = 'large'
const MINUTES = 60_000

describe(`${ROWS} x ${DIM} vectors`, () => {
  const vectors = latentVectors(ROWS, DIM, 1)
  const queries = latentVectors(QUERIES, DIM, 2)
  const versions = new Map<number, number>()
  const score = (row: number): number => (row * 7919) % 1000
  const alive = (row: number): boolean => versions.get(row) !== undefined
  let folder = ''
  let test: TestNode

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'timetick-large-'))
    test = await startTestNode({ dataDir: folder })
    const { client } = test
    await client.createCollection({
      collection_name,
      consistency_level: 'Strong',
      fields: [
        { name: 'id', data_type: DataType.Int64, is_primary_key: true },
        { name: 'vec', data_type: DataType.FloatVector, dim: DIM },
        { name: 'score', data_type: DataType.Int64 },
        { name: 'version', data_type: DataType.Int32 },
      ],
      index_params: [{ field_name: 'vec', index_type: 'HNSW', metric_type: 'L2', params: { M: 16, efConstruction: 200 } }],
    })
    await client.loadCollectionSync({ collection_name })
    for (let begin = 0; begin < ROWS; begin += BATCH) {
      const ids = Array.from({ length: Math.min(BATCH, ROWS - begin) }, (_, i) => begin + i)
      expect((await client.insert({ collection_name, data: ids.map((id) => rowData(id, 0)) })).status.error_code).toBe('Success')
      for (const id of ids) versions.set(id, 0)
    }
    await client.flushSync({ collection_names: [collection_name] })
  }, 10 * MINUTES)
  afterAll(async () => {
    await test.close()
    await rm(folder, { recursive: true, force: true })
  })

  const rowData = (id: number, version: number) => ({ id, vec: rowOf(vectors, DIM, id), score: score(id), version })

  async function indexed({ client }: TestNode): Promise<void> {
    const progress = async () => (await client.describeIndex({ collection_name })).index_descriptions[0]
    await expect.poll(progress, { timeout: 10 * MINUTES, interval: 100 }).toMatchObject({ state: 'Finished', pending_index_rows: '0' })
  }

  /** The share of the true neighbours that are found. */
  async function recall(filter: string, allowed: (row: number) => boolean): Promise<number> {
    const data = Array.from({ length: QUERIES }, (_, i) => rowOf(queries, DIM, i))
    const found = await test.client.search({ collection_name, data, limit: K, filter, params: { ef: 128 }, output_fields: ['id', 'version'] })
    expect(found.status).toMatchObject({ error_code: 'Success' })
    const results = found.results as unknown as { id: string; version: number }[][]
    let hits = 0
    results.forEach((result, i) => {
      const truth = nearest(vectors, DIM, queries.subarray(i * DIM, (i + 1) * DIM), K, (row) => alive(row) && allowed(row))
      expect(result).toHaveLength(K)
      for (const { id, version } of result) {
        expect(allowed(Number(id))).toBe(true)
        expect(version).toBe(versions.get(Number(id)))
        if (truth.includes(Number(id))) hits++
      }
    })
    return hits / QUERIES / K
  }

  async function everythingIsThere(): Promise<void> {
    expect((await test.client.count({ collection_name })).data).toBe(versions.size)
    expect(await recall('', () => true)).toBeGreaterThanOrEqual(0.95)
    expect(await recall('score < 10', (row) => score(row) < 10)).toBeGreaterThanOrEqual(0.95)
    expect(await recall('score < 500', (row) => score(row) < 500)).toBeGreaterThanOrEqual(0.95)
    const sample = await test.client.query({ collection_name, filter: 'score == 77', output_fields: ['id', 'version', 'vec'] })
    const expected = [...versions].filter(([id]) => score(id) === 77).sort(([a], [b]) => a - b)
    expect(sample.data.map((row) => [Number(row['id']), row['version']])).toEqual(expected)
    for (const row of sample.data) expect(Float32Array.from(row['vec'] as number[])).toEqual(vectors.slice(Number(row['id']) * DIM, (Number(row['id']) + 1) * DIM))
  }

  it('are found with recall@10 of 0.95 and more, filtered too, before the index is there and with it', { timeout: 20 * MINUTES }, async () => {
    await everythingIsThere()
    await indexed(test)
    await everythingIsThere()
  })

  it('are deleted and replaced', { timeout: 10 * MINUTES }, async () => {
    const { client } = test
    expect((await client.delete({ collection_name, filter: 'score >= 950' })).status.error_code).toBe('Success')
    for (const id of versions.keys()) if (score(id) >= 950) versions.delete(id)
    const replaced = [...versions.keys()].filter((id) => id % 20 === 3)
    expect((await client.upsert({ collection_name, data: replaced.map((id) => rowData(id, 1)) })).status.error_code).toBe('Success')
    for (const id of replaced) versions.set(id, 1)
    await everythingIsThere()
  })

  it('are there after a restart, loaded, with their index', { timeout: 10 * MINUTES }, async () => {
    await test.close()
    test = await startTestNode({ dataDir: folder })
    const state = async () => (await test.client.getLoadState({ collection_name })).state
    await expect.poll(state, { timeout: MINUTES }).toBe('LoadStateLoaded')
    await everythingIsThere()
    await indexed(test)
  })
})
