/** A server with a catalog in memory and no data path. */
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import { type Catalog } from '../../src/coordinator/catalog.ts'
import { createDdlHandlers, type DdlOptions } from '../../src/proxy/ddl.ts'
import { systemClock } from '../../src/edge/system.ts'
import type { HandlerTable } from '../../src/server/handlers.ts'
import type { Listener } from '../../src/server/listen.edge.ts'
import { counter, openFixture } from '../catalog/helpers.ts'
import { serve } from './helpers.ts'

export interface TestNode {
  readonly address: string
  readonly listener: Listener
  readonly catalog: Catalog
  readonly handlers: HandlerTable
  /** Rows and percentages that the data path would report. */
  readonly data: { rows: number; loaded: number }
  connect(options?: { readonly database?: string }): Promise<MilvusClient>
  close(): Promise<void>
}

const NOW_TS = BigInt(1_760_000_000_000) << 18n

export async function openTestNode(more: Partial<DdlOptions> = {}): Promise<TestNode> {
  const timestamps = counter(NOW_TS)
  const { catalog } = await openFixture({ ids: counter(449_000_000_000_000_001n), timestamps })
  const data = { rows: 0, loaded: 100 }
  const handlers = createDdlHandlers({
    meta: catalog,
    catalog,
    timestamps,
    version: 'v2.6.0-mini',
    clock: systemClock,
    progress: {
      rowCount: () => data.rows,
      loadProgress: () => data.loaded,
      indexProgress: () => ({ totalRows: data.rows, indexedRows: data.rows, pendingRows: 0, state: 'finished', reason: '' }),
    },
    ...more,
  })
  const { listener, address } = await serve(handlers)
  const clients: MilvusClient[] = []
  return {
    address,
    listener,
    catalog,
    handlers,
    data,
    async connect(options = {}) {
      const client = new MilvusClient({ address, logLevel: 'error', ...options })
      clients.push(client)
      await client.connectPromise
      return client
    },
    async close() {
      await Promise.all(clients.map((client) => client.closeConnection()))
      await listener.close()
    },
  }
}
