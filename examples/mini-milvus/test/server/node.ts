/** A server with a catalog in memory and no data path. */
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import { type Catalog } from '../../src/coordinator/catalog.ts'
import { createDdlHandlers, type DdlOptions } from '../../src/proxy/ddl.ts'
import { systemClock } from '../../src/edge/system.ts'
import type { HandlerTable } from '../../src/server/handlers.ts'
import type { Listener } from '../../src/server/listen.edge.ts'
import { counter, openFixture } from '../catalog/helpers.ts'
import { createRestHandler, type RestOptions } from '../../src/rest/index.ts'
import { type LogLine, serve } from './helpers.ts'

export interface TestNode {
  readonly address: string
  readonly listener: Listener
  readonly catalog: Catalog
  readonly handlers: HandlerTable
  /** What REST logged. */
  readonly log: readonly LogLine[]
  /** Rows and percentages that the data path would report. */
  readonly data: { rows: number; loaded: number }
  connect(options?: { readonly database?: string }): Promise<MilvusClient>
  close(): Promise<void>
}

const NOW_TS = BigInt(1_760_000_000_000) << 18n

/** @param dataPath handlers of the RPCs that need a data path */
export async function openTestNode(
  more: Partial<DdlOptions> = {},
  dataPath: HandlerTable = {},
  rest: Partial<RestOptions> = {},
): Promise<TestNode> {
  const timestamps = counter(NOW_TS)
  const { catalog } = await openFixture({ ids: counter(449_000_000_000_000_001n), timestamps })
  const data = { rows: 0, loaded: 100 }
  const ddl = createDdlHandlers({
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
  const handlers: HandlerTable = { ...ddl, ...dataPath }
  const log: LogLine[] = []
  const logger = { error: (fields: LogLine['fields'], message: string) => log.push({ fields, message }) }
  const { listener, address } = await serve(handlers, {}, createRestHandler({ handlers, logger, ...rest }))
  const clients: MilvusClient[] = []
  return {
    address,
    listener,
    catalog,
    handlers,
    log,
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
