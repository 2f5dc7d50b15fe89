/** Servers of the tests: there when the environment names one; a test may start its own, to kill it. */
export interface Service {
  readonly url: string
  stop(): Promise<void>
  kill(): Promise<void>
  restart(): Promise<unknown>
}

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

/** An own server; whoever starts it stops it. */
export async function ownService(name: ServiceName, options: object = {}): Promise<Service> {
  const path = new URL('../../../tools/services/index.mjs', import.meta.url).href
  const { startService } = await import(path) as { startService(name: string, options: object): Promise<Service> }
  return startService(name, options)
}

/** The server that all test files share. */
export function serviceUrl(name: ServiceName): string {
  return urls[name] ?? ''
}

/** `default`, `ci` or `soak`. */
export const ring = process.env['TIMETICK_RING'] ?? 'default'

/** One number for each ring. */
export function byRing(normal: number, ci: number, soak: number): number {
  return ring === 'soak' ? soak : ring === 'ci' ? ci : normal
}
