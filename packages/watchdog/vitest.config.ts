import { defineConfig } from 'vitest/config'

// More files at once than cores: they mostly wait, for leases to end and for processes to start.
export default defineConfig({ test: { include: ['test/**/*.test.ts'], testTimeout: 30_000, expect: { poll: { timeout: 15_000 } }, maxWorkers: 3 } })
