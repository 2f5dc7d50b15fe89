import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const cwd = fileURLToPath(new URL('..', import.meta.url))
/** Rejects when the story fails its own assertions, or does not end. */
const run = (...args: string[]) => promisify(execFile)(process.execPath, ['main.mjs', ...args], { cwd, timeout: 25_000, killSignal: 'SIGKILL' })

it.each(['file', 'memory'])('a reader resumes exactly where it was, on %s', async (backend) => {
  const { stdout, stderr } = await run(`--backend=${backend}`)
  expect(stderr).toBe('')
  expect(stdout).toContain(`backend ${backend}; the first reader crashes:\n  80 events read, 60 of them saved\n`)
  expect(stdout).toContain('  140 events read, 140 of them saved\n')
  expect(stdout).toContain('ok: 200 events, each counted once; 20 were read a second time\n')
})

it('refuses a backend that it does not know', async () => {
  await expect(run('--backend=paper')).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('expected --backend=file or memory, got paper') })
})
