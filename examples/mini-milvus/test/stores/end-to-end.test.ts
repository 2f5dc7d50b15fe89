/** The node's end-to-end tests, unchanged, on each combination of servers. */
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { hasServices, ring } from './services.edge.ts'
import { combinations } from './settings.ts'

const FEW = ['quick-start', 'deletes', 'consistency']
const ALL = [...FEW, 'types', 'upserts', 'compaction', 'durability']
const root = fileURLToPath(new URL('../..', import.meta.url))

const vitest = createRequire(import.meta.url).resolve('vitest/package.json').replace(/package\.json$/, 'vitest.mjs')

/** A run of vitest of its own: the tests learn from the environment where their nodes keep things. */
function run(storesName: string, files: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }> {
  return new Promise((resolve) => {
    // Its ring: few kills, since each start waits out what the last life may have given as timestamps.
    const env = { ...process.env, TIMETICK_TEST_STORES: storesName, TIMETICK_RING: 'default', NO_COLOR: '1' }
    const child = spawn(process.execPath, [vitest, 'run', '--testTimeout=120000', ...files], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.once('close', (code) => resolve({ code, output }))
  })
}

describe.skipIf(ring === 'default').each(combinations)('on $name', ({ name, services }) => {
  it.skipIf(!hasServices(...services))('they pass', { timeout: 300_000 }, async () => {
    // Strong reads and starts take longer on brokers: all of it runs there in the soak, and the smoke test kills nodes always.
    const names = services.includes('redis') || ring === 'soak' ? ALL : FEW
    const { code, output } = await run(name, names.map((file) => `test/e2e/${file}.test.ts`))
    expect(code, `${output.slice(-5000)}`).toBe(0)
  })
})
