import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const cwd = fileURLToPath(new URL('..', import.meta.url))
/** Rejects when the story fails its own assertions, or does not end. */
const run = (...args: string[]) => promisify(execFile)(process.execPath, ['main.mjs', ...args], { cwd, timeout: 25_000, killSignal: 'SIGKILL' })

it('two services see the same changes, and no increment is lost', async () => {
  const { stdout, stderr } = await run()
  expect(stderr).toBe('')
  for (const service of ['proxy', 'indexer']) {
    expect(stdout).toContain(`${service}: starts with db.host=db-1 db.port=5432 log=info\n`)
    expect(stdout).toContain(`${service}: now db.host=db-2 db.port=6432 shutdown=yes\n`)
  }
  expect(stdout).toMatch(/^counter: 200 after 2 x 100 increments/m)
  expect(stdout).toMatch(/^ok$/m)
})
