import { readFileSync } from 'node:fs'
import { defineConfig } from 'tsup'

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as { exports: Record<string, unknown> }

/** Every subpath of `exports` is one entry: `./memory` is `src/memory.ts`. */
const names = Object.keys(manifest.exports)
  .filter((key) => key !== './package.json')
  .map((key) => (key === '.' ? 'index' : key.slice(2)))

export default defineConfig({
  entry: { ...Object.fromEntries(names.map((name) => [name, `src/${name}.ts`])), bin: 'src/bin.ts' },
  format: ['esm'],
  target: 'es2023',
  platform: 'node',
  dts: true,
  sourcemap: true,
  clean: true,
  splitting: true,
})
