/** Servers of the tests: there when the environment names them. */
export type ServiceName = 'redis' | 'kafka' | 'pulsar' | 'pulsar_web'

/** The server's address; `undefined`, said aloud, where there is none. With REQUIRE_SERVICES=1 that is a failure. */
export function serviceUrl(name: ServiceName): string | undefined {
  const variable = `TIMETICK_${name.toUpperCase()}_URL`
  const url = process.env[variable]
  if (url !== undefined) return url
  if (process.env['REQUIRE_SERVICES'] === '1') throw new Error(`REQUIRE_SERVICES=1, but there is no ${variable}`)
  console.warn(`the tests on ${name} are left out: there is no ${variable}`)
  return undefined
}

export const runId = `${process.pid.toString(36)}${Date.now().toString(36)}`

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
