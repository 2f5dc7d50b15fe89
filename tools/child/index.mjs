/** Node processes for tests that kill them: a fixture in TypeScript, bundled, with its output line by line. */
import { spawn } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { build } from 'esbuild'

/**
 * Bundles `<testDir>/fixtures/<name>.ts`, so that a plain Node can run it.
 * @param folder keeps the files of test files that run at the same time apart.
 */
export async function bundleFixture(testDir, name, folder) {
  const outfile = path.join(testDir, '..', 'node_modules', '.fixtures', folder, `${name}.mjs`)
  await build({
    entryPoints: [path.join(testDir, 'fixtures', `${name}.ts`)],
    bundle: true, platform: 'node', format: 'esm', target: 'node20', packages: 'external', outfile, logLevel: 'error',
  })
  return outfile
}

/** Starts `node file ...args`. `options.env` adds to the environment; `options.command` stands before `node`, as `['strace', '-f']`. */
export function startChild(file, args, { env = {}, command = [] } = {}) {
  const [program, ...rest] = [...command, process.execPath, file, ...args]
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  const lines = []
  const errors = []
  const checks = new Set()
  createInterface({ input: child.stdout }).on('line', (text) => {
    lines.push(text)
    for (const check of checks) check()
  })
  child.stderr.on('data', (text) => errors.push(String(text)))
  const exited = new Promise((resolve) => {
    child.once('close', () => resolve())
  })
  const line = (start, count = 1) => new Promise((resolve, reject) => {
    const check = () => {
      if (lines.filter((text) => text.startsWith(start)).length < count) return
      checks.delete(check)
      resolve()
    }
    checks.add(check)
    check()
    void exited.then(() => reject(new Error(`the child has ended: ${errors.join('')}`)))
  })
  return { process: child, lines, errors, line, exited }
}
