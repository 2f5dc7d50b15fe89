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

const leftOut = (process.env['TIMETICK_RING'] ?? 'ci') === 'default' ? long : []

export default defineConfig({
  // Tests wait more than they compute, for a flush or a process that starts: three processes keep two processors busy.
  test: { include: ['test/**/*.test.ts'], exclude: [...configDefaults.exclude, ...leftOut], maxWorkers: 3, testTimeout: 30_000, hookTimeout: 60_000, expect: { poll: { timeout: 20_000 } } },
})
