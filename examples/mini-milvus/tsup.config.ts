import { defineConfig } from 'tsup'

export default defineConfig({
  entry: { index: 'src/index.ts', otel: 'src/otel.ts', cli: 'src/cli.ts', 'engine-worker': 'src/engine/worker.ts', 'import-worker': 'src/bulk/worker.ts' },
  format: ['esm'],
  target: 'es2023',
  platform: 'node',
  dts: { entry: { index: 'src/index.ts', otel: 'src/otel.ts' } },
  sourcemap: true,
  clean: true,
  // Private to this repository, so it is part of the program.
  noExternal: ['timetick-insight'],
  splitting: true,
})
