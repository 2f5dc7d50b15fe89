import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const cwd = fileURLToPath(new URL('..', import.meta.url))

it('three kills of the serving oracle: no timestamp twice, all in order', async () => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['main.mjs'], { cwd, timeout: 55_000, killSignal: 'SIGKILL' })
  expect(stderr).toBe('')
  expect(stdout.match(/^oracle [123] killed, oracle [123] serves$/gm)).toHaveLength(3)
  expect(stdout).toMatch(/^\d+ timestamps, none twice, all in order; the longest wait was \d+ ms$/m)
  expect(stdout).toMatch(/^ok: [4-9] terms, one order$/m)
})
