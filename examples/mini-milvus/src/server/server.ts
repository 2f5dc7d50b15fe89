/** The node's public port: gRPC and REST over one table of handlers. */
import type { RequestListener } from 'node:http'
import type { NodeClock } from '../edge/system.ts'
import type { Logger } from './dispatch.ts'
import { createGrpcEntry } from './grpc.ts'
import { allowAll, type Authorize, type HandlerTable } from './handlers.ts'
import { defaultLimits, type ServerLimits } from './limits.ts'
import { type Listener, startListener } from './listen.edge.ts'

export interface ServerOptions {
  readonly port?: number | undefined
  readonly host?: string | undefined
  readonly handlers: HandlerTable
  /** What HTTP/1 requests meet; see `createRestHandler`. */
  readonly http: RequestListener
  readonly authorize?: Authorize | undefined
  readonly logger?: Logger | undefined
  readonly limits?: Partial<ServerLimits> | undefined
  readonly clock: NodeClock
}

export const DEFAULT_PORT = 19530
export const DEFAULT_HOST = '127.0.0.1'

/** Rejects with ListenError; nothing is left open then. */
export async function openServer(options: ServerOptions): Promise<Listener> {
  const limits = { ...defaultLimits, ...options.limits }
  const { handlers, authorize = allowAll, logger, clock, http } = options
  const grpc = createGrpcEntry({ handlers, authorize, logger, limits, clock })
  const { port = DEFAULT_PORT, host = DEFAULT_HOST } = options
  return startListener({ port, host, grpc, http, limits })
}
