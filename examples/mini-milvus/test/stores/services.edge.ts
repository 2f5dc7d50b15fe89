/** Servers that the tests of stores share, where the environment names them. */
export type ServiceName = 'etcd' | 'redis' | 'kafka' | 'pulsar' | 's3'

const variables: Readonly<Record<ServiceName, string>> = {
  etcd: 'TIMETICK_ETCD_URL',
  redis: 'TIMETICK_REDIS_URL',
  kafka: 'TIMETICK_KAFKA_URL',
  pulsar: 'TIMETICK_PULSAR_WEB_URL',
  s3: 'TIMETICK_S3_URL',
}

export const ring = process.env['TIMETICK_RING'] ?? 'default'

/** False, said aloud, where one of them is not there; with REQUIRE_SERVICES=1 that is a failure. */
export function hasServices(...names: readonly ServiceName[]): boolean {
  const missing = names.filter((name) => process.env[variables[name]] === undefined)
  if (missing.length === 0) return true
  if (process.env['REQUIRE_SERVICES'] === '1') throw new Error(`REQUIRE_SERVICES=1, but there is no ${missing.join(', ')}`)
  console.warn(`tests on ${names.join(', ')} are left out: there is no ${missing.join(', ')}`)
  return false
}

/** The URL of a server; an address where nobody listens where it is not there. */
export function serviceUrl(name: ServiceName): string {
  return process.env[variables[name]] ?? 'http://127.0.0.1:1'
}

/** `host:port` of a server. */
export function serviceAddress(name: ServiceName): string {
  return serviceUrl(name).replace(/^[a-z]+:\/\//, '').replace(/\/.*$/, '')
}

/** Part of names in servers that outlive a run. */
export const runId = `${process.pid.toString(36)}${Date.now().toString(36)}`

export const s3Keys = { id: process.env['TIMETICK_S3_ACCESS_KEY'] ?? '', secret: process.env['TIMETICK_S3_SECRET_KEY'] ?? '' }
