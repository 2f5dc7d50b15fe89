/** Servers and ports of the tests. */
import { createServer } from 'node:net'

const etcd = process.env['TIMETICK_ETCD_URL']

export const ring = process.env['TIMETICK_RING'] ?? 'default'

/** False, said aloud, where there is no etcd; with REQUIRE_SERVICES=1 that is a failure. */
export function hasEtcd(): boolean {
  if (etcd !== undefined) return true
  if (process.env['REQUIRE_SERVICES'] === '1') throw new Error('REQUIRE_SERVICES=1, but there is no TIMETICK_ETCD_URL')
  console.warn('the tests on etcd are left out: there is no TIMETICK_ETCD_URL')
  return false
}

export function etcdUrl(): string {
  return etcd ?? ''
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
