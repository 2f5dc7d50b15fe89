import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const cwd = fileURLToPath(new URL('..', import.meta.url))
/** Rejects when the story fails its own assertions, or does not end. */
const run = (...args: string[]) => promisify(execFile)(process.execPath, ['main.mjs', ...args], { cwd, timeout: 55_000, killSignal: 'SIGKILL' })

const variables: Record<string, string | undefined> = {
  memory: undefined, file: undefined, redis: 'TIMETICK_REDIS_URL', kafka: 'TIMETICK_KAFKA_URL', pulsar: 'TIMETICK_PULSAR_WEB_URL',
}

/** A server that is not there is said, and with REQUIRE_SERVICES=1 it is a failure. */
function isThere(backend: string): boolean {
  const variable = variables[backend]
  if (variable === undefined || process.env[variable] !== undefined) return true
  if (process.env['REQUIRE_SERVICES'] === '1') throw new Error(`REQUIRE_SERVICES=1, but there is no ${variable}`)
  console.warn(`the story on ${backend} is left out: there is no ${variable}`)
  return false
}

it.each(Object.keys(variables).filter(isThere))('the same program on %s', async (backend) => {
  const url = process.env[variables[backend] ?? '']
  const { stdout } = await run(`--backend=${backend}`, ...(url === undefined ? [] : [`--url=${url}`]))
  expect(stdout).toContain(`backend ${backend}\n`)
  expect(stdout).toContain('  all together: 900 readings in 6 packs\n')
  expect(stdout).toContain('ok: 150 sums, the same from three workers as from one reader\n')
}, 60_000)

it('refuses a backend that it does not know', async () => {
  await expect(run('--backend=paper')).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('expected --backend=memory, file, redis, kafka, pulsar, got paper') })
})
