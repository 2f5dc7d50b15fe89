/** A server of insight on a port of its own, with a source that the bench drives. */
import { setTimeout as sleep } from 'node:timers/promises'
import { load } from '../measure.mjs'

/** Names are scattered over this many. */
const NAMES = 100_000

export const collection = (i) => ({ id: String(449000000000000000n + BigInt(i)), db: i % 3 === 0 ? 'default' : 'other', name: `orders_${(i * 7919) % NAMES}`, shards: 1, createdTs: String(449000000000000000n + BigInt(i)), load: { state: i % 2 === 0 ? 'loaded' : 'notLoad' }, stats: { rows: String((i * 31) % 1_000_000) } })

export async function openServer({ collections = 0, limits = {}, kv } = {}) {
  const { builtAssets, createInsight, serveInsight } = await load('timetick-insight')
  const { createMemoryKV } = await load('@timetick/kv/memory')
  const store = kv ?? createMemoryKV()
  let sink
  const source = () => ({ origin: 'push', intervalMs: 600_000, start: async (to) => ((sink = to), {}), refresh: async () => undefined, stop: async () => undefined })
  const insight = createInsight({ kv: store, limits, assets: builtAssets(), clusters: [{ id: 'dev', address: '127.0.0.1', source, isPinned: true }] })
  await insight.clusters.get('dev').connect()
  while (sink === undefined) await sleep(5)
  for (let i = 0; i < collections; i += 1) sink.upsert('collection', `default/${i}`, collection(i))
  const served = await serveInsight(insight, { host: '127.0.0.1', port: 0 })
  return { insight, served, sink, store, layer: insight.clusters.get('dev').layer, close: async () => (await insight.close(), await served.close(), await store.close()) }
}
