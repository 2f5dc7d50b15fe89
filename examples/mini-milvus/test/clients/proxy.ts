/** Between clients and the server, so that a test can reset connections. */
import { createServer, connect, type Socket } from 'node:net'

export interface Proxy {
  readonly address: string
  readonly open: number
  /** Resets all connections that are open now; new ones are let through. */
  reset(): void
  close(): Promise<void>
}

export async function startProxy(target: string): Promise<Proxy> {
  const [host = '', port = ''] = target.split(':')
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(Number(port), host)
    for (const [one, other] of [[near, far], [far, near]] as const) {
      sockets.add(one)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const reset = (): void => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  return {
    address: `127.0.0.1:${address.port}`,
    get open() {
      return sockets.size / 2
    },
    reset,
    async close() {
      reset()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
