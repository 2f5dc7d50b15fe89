/** A line of TCP that a test can cut: what goes through it is reset, or disappears without a word. */
import { connect, createServer, type Socket } from 'node:net'

export interface Link {
  /** `host:port` of the near end. */
  readonly address: string
  /** `reset`: connections end at once; `silence`: they stay, and nothing comes through. New ones fare alike. */
  cut(how: 'reset' | 'silence'): void
  /** What was silent ends; new connections pass. */
  mend(): void
  close(): Promise<void>
}

export async function openLink(target: string): Promise<Link> {
  const [host = '', port = ''] = target.split(':')
  const sockets = new Set<Socket>()
  let state: 'open' | 'reset' | 'silence' = 'open'
  const server = createServer((near) => {
    sockets.add(near)
    near.on('error', () => undefined)
    near.on('close', () => sockets.delete(near))
    if (state === 'reset') near.resetAndDestroy()
    if (state !== 'open') return
    const far = connect(Number(port), host)
    sockets.add(far)
    far.on('error', () => near.destroy())
    near.on('error', () => far.destroy())
    far.on('close', () => {
      sockets.delete(far)
      near.destroy()
    })
    near.on('close', () => far.destroy())
    near.pipe(far)
    far.pipe(near)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const at = server.address()
  if (at === null || typeof at === 'string') throw new Error('no port')
  const reset = (): void => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  return {
    address: `127.0.0.1:${at.port}`,
    cut(how) {
      state = how
      if (how === 'reset') return reset()
      for (const socket of sockets) socket.unpipe().pause()
    },
    mend() {
      state = 'open'
      reset()
    },
    async close() {
      reset()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const link = await openLink('127.0.0.1:1')
  await link.close()
  return Number(link.address.split(':')[1])
}
