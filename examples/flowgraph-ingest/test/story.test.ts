import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const cwd = fileURLToPath(new URL('..', import.meta.url))

it('every document is in the index once, over a crash', async () => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['main.mjs'], { cwd, timeout: 55_000, killSignal: 'SIGKILL' })
  expect(stderr).toBe('')
  expect(stdout).toMatch(/^150 documents read, then a crash; went on behind the 100 of the checkpoint, 240 in the end$/m)
  expect(stdout).toMatch(/^ok: 4 segments and 40 open rows, each document once$/m)
})
