/** The world of the program: its process, and modules on disk. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { World } from './run.ts'

export const world: World = {
  environment: process.env,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  async readDeclarations(path) {
    if (path.endsWith('.json')) return JSON.parse(await readFile(path, 'utf8')) as unknown
    const loaded = (await import(pathToFileURL(resolve(path)).href)) as { readonly default?: unknown; readonly declarations?: unknown }
    return loaded.default ?? loaded.declarations
  },
}
