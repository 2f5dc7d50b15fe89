import { defineConfig } from 'vitest/config'

export default defineConfig({ test: { include: ['test/**/*.test.ts'], testTimeout: 180_000, expect: { poll: { timeout: 40_000 } }, execArgv: ['--expose-gc'] } })
