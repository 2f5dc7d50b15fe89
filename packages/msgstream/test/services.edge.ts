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

export const now = (): number => performance.now()

/** A server of this test's own, to be killed. */
export interface Broker {
  readonly url: string
  readonly env: Readonly<Record<string, string>>
  kill(): Promise<void>
  restart(): Promise<void>
  stop(): Promise<void>
}

interface Services {
  startService(name: string, options: object): Promise<Broker>
}

/** `undefined`, said aloud, where it cannot be had; with REQUIRE_SERVICES=1 that is a failure. */
export async function startBroker(name: string, options: object): Promise<Broker | undefined> {
  const services = '@timetick/tools/services'
  try {
    return await ((await import(services)) as Services).startService(name, options)
  } catch (error) {
    if (process.env['REQUIRE_SERVICES'] === '1') throw error
    console.warn(`the storm on ${name} is left out: ${String(error)}`)
    return undefined
  }
}
