import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const cwd = fileURLToPath(new URL('..', import.meta.url))
/** Rejects when the story fails its own assertions, or does not end. */
const run = (...args: string[]) => promisify(execFile)(process.execPath, ['main.mjs', ...args], { cwd, timeout: 25_000, killSignal: 'SIGKILL' })

it('each probe answers its own question', async () => {
  const { stdout, stderr } = await run()
  expect(stderr).toBe('')
  expect(stdout).toMatch(/^the cache still loads: 503 503 200 \(cache has not started\)$/m)
  expect(stdout).toMatch(/^the database is away: no traffic, no restart: 200 503 200 \(database says no\)$/m)
  expect(stdout).toMatch(/^restarting cache \(silent\)$/m)
  expect(stdout).toMatch(/^it hangs and does not start again: .*: 200 503 503 /m)
  expect(stdout).toMatch(/^timetick_watchdog_.*restarts.*cache.* [1-9]$/m)
  expect(stdout).toMatch(/^ok$/m)
})
