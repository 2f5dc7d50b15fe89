import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const cwd = fileURLToPath(new URL('..', import.meta.url))
/** Rejects when the story fails its own assertions, or does not end. */
const run = (...args: string[]) => promisify(execFile)(process.execPath, ['main.mjs', ...args], { cwd, timeout: 25_000, killSignal: 'SIGKILL' })

it('no id and no timestamp repeats over a kill', async () => {
  const { stdout, stderr } = await run()
  expect(stderr).toBe('')
  expect(stdout).toMatch(/^first process, killed in the middle:\n  \d+ rows/m)
  expect(stdout).toMatch(/^second process, on the same folder:\n  2000 rows/m)
  expect(stdout).toMatch(/^ok: \d+ different ids, \d+ different timestamps$/m)
})
