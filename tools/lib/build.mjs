/** Builds what is not built. A start with everything built must not pay for the build tool, so sources are compared first. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { runNpm } from './install.mjs'
import { repoRoot } from './repo.mjs'

const stampFile = path.join(repoRoot, 'node_modules/.cache/timetick/build.json')
const SKIP = new Set(['generated', 'node_modules', 'dist', 'test', '.turbo'])

function* filesBelow(dir) {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    if (SKIP.has(entry.name)) continue
    const file = path.join(dir, entry.name)
    if (entry.isDirectory()) yield* filesBelow(file)
    else yield file
  }
}

/** Name, size and time of everything that a build of these workspaces reads, as one hash. */
function sourceHash(workspaces) {
  const hash = createHash('sha256')
  const add = (file) => {
    const { size, mtimeMs } = statSync(file)
    hash.update(`${file}\0${size}\0${mtimeMs}\n`)
  }
  add(path.join(repoRoot, 'tsconfig.base.json'))
  for (const { dir } of workspaces) {
    for (const name of ['package.json', 'tsup.config.ts', 'vite.config.ts', 'index.html', 'tsconfig.json']) if (existsSync(path.join(dir, name))) add(path.join(dir, name))
    for (const name of ['src', 'scripts']) if (existsSync(path.join(dir, name))) for (const file of filesBelow(path.join(dir, name))) add(file)
  }
  return hash.digest('hex')
}

/** The files that the exports and programs of a workspace promise. */
export function outputsOf({ dir, manifest }) {
  const files = []
  for (const entry of Object.values(manifest.exports ?? {})) if (typeof entry === 'object' && entry.default) files.push(path.join(dir, entry.default))
  for (const file of Object.values(manifest.bin ?? {})) files.push(path.join(dir, file))
  return files
}

const readStamp = () => {
  try {
    return JSON.parse(readFileSync(stampFile, 'utf8'))
  } catch {
    return {}
  }
}

/** Why a build is needed, or undefined. `key` names the set of workspaces. */
export function buildReason(key, workspaces) {
  for (const workspace of workspaces) {
    for (const file of outputsOf(workspace)) if (!existsSync(file)) return `${path.relative(repoRoot, file)} is missing`
  }
  return readStamp()[key] === sourceHash(workspaces) ? undefined : 'sources have changed'
}

function runTurbo(names) {
  const turbo = path.join(repoRoot, 'node_modules/.bin/turbo')
  const env = { ...process.env, TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1', DO_NOT_TRACK: '1', TURBO_PRINT_VERSION_DISABLED: '1', PATH: `${path.join(repoRoot, 'node_modules/.bin')}${path.delimiter}${process.env.PATH}` }
  const args = ['run', 'build', '--output-logs=errors-only', '--log-prefix=task', '--continue', ...names.map((name) => `--filter=${name}`)]
  return spawnSync(turbo, args, { cwd: repoRoot, env, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' })
}

/** Builds these workspaces (in the order of their dependencies) if anything changed; throws when a build fails. */
export function ensureBuilt(key, workspaces) {
  const reason = buildReason(key, workspaces)
  if (reason === undefined) return false
  console.error(`Building (${reason}) ...`)
  const before = sourceHash(workspaces)
  const run = runTurbo(workspaces.map((w) => w.name))
  if (run.error !== undefined) {
    for (const w of workspaces) if (runNpm(['run', 'build', '-w', w.name]) !== 0) throw new Error(`The build of ${w.name} failed: see above.`)
  } else if (run.status !== 0) throw new Error('The build failed: see above.')
  mkdirSync(path.dirname(stampFile), { recursive: true })
  writeFileSync(stampFile, JSON.stringify({ ...readStamp(), [key]: before }))
  return true
}
