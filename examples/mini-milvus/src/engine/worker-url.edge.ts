import { createHash, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

interface Bundler {
  build(options: object): Promise<{ outputFiles: { contents: Uint8Array }[] }>
}

/** Programs of threads: their sources, and their names in the built package. */
const programs = {
  engine: { entry: './worker.ts', built: 'engine-worker' },
  import: { entry: '../bulk/worker.ts', built: 'import-worker' },
} as const

const bundled = new Map<keyof typeof programs, Promise<URL>>()

/** The worker's program: beside this file in the built package; bundled on first use when running from TypeScript sources. */
export function resolveWorkerUrl(program: keyof typeof programs = 'engine'): Promise<URL> {
  if (!import.meta.url.endsWith('.ts')) return Promise.resolve(new URL(`./${programs[program].built}.js`, import.meta.url))
  const known = bundled.get(program) ?? bundleWorker(program)
  bundled.set(program, known)
  return known
}

async function bundleWorker(program: keyof typeof programs): Promise<URL> {
  const { entry: source, built } = programs[program]
  // Not a literal: the built package must neither contain nor need it.
  const name = 'esbuild'
  const bundler = (await import(/* @vite-ignore */ name)) as Bundler
  const entry = fileURLToPath(new URL(source, import.meta.url))
  const result = await bundler.build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'es2023',
    packages: 'external',
  })
  const contents = result.outputFiles[0]?.contents ?? new Uint8Array()
  // Inside the package, so that its dependencies are found from there.
  const folder = new URL('../../node_modules/.cache/mini-milvus/', import.meta.url)
  const url = new URL(`${built}-${createHash('sha256').update(contents).digest('hex').slice(0, 16)}.mjs`, folder)
  if (!existsSync(url)) {
    await mkdir(folder, { recursive: true })
    const temporary = new URL(`${url.href}.${randomUUID()}`)
    await writeFile(temporary, contents)
    await rename(temporary, url)
  }
  return url
}
