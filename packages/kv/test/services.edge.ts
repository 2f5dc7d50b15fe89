/** Servers of the tests: started when the environment says that there are some. */
import { type Service, startService } from '@timetick/tools/services'
import { afterAll } from 'vitest'

export type { Service }
export type ServiceName = 'etcd' | 'redis'

const urls: Readonly<Record<ServiceName, string | undefined>> = {
  etcd: process.env['TIMETICK_ETCD_URL'],
  redis: process.env['TIMETICK_REDIS_URL'],
}

/** False, said aloud, where there is no such server; with REQUIRE_SERVICES=1 that is a failure. */
export function hasService(name: ServiceName): boolean {
  if (urls[name] !== undefined) return true
  if (process.env['REQUIRE_SERVICES'] === '1') throw new Error(`REQUIRE_SERVICES=1, but there is no TIMETICK_${name.toUpperCase()}_URL`)
  console.warn(`the tests on ${name} are left out: there is no TIMETICK_${name.toUpperCase()}_URL`)
  return false
}

/** An own server, which a test may kill, ended after the file. Options as of tools/services. */
export async function ownService(name: ServiceName, options: object = {}): Promise<Service> {
  const service = await startService(name, options)
  afterAll(() => service.stop())
  return service
}

export const ring = process.env['TIMETICK_RING'] ?? 'default'

/** The server that all test files share. */
export function serviceUrl(name: ServiceName): string {
  return urls[name] ?? 'redis://127.0.0.1:1'
}
