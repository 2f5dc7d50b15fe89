/** Handlers of every RPC that is metadata alone. */
import type { WireHandlers } from '../server/handlers.ts'
import { collectionHandlers } from './ddl-collections.ts'
import type { DdlOptions } from './ddl-context.ts'
import { aliasHandlers, databaseHandlers } from './ddl-databases.ts'
import { fieldHandlers } from './ddl-fields-rpc.ts'
import { functionHandlers } from './ddl-functions.ts'
import { indexHandlers } from './ddl-indexes.ts'
import { loadHandlers } from './ddl-load.ts'
import { partitionHandlers } from './ddl-partitions.ts'
import { systemHandlers } from './ddl-system.ts'
import { analyzerHandlers } from './run-analyzer.ts'

export type { DdlOptions, DdlProgress, IndexProgress } from './ddl-context.ts'

export function createDdlHandlers(options: DdlOptions): WireHandlers {
  return {
    ...systemHandlers(options),
    ...databaseHandlers(options),
    ...aliasHandlers(options),
    ...collectionHandlers(options),
    ...fieldHandlers(options),
    ...partitionHandlers(options),
    ...indexHandlers(options),
    ...loadHandlers(options),
    ...functionHandlers(options),
    ...analyzerHandlers(options),
  }
}
