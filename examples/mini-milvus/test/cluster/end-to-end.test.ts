/** The node's end-to-end tests, unchanged, against a cluster of processes: 2 proxies, 2 coordinators, 2 data nodes, 3 query nodes. */
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { hasServices, ring } from '../stores/services.edge.ts'
import { combinations } from '../stores/settings.ts'

const IN_PROCESS = 'starts a node inside the test’s process and looks into it'
const PAGE = 'starts a node inside the test’s process; insight.test.ts and insight-source.test.ts are those of a cluster'

/** Those that cannot run there by their nature, each with the reason. */
const ALONE: Readonly<Record<string, string>> = {
  authorization: IN_PROCESS,
  'bulk-program': 'lays files for its imports into the folder of a standalone node',
  damage: 'damages files in the folder of a standalone node',
  'damaged-blocks': 'damages files in the folder of a standalone node',
  insight: PAGE,
  'insight-alone': PAGE,
  'insight-facts': PAGE,
  'insight-node': PAGE,
  'insight-query-nodes': PAGE,
  'insight-rights': PAGE,
  program: 'the folder of a standalone node: its lock, its format, its exit codes',
  'query-nodes': 'several query nodes in one process, by `queryNode.count`',
  'resource-groups': 'counts on a single query node; admin-processes.test.ts moves those of a cluster',
  'rest-docs': IN_PROCESS,
  secrets: IN_PROCESS,
  'scalar-index': 'looks for files in the folder of a standalone node, and damages them',
  'side-by-side': 'several nodes in memory in one process',
  'steady-memory': 'measures the memory of a node in the test’s process',
  'tls-node': IN_PROCESS,
}

const FEW = ['catalog', 'consistency', 'deletes', 'errors', 'quick-start', 'rest']
const root = fileURLToPath(new URL('../..', import.meta.url))
const present = readdirSync(`${root}/test/e2e`).flatMap((name) => (name.endsWith('.test.ts') ? [name.slice(0, -'.test.ts'.length)] : []))
const all = present.filter((name) => ALONE[name] === undefined)
const vitest = createRequire(import.meta.url).resolve('vitest/package.json').replace(/package\.json$/, 'vitest.mjs')

/** One file after the other, in one process: each starts clusters of its own. */
function run(key: string, files: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }> {
  return new Promise((resolve) => {
    // Without a ring each is as short as by default, and none is left out.
    const { TIMETICK_RING: _, ...inherited } = process.env
    const env = { ...inherited, TIMETICK_E2E: `cluster:${key}`, TIMETICK_E2E_LAYOUT: ring === 'soak' ? 'nine' : 'five', NO_COLOR: '1' }
    const args = [vitest, 'run', '--testTimeout=180000', '--hookTimeout=240000', '--no-file-parallelism', '--no-isolate', ...files]
    const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.once('close', (code) => resolve({ code, output }))
  })
}

describe('end-to-end tests on a cluster', () => {
  it('are all but those that are named, and those are there', () => {
    expect(Object.keys(ALONE).filter((name) => !present.includes(name))).toEqual([])
    expect(FEW.filter((name) => !all.includes(name))).toEqual([])
    expect(all.length).toBeGreaterThan(20)
  })
})

// In CI a few stand for all, on the quickest servers.
const chosen = combinations.filter(({ key }) => ring === 'soak' || (ring === 'ci' && key === 'redis'))

describe.each(chosen)('a cluster on $name', ({ key, services }) => {
  it.skipIf(!hasServices(...services))('passes the end-to-end tests', { timeout: 7_200_000 }, async () => {
    const files = ring === 'soak' ? all : FEW
    const { code, output } = await run(key, files.map((file) => `test/e2e/${file}.test.ts`))
    expect(code, `${output.slice(-8000)}`).toBe(0)
    expect(output).toContain(`Test Files  ${files.length} passed`)
  })
})
