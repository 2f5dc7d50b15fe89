import { readFileSync } from 'node:fs'
import { defineConfig } from 'tsup'

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as { exports: Record<string, unknown> }

/** Every subpath of `exports` is one entry: `./memory` is `src/memory.ts`. */
const names = Object.keys(manifest.exports)
  .filter((key) => key !== './package.json')
  .map((key) => (key === '.' ? 'index' : key.slice(2)))

export default defineConfig({
  entry: Object.fromEntries(names.map((name) => [name, `src/${name}.ts`])),
  format: ['esm'],
  target: 'es2023',
  platform: 'node',
  // Declarations name AsyncDisposable: consumers may compile with an older lib.
  dts: { banner: '/// <reference lib="esnext.disposable" />' },
  sourcemap: true,
  clean: true,
  splitting: true,
})
