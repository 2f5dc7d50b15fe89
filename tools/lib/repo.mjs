/** Where things are in this repository. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const repoRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')
/** Everything that tools fetch or make and that may be deleted at any time. */
export const cacheDir = process.env.TIMETICK_CACHE_DIR ?? path.join(repoRoot, '.cache')

export const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'))

/** Workspaces below `packages` and `examples` (or only some of these areas): `{ dir, name, manifest }`, by directory. */
export function listWorkspaces(areas = ['packages', 'examples', 'examples/insight']) {
  const found = []
  for (const area of areas) {
    const base = path.join(repoRoot, area)
    if (!existsSync(base)) continue
    for (const entry of readdirSync(base).sort()) {
      const dir = path.join(base, entry)
      const file = path.join(dir, 'package.json')
      if (!existsSync(file) || entry === 'node_modules') continue
      const manifest = readJson(file)
      found.push({ dir, path: path.relative(repoRoot, dir), name: manifest.name, manifest })
    }
  }
  return found
}

/** The packages that get published, in the order of their dependencies. */
export function listPackages() {
  const order = ['kv', 'tso', 'msgstream', 'flowgraph', 'watchdog', 'paramtable']
  const rank = (p) => (order.indexOf(path.basename(p.dir)) + 1 || 99)
  return listWorkspaces(['packages']).sort((a, b) => rank(a) - rank(b))
}
