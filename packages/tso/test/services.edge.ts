/** Servers and ports of the tests. */
import { createServer } from 'node:net'

export const ring = process.env['TIMETICK_RING'] ?? 'default'

/** `undefined`, said aloud, where there is no such server; with REQUIRE_SERVICES=1 that is a failure. */
export function serverUrl(kind: 'etcd' | 'redis'): string | undefined {
  const variable = `TIMETICK_${kind.toUpperCase()}_URL`
  const url = process.env[variable]
  if (url !== undefined) return url
  if (process.env['REQUIRE_SERVICES'] === '1') throw new Error(`REQUIRE_SERVICES=1, but there is no ${variable}`)
  console.warn(`the tests on ${kind} are left out: there is no ${variable}`)
  return undefined
}

/** Ports that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(servers.map((server) => new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })))
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
