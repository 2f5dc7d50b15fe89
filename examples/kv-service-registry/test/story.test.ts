import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const cwd = fileURLToPath(new URL('..', import.meta.url))
/** Rejects when the story fails its own assertions, or does not end. */
const run = (...args: string[]) => promisify(execFile)(process.execPath, ['main.mjs', ...args], { cwd, timeout: 50_000, killSignal: 'SIGKILL' })

for (const [name, url] of [['memory', undefined], ['etcd', process.env['TIMETICK_ETCD_URL']], ['Redis', process.env['TIMETICK_REDIS_URL']]] as const) {
  const isMissing = name !== 'memory' && url === undefined
  if (isMissing && process.env['REQUIRE_SERVICES'] === '1') throw new Error(`REQUIRE_SERVICES=1, but there is no ${name}`)
  it.skipIf(isMissing)(`whoever leaves or dies is gone, and who sleeps through its lease is fenced: ${name}`, async () => {
    const { stdout, stderr } = await run(...(url === undefined ? [] : [url]))
    expect(stderr).toBe('')
    expect(stdout).toContain('a left in good order: gone at once\n')
    expect(stdout).toContain('b died: gone when its lease had ended\n')
    expect(stdout).toContain('b woke up and was fenced; c wrote\n')
    expect(stdout).toMatch(/^ok$/m)
  })
}
