/** Dependencies: are they there, and if not, get them. Needs nothing but Node and npm. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { repoRoot } from './repo.mjs'

const parse = (file) => JSON.parse(readFileSync(file, 'utf8'))

/**
 * Why an install is needed, or undefined. npm writes what it installed to `node_modules/.package-lock.json`; where that is older
 * than the lock file (a checkout, say) the two are compared entry by entry.
 */
export function installReason(root = repoRoot) {
  const lock = path.join(root, 'package-lock.json')
  const installed = path.join(root, 'node_modules/.package-lock.json')
  if (!existsSync(installed)) return 'node_modules is missing'
  if (!existsSync(lock)) return undefined
  if (statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return undefined
  const wanted = parse(lock).packages ?? {}
  const present = parse(installed).packages ?? {}
  for (const [name, entry] of Object.entries(wanted)) {
    if (!name.includes('node_modules/') || entry.optional || entry.devOptional || entry.peer) continue
    const have = present[name]
    if (have === undefined || have.version !== entry.version || have.resolved !== entry.resolved) return `${name} in node_modules is not the one of package-lock.json`
  }
  return undefined
}

/** Runs npm with the same npm that runs us, its output on standard error. Gives the exit code. */
export function runNpm(args, { cwd = repoRoot, env = process.env, quiet = false } = {}) {
  const own = process.env.npm_execpath
  const viaNode = own !== undefined && /\.c?js$/.test(own)
  const result = spawnSync(viaNode ? process.execPath : 'npm', viaNode ? [own, ...args] : args, {
    cwd, env, stdio: ['ignore', quiet ? 'ignore' : 2, 2], shell: !viaNode && process.platform === 'win32',
  })
  return result.status ?? 1
}

/** Installs if needed; throws with what to do when it cannot. */
export function ensureInstalled() {
  const reason = installReason()
  if (reason === undefined) return false
  console.error(`Installing dependencies (${reason}) ...`)
  const flags = ['--no-audit', '--no-fund', '--loglevel=error']
  if (runNpm(['ci', ...flags]) === 0) return true
  console.error('npm ci failed, trying npm install ...')
  if (runNpm(['install', ...flags]) === 0) return true
  throw new Error('The dependencies could not be installed: see the messages of npm above. A network or a filled npm cache is needed once.')
}
