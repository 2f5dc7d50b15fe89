/** Servers of the tests: there when the environment names one. */
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

/** The server that all test files share. */
export function serviceUrl(name: ServiceName): string {
  return urls[name] ?? ''
}
