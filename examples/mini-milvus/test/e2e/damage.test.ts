/** Damaged files: what is bad is named, what is good is served, and nothing is missing silently. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startTestNode, type TestNode } from './support.ts'

const parameters = { 'indexNode.minRows': 100 }
let folder = ''
let test: TestNode | undefined

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'timetick-damage-'))
})
afterEach(async () => {
  await test?.close()
  test = undefined
  await rm(folder, { recursive: true, force: true })
})

async function start(): Promise<TestNode> {
  test = await startTestNode({ dataDir: folder, parameters })
  return test
}

async function stop(): Promise<void> {
  await test?.close()
  test = undefined
}

async function fill({ client }: TestNode, collection_name: string): Promise<void> {
  await client.createCollection({
    collection_name,
    fields: [
      { name: 'id', data_type: 5, is_primary_key: true },
      { name: 'vec', data_type: 101, dim: 4 },
    ],
    index_params: [{ field_name: 'vec', index_type: 'HNSW', metric_type: 'L2' }],
    consistency_level: 'Strong',
  })
  await client.insert({ collection_name, data: Array.from({ length: 300 }, (_, id) => ({ id, vec: [id, 0, 0, 0] })) })
  await client.flushSync({ collection_names: [collection_name] })
  await expect
    .poll(async () => {
      const [index] = (await client.describeIndex({ collection_name, field_name: 'vec' })).index_descriptions
      return [index?.state, Number(index?.indexed_rows)]
    }, { timeout: 10_000 })
    .toEqual(['Finished', 300])
}

/** Flips a bit in the middle of each file of a collection whose name ends so. */
async function damage(collectionId: bigint, ending: string): Promise<string[]> {
  const root = join(folder, 'objects', 'segments', String(collectionId))
  const names = (await readdir(root, { recursive: true })).filter((name) => name.endsWith(ending))
  for (const name of names) {
    const bytes = await readFile(join(root, name))
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 0x10
    await writeFile(join(root, name), bytes)
  }
  return names
}

describe('a node with damaged files', () => {
  it('names the bad segment, refuses to search without it, and serves the other collections', async () => {
    const before = await start()
    await fill(before, 'good')
    await fill(before, 'bad')
    const id = before.node.catalog.collections().find(({ schema }) => schema.name === 'bad')?.id ?? 0n
    await stop()
    expect(await damage(id, 'rows.arrow')).toHaveLength(1)
    const { client } = await start()
    await expect.poll(async () => (await client.count({ collection_name: 'good' })).data, { timeout: 20_000 }).toBe(300)
    await expect
      .poll(async () => (await client.query({ collection_name: 'bad', filter: 'id < 5' })).status.reason, { timeout: 20_000 })
      .toMatch(new RegExp(`not fully loaded.*segments/${id}/.*rows\\.arrow`))
    expect((await client.search({ collection_name: 'bad', data: [1, 0, 0, 0], limit: 3 })).status.error_code).not.toBe('Success')
    expect((await client.dropCollection({ collection_name: 'bad' })).error_code).toBe('Success')
  })

  it('searches without an index that is damaged, and builds it again', async () => {
    const before = await start()
    await fill(before, 'points')
    const id = before.node.catalog.collections()[0]?.id ?? 0n
    await stop()
    expect(await damage(id, '.usearch')).toHaveLength(1)
    const { client } = await start()
    await expect.poll(async () => (await client.count({ collection_name: 'points' })).data, { timeout: 20_000 }).toBe(300)
    const found = await client.search({ collection_name: 'points', data: [123, 0, 0, 0], limit: 3, output_fields: ['id'] })
    expect(found.status.error_code).toBe('Success')
    expect(found.results.map((hit) => hit.id)).toEqual(['123', '122', '124'])
    await expect
      .poll(async () => Number((await client.describeIndex({ collection_name: 'points', field_name: 'vec' })).index_descriptions[0]?.indexed_rows), { timeout: 10_000 })
      .toBe(300)
    await stop()
    const again = await start()
    await expect.poll(async () => (await again.client.count({ collection_name: 'points' })).data, { timeout: 20_000 }).toBe(300)
    expect(again.node.catalog.segments(again.node.catalog.collections()[0]?.id ?? 0n)[0]?.indexes[0]).toMatchObject({ state: 'finished', reason: '' })
  })
})
