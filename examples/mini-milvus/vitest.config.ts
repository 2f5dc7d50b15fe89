import { configDefaults, defineConfig } from 'vitest/config'

/** What takes longest, and has a shorter test beside it: left out of the ring that everybody runs, `npm test`; CI runs it. */
const long = [
  'test/bulk/formats.test.ts',
  'test/e2e/bulk-program.test.ts',
  'test/e2e/full-text.test.ts',
  'test/e2e/import-kinds.test.ts',
  'test/node/data-path-model.test.ts',
  'test/sim/stage-bugs.test.ts',
]

/** They put bugs in place of modules, which only a process of their own can. */
const mocking = ['test/cluster/bugs.test.ts', 'test/sim/query-node-bugs.test.ts']

const leftOut = (process.env['TIMETICK_RING'] ?? 'ci') === 'default' ? long : []

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Tests wait more than they compute, for a flush or a process that starts: three processes keep two processors busy.
    maxWorkers: 3,
    projects: [
      // Loading all modules anew for each file would take longer than many of the tests.
      { extends: true, test: { name: 'shared', include: ['test/**/*.test.ts'], exclude: [...configDefaults.exclude, ...leftOut, ...mocking], isolate: false } },
      { extends: true, test: { name: 'mocking', include: mocking } },
    ],
  },
})
