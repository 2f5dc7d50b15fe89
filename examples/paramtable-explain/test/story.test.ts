import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const cwd = fileURLToPath(new URL('..', import.meta.url))
/** Rejects when the story fails its own assertions, or does not end. */
const run = (...args: string[]) => promisify(execFile)(process.execPath, ['main.mjs', ...args], { cwd, timeout: 25_000, killSignal: 'SIGKILL' })

it('explains where a value comes from, and refuses bad ones', async () => {
  const { stdout, stderr } = await run()
  expect(stderr).toBe('')
  expect(stdout).toContain('http.port is 9000 from save()\n    hides 8080 from environment variable SHOP_HTTP_PORT\n    hides 8000 from shop.yaml:3:3\n    hides 80 from default\n')
  expect(stdout).toContain('database.password is ******')
  expect(stdout).not.toContain('hunter2')
  expect(stdout.match(/^  refused: /gm)).toHaveLength(4)
  expect(stdout).toMatch(/^ok$/m)
})
