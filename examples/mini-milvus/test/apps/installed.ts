/**
 * The applications of package.json beside this file, in a folder of their own: they are 220 MB of other people's packages, which nobody
 * else needs. Installed once, when TIMETICK_RING or REQUIRE_SERVICES asks for them or TIMETICK_APPS=1; without that, the tests say that
 * they did not run.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'

const here = new URL('./', import.meta.url)
const lock = readFileSync(new URL('package-lock.json', here))
const folder = fileURLToPath(new URL(`../../../../.cache/apps/${createHash('sha256').update(lock).digest('hex').slice(0, 16)}`, here))

function install(): void {
  const next = `${folder}.${process.pid}`
  mkdirSync(next, { recursive: true })
  for (const name of ['package.json', 'package-lock.json']) cpSync(fileURLToPath(new URL(name, here)), `${next}/${name}`)
  try {
    execFileSync('npm', ['ci', '--ignore-scripts', '--legacy-peer-deps', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: next, stdio: 'pipe', timeout: 300_000 })
    // Another test file may have been faster.
    if (!existsSync(folder)) renameSync(next, folder)
  } finally {
    rmSync(next, { recursive: true, force: true })
  }
}

/** Whether the applications are there; where they were asked for, that they cannot be had is a failure. */
export function hasApplications(): boolean {
  if (existsSync(folder)) return true
  const { TIMETICK_RING: ring, REQUIRE_SERVICES: required, TIMETICK_APPS: wanted } = process.env
  const isAsked = ring === 'ci' || ring === 'soak' || required === '1' || wanted === '1'
  if (!isAsked) {
    process.stderr.write('not tested: applications from npm; TIMETICK_APPS=1 installs them\n')
    return false
  }
  install()
  return true
}

/** A module of an installed application. */
export async function applicationModule<T>(name: string): Promise<T> {
  const found = createRequire(`${folder}/package.json`).resolve(name)
  return (await import(/* @vite-ignore */ pathToFileURL(found).href)) as T
}
