import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const cwd = fileURLToPath(new URL('..', import.meta.url))

it('draws every node while the graph runs, and all rows arrive', async () => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['main.mjs'], { cwd, timeout: 55_000, killSignal: 'SIGKILL' })
  expect(stderr).toBe('')
  const frames = stdout.split('\n\n').filter((frame) => frame.includes('■ store'))
  expect(frames.length).toBeGreaterThan(1)
  for (const frame of frames) expect(frame.split('\n').slice(0, 6).map((line) => line.split(/ +/)[1])).toEqual(['orders', 'clicks', 'filter', 'enrich', 'join', 'store'])
  expect(frames.at(-1)).toContain(' 400 done    0 skipped  0 running     0 ms behind')
  expect(stdout).toMatch(/^ok: 4680 rows stored, \d+ frames drawn; at most \d+ messages waited for the store$/m)
})
