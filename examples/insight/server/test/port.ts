/**
 * A port for a server that goes and comes back. Not of those that a system gives to whoever asks for any: between the two lives
 * another server, or the client's own connection, could be given it.
 */
import { createServer } from 'node:net'

export async function portOfItsOwn(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = 20_000 + Math.floor(Math.random() * 10_000)
    if (await isFree(port)) return port
  }
  throw new Error('no port in 20000..29999 is free')
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
