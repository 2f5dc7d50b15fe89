/** Facts of the catalogue that only a node in trouble makes: compactions that fail, channels whose readers lag. */
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startMiniMilvus, type MiniMilvus } from '../../src/index.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

interface Event {
  readonly type: string
  readonly kind: string
  readonly key: string
  readonly data: Record<string, unknown>
}

const dataDir = mkdtempSync(path.join(tmpdir(), 'insight-facts-'))
let node: MiniMilvus
let client: MilvusClient
beforeAll(async () => {
  // Nothing is compacted but what is asked for.
  node = await startMiniMilvus({ dataDir, port: 0, metricsPort: 0, parameters: { 'compaction.minSegments': 100, 'compaction.deleteShare': 1 } })
  client = new MilvusClient({ address: node.address, logLevel: 'error' })
  await client.connectPromise
})
afterAll(async () => {
  await client?.closeConnection()
  await node?.close()
  rmSync(dataDir, { recursive: true, force: true })
})

const api = async (path: string) => (await (await fetch(`http://${node.metricsAddress}/insight/v1/clusters/local${path}`)).json()) as { events: Event[]; rows: Record<string, unknown>[] }
const events = async (type: string) => (await api(`/events?last=5000&types=${type}`)).events

async function twoSegments(collection_name: string): Promise<void> {
  await client.createCollection({ collection_name, dimension: 4 })
  for (const first of [0, 100]) {
    await client.insert({ collection_name, data: Array.from({ length: 50 }, (_, i) => ({ id: first + i, vector: [i, 1, 2, 3] })) })
    await client.flushSync({ collection_names: [collection_name] })
  }
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true }).map((name) => path.join(folder, String(name))).filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true)
}

test('E1 compaction.finished and compaction.failed, with why, are told of the compactions of a real node', async () => {
  await twoSegments('whole')
  await client.compact({ collection_name: 'whole' })
  // However short it was.
  await expect.poll(() => events('compaction.finished')).toHaveLength(1)
  await expect.poll(async () => (await api('/tasks')).rows.find(({ type }) => type === 'compaction')).toMatchObject({ collection: 'whole', state: 'finished', inputs: [expect.any(String), expect.any(String)], outputs: [expect.any(String)] })
  await twoSegments('torn')
  const { collectionID } = await client.describeCollection({ collection_name: 'torn' })
  const files = filesUnder(dataDir).filter((file) => file.split(path.sep).includes(String(collectionID)))
  expect(files.length).toBeGreaterThan(0)
  for (const file of files) truncateSync(file, 10)
  await client.compact({ collection_name: 'torn' })
  await expect.poll(() => events('compaction.failed')).toEqual([expect.objectContaining({ key: expect.stringContaining(`default/${String(collectionID)}/compaction/`), data: { from: 'running', to: 'failed', reason: expect.stringMatching(/./) } })])
  const [failed] = await events('compaction.failed')
  const started = (await events('compaction.started')).find(({ key }) => key === failed?.key)
  expect(started?.data).toMatchObject({ type: 'compaction', collection: 'torn', state: 'running' })
})

test('E1 timetick.state is told of log channels and of the channels of collections, when it changes, with how far behind they are', async () => {
  await client.createCollection({ collection_name: 'ticks', dimension: 4 })
  const states = async (path: string) => (await api(path)).rows.map(({ state }) => state)
  for (const path of ['/streams', '/channels']) await expect.poll(async () => (await states(path)).every((state) => state === 'ok')).toBe(true)
  // Every reader is a millisecond behind.
  node.parameters.save('insight.laggingAfter', '1ms')
  const moves = async (kind: string, to: string) => (await events('timetick.state')).filter((event) => event.kind === kind && event.data['to'] === to)
  for (const kind of ['stream', 'channel']) await expect.poll(() => moves(kind, 'lagging')).not.toEqual([])
  for (const { data } of await moves('channel', 'lagging')) {
    expect(data).toMatchObject({ from: expect.any(String), lagMs: expect.any(Number), thresholdMs: expect.any(Number) })
    expect(Number(data['lagMs'])).toBeGreaterThanOrEqual(Number(data['thresholdMs']))
  }
  node.parameters.save('insight.laggingAfter', '1h')
  for (const kind of ['stream', 'channel']) await expect.poll(() => moves(kind, 'ok')).not.toEqual([])
  await expect.poll(async () => (await api('/channels')).rows.map(({ state }) => state)).not.toContain('lagging')
})
