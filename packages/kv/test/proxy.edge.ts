/** A TCP proxy that breaks connections on request. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface Proxy {
  readonly port: number
  /** Resets all connections. */
  cut(): void
  /** From now on nothing passes, but nobody is told; `false` lets all pass again, what was held first. */
  hold(held: boolean): void
  close(): Promise<void>
}

export async function startProxy(targetUrl: string): Promise<Proxy> {
  const { hostname, port } = new URL(targetUrl)
  const pairs = new Set<readonly [Socket, Socket]>()
  let isHeld = false
  const server = createServer((near) => {
    const far = connect(Number(port), hostname)
    const pair = [near, far] as const
    pairs.add(pair)
    const end = (): void => {
      near.destroy()
      far.destroy()
      pairs.delete(pair)
    }
    for (const [from, to] of [[near, far], [far, near]] as const) {
      from.setNoDelay(true)
      from.on('data', (bytes) => to.write(bytes))
      from.on('error', end)
      from.on('close', end)
      if (isHeld) from.pause()
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const reset = (): void => {
    for (const [near, far] of pairs) {
      near.resetAndDestroy()
      far.destroy()
    }
    pairs.clear()
  }
  return {
    port: (server.address() as AddressInfo).port,
    cut: reset,
    hold(held) {
      isHeld = held
      for (const pair of pairs) for (const socket of pair) if (held) socket.pause(); else socket.resume()
    },
    async close() {
      reset()
      server.close()
      await once(server, 'close')
    },
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
