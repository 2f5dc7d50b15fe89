import type { RequestListener } from 'node:http'
import { systemClock } from '../../src/edge/system.ts'
import type { HandlerTable } from '../../src/server/handlers.ts'
import type { ServerLimits } from '../../src/server/limits.ts'
import type { Listener } from '../../src/server/listen.edge.ts'
import { openServer } from '../../src/server/server.ts'

export interface LogLine {
  readonly fields: Readonly<Record<string, unknown>>
  readonly message: string
}

export async function serve(
  handlers: HandlerTable,
  limits: Partial<ServerLimits> = {},
  http?: RequestListener,
): Promise<{ listener: Listener; address: string; log: LogLine[] }> {
  const log: LogLine[] = []
  const listener = await openServer({
    port: 0,
    handlers,
    limits: { closeGraceMs: 200, ...limits },
    clock: systemClock,
    logger: { error: (fields, message) => log.push({ fields, message }) },
    http: http ?? ((request, response) => response.end(`http ${request.method} ${request.url}`)),
  })
  return { listener, address: `127.0.0.1:${listener.port}`, log }
}
