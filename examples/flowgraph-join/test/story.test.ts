import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const cwd = fileURLToPath(new URL('..', import.meta.url))
/** Rejects when the story fails its own assertions, or does not end. */
const run = (...args: string[]) => promisify(execFile)(process.execPath, ['main.mjs', ...args], { cwd, timeout: 25_000, killSignal: 'SIGKILL' })

it('joins by time, whichever stream is faster', async () => {
  const { stdout, stderr } = await run()
  expect(stderr).toBe('')
  expect(stdout).toMatch(/^flowchart LR\n/)
  expect(stdout).toContain('minute 1: ship 101\nminute 3: ship 103\nminute 4: remind 102\nminute 7: ship 104\n')
  expect(stdout).toContain('ok: the same, whichever stream is faster\n')
})
