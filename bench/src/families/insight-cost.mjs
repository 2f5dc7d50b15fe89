/** Insight: what it costs those around it: the node (G14), the tab (G12), and the server when a client is stuck (G10). */
import { closePair, openPair, searches, ticks } from '../insight/cost.mjs'
import { tabCost } from '../insight/page.mjs'
import { stuckMb } from '../insight/stuck.mjs'
import { openServer } from '../insight/server.mjs'

const COLLECTIONS = 10_000
const MANY = { limits: { maxClientsPerPeer: 5000, maxClients: 5000 } }

/** Ten minutes of ten events a second, as fast as they go; then a gauge a second, as a quiet node has them. */
async function tab({ served, sink }, idleMs) {
  let isDone = false
  const measuring = (async () => {
    while (!isDone) {
      for (const key of ['rpc.qps{all}', 'rpc.p99{all}', 'timetick.lag{dml_0}', 'queue.waiting{dml}']) sink.gauge(key, Math.random() * 10)
      await new Promise((resolve) => setTimeout(resolve, 1000))
    }
  })()
  const busy = async () => {
    for (let i = 0; i < 6000; i += 1) {
      sink.upsert('node', 'n', { name: 'n', role: 'standalone', state: 'healthy', load: i })
      if (i % 100 === 99) await new Promise((resolve) => setTimeout(resolve, 30))
    }
  }
  try {
    return await tabCost(served.address, { busy, idleMs })
  } finally {
    isDone = true
    await measuring
  }
}

const onServer = { open: () => openServer({ ...MANY, collections: COLLECTIONS }), close: (server) => server?.close() }
const onPair = { open: openPair, close: closePair, reference: 'a node without insight, the same changes', goal: { op: '<=', value: 1.05 }, unit: 'ms' }

export const rows = [
  { id: 'insight.tab.heap', work: `heap of the tab after 6,000 events, ${COLLECTIONS.toLocaleString('en')} collections (G12)`, unit: 'MB', goal: { op: '<=', value: 40, moonshot: 20 }, ...onServer, measure: async (server) => (await tab(server, 500)).heapMb, warmups: 0 },
  { id: 'insight.tab.idle', work: 'processor that the tab takes while only gauges come (G12)', unit: '%', goal: { op: '<=', value: 3, moonshot: 1.5 }, ...onServer, measure: async (server) => (await tab(server, 5000)).idlePercent, warmups: 0 },
  { id: 'insight.stuck', work: 'memory that a client costs that reads nothing, at 8,000 events/s of 700 B (G10)', unit: 'MB', goal: { op: '<=', value: 1.5, moonshot: 0.75 }, open: () => openServer(MANY), close: (server) => server?.close(), measure: stuckMb, warmups: 0 },
  { id: 'insight.tax.rpc', work: 'p99 of searches, 2 in flight, while 1,000 clients of insight are told 20 events/s (G14)', ...onPair, ...searches },
  { id: 'insight.tax.tick', work: 'lag of the ticks, p99, while 1,000 clients of insight are told 20 events/s (G14)', ...onPair, ...ticks },
]
