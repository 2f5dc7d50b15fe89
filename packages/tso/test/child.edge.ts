import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { build } from 'esbuild'

/** Bundles a fixture, so that a plain Node can run it. */
export async function bundleFixture(name: string, folder: string): Promise<string> {
  const outfile = join(import.meta.dirname, '..', 'node_modules', '.fixtures', folder, `${name}.mjs`)
  await build({
    entryPoints: [join(import.meta.dirname, 'fixtures', `${name}.ts`)],
    bundle: true, platform: 'node', format: 'esm', target: 'node20', packages: 'external', outfile, logLevel: 'error',
  })
  return outfile
}

export interface Child {
  readonly process: ChildProcess
  /** Lines of its output so far. */
  readonly lines: string[]
  /** Resolves once a line starts so; rejects when the process ends first. */
  line(start: string, count?: number): Promise<void>
  readonly exited: Promise<void>
}

export function startChild(file: string, args: readonly string[]): Child {
  const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const lines: string[] = []
  const errors: string[] = []
  const checks = new Set<() => void>()
  createInterface({ input: child.stdout }).on('line', (text) => {
    lines.push(text)
    for (const check of checks) check()
  })
  child.stderr.on('data', (text) => errors.push(String(text)))
  const exited = new Promise<void>((resolve) => {
    child.once('close', () => resolve())
  })
  const line = (start: string, count = 1): Promise<void> => new Promise((resolve, reject) => {
    const check = (): void => {
      if (lines.filter((text) => text.startsWith(start)).length < count) return
      checks.delete(check)
      resolve()
    }
    checks.add(check)
    check()
    void exited.then(() => reject(new Error(`the child has ended: ${errors.join('')}`)))
  })
  return { process: child, lines, line, exited }
}
