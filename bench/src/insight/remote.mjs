/** A Milvus that has many collections and changes none of them, as a remote source asks it. */
import { load } from '../measure.mjs'

export async function openRemote({ collections, intervalMs }) {
  const { createInsight, RemoteSource } = await load('timetick-insight')
  const { createMemoryKV } = await load('@timetick/kv/memory')
  const list = Array.from({ length: collections }, (_, i) => ({ id: String(449000000000000000n + BigInt(i)), name: `c_${i}`, createdTs: '449000000000000000' }))
  const api = {
    connect: async () => ({ version: 'v2.6.0' }),
    databases: async () => ['default'],
    collections: async () => list,
    describe: async (_db, name) => ({ ...list[Number(name.slice(2))], description: '', shards: 1, consistency: 'Bounded', dynamicField: false, fields: [], properties: {}, channels: [], aliases: [], updatedTs: undefined }),
    indexes: async () => [],
    partitions: async () => [{ id: '1', name: '_default' }],
    loadState: async () => ({ state: 'loaded', percent: 100 }),
    rows: async () => '0',
    act: async () => undefined,
    search: async () => [],
    close: async () => undefined,
  }
  const clock = {
    now: () => Date.now(),
    setTimer(callback, delayMs) {
      const timer = setTimeout(callback, delayMs)
      return () => clearTimeout(timer)
    },
  }
  const kv = createMemoryKV()
  const insight = createInsight({ kv, clusters: [{ id: 'far', address: '127.0.0.1:1', isPinned: true, source: () => new RemoteSource({ api, clock, address: '127.0.0.1:1', intervalMs }) }] })
  await insight.clusters.get('far').connect()
  return { close: async () => (await insight.close(), await kv.close()) }
}
