/** A port for a server that has none. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Insight } from '../insight.ts'

export interface Served {
  /** `host:port` */
  readonly address: string
  close(): Promise<void>
}

export async function serveInsight(insight: Insight, { host, port }: { readonly host: string; readonly port: number }): Promise<Served> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0]
    if (path === '/healthz' || path === '/livez') return response.writeHead(200, { 'content-type': 'text/plain' }).end('OK')
    if (path === '/readyz') return ready(insight, response)
    if (path === '/metrics') return insight.front.metrics(request, response)
    if (path === '/') return response.writeHead(302, { location: 'webui/' }).end()
    if (!insight.front.handle(request, response)) response.writeHead(404, { 'content-type': 'text/plain' }).end('not found')
  })
  server.on('upgrade', (request, socket, head) => {
    if (!insight.front.upgrade(request, socket, head)) socket.destroy()
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => resolve())
  })
  const { address, port: bound, family } = server.address() as AddressInfo
  return {
    address: `${family === 'IPv6' ? `[${address}]` : address}:${bound}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Ready while no cache is being opened or saved, whatever the clusters do: what is known can be read. */
function ready({ clusters }: Insight, response: ServerResponse): void {
  const states = Object.fromEntries([...clusters].map((cluster) => [cluster.id, cluster.status().state]))
  const isReady = !Object.values(states).some((state) => state === 'opening' || state === 'stopping')
  response.writeHead(isReady ? 200 : 503, { 'content-type': 'application/json' }).end(JSON.stringify({ ready: isReady, clusters: states }))
}
