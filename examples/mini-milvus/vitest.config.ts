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

const exclude = (process.env['TIMETICK_RING'] ?? 'ci') === 'default' ? [...configDefaults.exclude, ...long] : configDefaults.exclude

export default defineConfig({
  // Files share the modules of their process: loading them anew for each took longer than many of the tests.
  test: { include: ['test/**/*.test.ts'], exclude, isolate: false, testTimeout: 30_000, hookTimeout: 60_000 },
})
