import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const cwd = fileURLToPath(new URL('..', import.meta.url))
/** Rejects when the story fails its own assertions, or does not end. */
const run = (...args: string[]) => promisify(execFile)(process.execPath, ['main.mjs', ...args], { cwd, timeout: 25_000, killSignal: 'SIGKILL' })

it('one leader after another, and each report once', async () => {
  const { stdout, stderr } = await run()
  expect(stderr).toBe('')
  const first = /^(node-[abc]) is cut off from the store$/m.exec(stdout)?.[1]
  expect(stdout.slice(stdout.indexOf('is cut off'))).toContain(`${first} no longer leads\n`)
  expect(stdout).toMatch(new RegExp(`^ok: ${first} and then node-[abc] sent each report once; refused: report \\d+ by ${first}$`, 'm'))
})
