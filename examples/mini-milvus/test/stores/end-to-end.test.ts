/** The node's end-to-end tests, unchanged, on each combination of servers. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { hasServices, ring } from './services.edge.ts'
import { combinations } from './settings.ts'

const FILES = ['quick-start', 'types', 'deletes', 'upserts', 'consistency', 'compaction', 'durability'].map((name) => `test/e2e/${name}.test.ts`)
const root = fileURLToPath(new URL('../..', import.meta.url))

/** A run of vitest of its own: the tests learn from the environment where their nodes keep things. */
function run(storesName: string): Promise<{ readonly code: number | null; readonly output: string }> {
  return new Promise((resolve) => {
    // Its ring: few kills, since each start waits out what the last life may have given as timestamps.
    const env = { ...process.env, TIMETICK_TEST_STORES: storesName, TIMETICK_RING: 'default', NO_COLOR: '1' }
    const child = spawn(process.execPath, [fileURLToPath(import.meta.resolve('vitest/vitest.mjs')), 'run', ...FILES], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.once('close', (code) => resolve({ code, output }))
  })
}

describe.skipIf(ring === 'default').each(combinations)('on $name', ({ name, services }) => {
  it.skipIf(!hasServices(...services))('quick start, types, deletes, upserts, consistency, compaction and kill -9', { timeout: 300_000 }, async () => {
    const { code, output } = await run(name)
    expect(code, `${output.slice(-5000)}`).toBe(0)
  })
})
