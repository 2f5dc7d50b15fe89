/** The page's files, read once from the folder that was built. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Asset, Assets } from './front.ts'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
}

/** Made when the page was built: the same file, smaller. */
const ENCODED = /\.(br|gz)$/

const readIfThere = (file: string): Uint8Array | undefined => (existsSync(file) ? readFileSync(file) : undefined)

/** Undefined where there is no built page. Only files that were there at the start are served, so no path leads out. */
export function readAssets(folder: string): Assets | undefined {
  if (!existsSync(path.join(folder, 'index.html'))) return undefined
  const files = new Map<string, Asset>()
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || ENCODED.test(entry.name)) continue
    const file = path.join(entry.parentPath, entry.name)
    const name = path.relative(folder, file).split(path.sep).join('/')
    files.set(name, { body: readFileSync(file), type: TYPES[path.extname(name)] ?? 'application/octet-stream', isImmutable: name.startsWith('assets/'), br: readIfThere(`${file}.br`), gzip: readIfThere(`${file}.gz`) })
  }
  return (name) => files.get(name === '' ? 'index.html' : name)
}

/** Beside the built server: `dist/web`. */
export function builtAssets(): Assets | undefined {
  return readAssets(fileURLToPath(new URL('./web', import.meta.url)))
}
