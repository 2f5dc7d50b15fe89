/** Debian packages, unpacked without installing: no service is enabled, no root needed. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { run, which } from '../run.mjs'

let updated = false

/** Downloads `packages` and unpacks them into `directory`. */
export async function aptUnpack(packages, directory) {
  if (which('apt-get') === undefined || which('dpkg-deb') === undefined) throw new Error('apt-get and dpkg-deb are not there')
  const debs = path.join(directory, '.debs')
  mkdirSync(debs)
  const download = () => run('apt-get', ['download', '-q', ...packages], { cwd: debs, timeoutMs: 120_000 })
  try {
    await download()
  } catch (error) {
    if (updated || process.getuid?.() !== 0) throw error
    updated = true
    await run('apt-get', ['update', '-q'], { timeoutMs: 120_000 })
    await download()
  }
  for (const deb of readdirSync(debs)) await run('dpkg-deb', ['-x', path.join(debs, deb), directory])
  rmSync(debs, { recursive: true })
}

/** The folders of shared libraries in an unpacked tree, for LD_LIBRARY_PATH. */
export function libraryPath(directory) {
  const base = path.join(directory, 'usr/lib')
  try {
    return readdirSync(base).filter((name) => name.includes('-linux-')).map((name) => path.join(base, name)).join(':')
  } catch {
    return ''
  }
}
