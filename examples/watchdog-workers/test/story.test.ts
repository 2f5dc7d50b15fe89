import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const cwd = fileURLToPath(new URL('..', import.meta.url))
/** Rejects when the story fails its own assertions, or does not end. */
const run = (...args: string[]) => promisify(execFile)(process.execPath, ['main.mjs', ...args], { cwd, timeout: 25_000, killSignal: 'SIGKILL' })

it('a worker that hangs is restarted, and its job is done', async () => {
  const { stdout, stderr } = await run()
  expect(stderr).toBe('')
  const hung = /^fault (worker-\d) \(silent\)$/m.exec(stdout)?.[1]
  expect(stdout).toContain(`restarting ${hung} (silent)\nrestarted ${hung}\n`)
  expect(stdout).toMatch(/\{"id":"worker-\d","status":"healthy","incarnation":0,"seq":1\}/)
  expect(stdout).toMatch(/^ok: 60 jobs done; job 20, over which worker-\d hung, by worker-\d, life \d+$/m)
})
