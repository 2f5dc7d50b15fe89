import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const cwd = fileURLToPath(new URL('..', import.meta.url))

it('causes come before effects by hybrid timestamps, and not by wall clocks', async () => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['main.mjs'], { cwd, timeout: 55_000, killSignal: 'SIGKILL' })
  expect(stderr).toBe('')
  expect(stdout).toMatch(/^120 letters: by wall clocks [1-9]\d* arrived before they were sent, by hybrid timestamps 0$/m)
  expect(stdout).toMatch(/^a letter from an hour ahead is refused: a timestamp far ahead of the clock/m)
  expect(stdout).toMatch(/^ok: /m)
})
