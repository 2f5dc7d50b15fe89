/** Free ports in 20000-29999 on the loopback: below the ephemeral range, so that no client's socket takes them meanwhile. */
import net from 'node:net'

const given = new Set()

const probe = (port) =>
  new Promise((resolve) => {
    const server = net.createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })

/** `count` different free ports. Another process may take one between probe and use: then start again with others. */
export async function freePorts(count) {
  const ports = []
  for (let attempt = 0; ports.length < count; attempt += 1) {
    if (attempt > 2000) throw new Error('no free port between 20000 and 29999')
    const port = 20_000 + Math.floor(Math.random() * 10_000)
    if (given.has(port) || !(await probe(port))) continue
    given.add(port)
    ports.push(port)
  }
  return ports
}
export const releasePorts = (ports) => ports.forEach((port) => given.delete(port))
