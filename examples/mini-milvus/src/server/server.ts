/** The node's public port: gRPC and REST over one table of handlers. */
import type { RequestListener } from 'node:http'
import type { ClientCalls } from '../clients/calls.ts'
import type { NodeClock } from '../edge/system.ts'
import type { Logger } from './dispatch.ts'
import { createGrpcEntry } from './grpc.ts'
import { allowAll, type Gate, type HandlerTable } from './handlers.ts'
import { defaultLimits, type ServerLimits } from './limits.ts'
import { type Listener, startListener } from './listen.edge.ts'
import type { TlsSettings } from './tls.edge.ts'

export interface ServerOptions {
  readonly port?: number | undefined
  readonly host?: string | undefined
  readonly handlers: HandlerTable
  /** What HTTP/1 requests meet; see `createRestHandler`. */
  readonly http: RequestListener
  readonly authorize?: Gate | undefined
  readonly logger?: Logger | undefined
  /** Who is connected. */
  readonly clients?: ClientCalls | undefined
  readonly limits?: Partial<ServerLimits> | undefined
  readonly clock: NodeClock
  /** What gRPC's health checks are told. @default true */
  readonly isServing?: (() => boolean) | undefined
  readonly tls?: TlsSettings | undefined
}

export const DEFAULT_PORT = 19530
export const DEFAULT_HOST = '127.0.0.1'

/** Rejects with ListenError or TlsFileError; nothing is left open then. */
export async function openServer(options: ServerOptions): Promise<Listener> {
  const limits = { ...defaultLimits, ...options.limits }
  const { handlers, authorize = allowAll, logger, clock, http, clients } = options
  const grpc = createGrpcEntry({ handlers, authorize, logger, limits, clock, clients, isServing: options.isServing })
  const { port = DEFAULT_PORT, host = DEFAULT_HOST } = options
  const onTlsError = (error: unknown): void =>
    logger?.error({ error: error instanceof Error ? error.message : 'unreadable' }, 'changed certificates could not be read: the old ones stay in use')
  return startListener({ port, host, grpc, http, clients, limits, tls: options.tls, onTlsError })
}
