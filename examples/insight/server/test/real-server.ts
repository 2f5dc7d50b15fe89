/** A server on a port that a test changes, stops, and kills; its clusters come from a world that outlives it. */
import { createMemoryKV } from '@timetick/kv/memory'
import type { KVBase } from '@timetick/kv'
import { createInsight, serveInsight, type Insight, type InsightOptions, type InsightSource, type Row, type Served, type Sink } from '../src/index.ts'

/** What a cluster has: each source that starts is told all of it. */
export class World {
  readonly rows = new Map<string, Row>()
  #sink: Sink | undefined
  readonly source = (): InsightSource => {
    let own: Sink | undefined
    return {
      origin: 'push',
      intervalMs: 600_000,
      start: async (sink) => {
        own = this.#sink = sink
        for (const [key, row] of this.rows) sink.upsert('collection', key, row)
        sink.full('collection', '', new Set(this.rows.keys()))
        return {}
      },
      refresh: async () => undefined,
      stop: async () => {
        if (this.#sink === own) this.#sink = undefined
      },
    }
  }
  put(key: string, row: Row): void {
    this.rows.set(key, row)
    this.#sink?.upsert('collection', key, row)
  }
  drop(key: string): void {
    this.rows.delete(key)
    this.#sink?.drop('collection', key)
  }
}

export interface Running {
  readonly insight: Insight
  readonly served: Served
  readonly kv: KVBase
  /** Saves and says goodbye. */
  stop(): Promise<void>
  /** What is on disk is what was there at this moment. */
  kill(): Promise<KVBase>
}

export async function startServer(world: World, { kv = createMemoryKV(), port = 0, ...options }: { kv?: KVBase; port?: number } & Partial<Omit<InsightOptions, 'kv'>> = {}): Promise<Running> {
  const insight = createInsight({ kv, clusters: [{ id: 'dev', address: '127.0.0.1', source: world.source, isPinned: true }], ...options })
  await Promise.all([...insight.clusters].map((cluster) => cluster.connect()))
  const served = await serveInsight(insight, { host: '127.0.0.1', port })
  const stop = async (): Promise<void> => {
    await insight.close()
    await served.close()
  }
  return {
    insight,
    served,
    kv,
    stop,
    async kill() {
      const { keys, values } = await kv.loadWithPrefix('')
      const disk = createMemoryKV()
      await disk.multiSave(new Map(keys.map((key, i) => [key, values[i] ?? ''])))
      await stop()
      return disk
    },
  }
}
