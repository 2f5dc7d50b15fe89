/**
 * Adds to package-lock.json what npm leaves out when a registry has no binary for some other platform: `npm ci` refuses a lock file in which an optional
 * dependency has no entry, on every platform. Run it after `npm install` changed the lock file; `--check` only tells.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { repoRoot } from './lib/repo.mjs'

const SYSTEMS = { android: 'android', darwin: 'darwin', freebsd: 'freebsd', netbsd: 'netbsd', openbsd: 'openbsd', linux: 'linux', openharmony: 'openharmony', win32: 'win32', windows: 'win32', sunos: 'sunos', aix: 'aix' }
const PROCESSORS = { x64: 'x64', 64: 'x64', arm64: 'arm64', arm: 'arm', ia32: 'ia32', ppc64: 'ppc64', riscv64: 'riscv64', s390x: 's390x', loong64: 'loong64', wasm32: 'wasm32' }

/** The platform that a binary package's name tells: `@x/y-linux-arm64-musl`. */
export function platformOf(name) {
  const words = name.split(/[/@_-]/)
  const os = words.map((word) => SYSTEMS[word]).find(Boolean)
  const cpu = words.map((word) => PROCESSORS[word]).findLast(Boolean)
  const libc = words.some((word) => word.startsWith('musl')) ? 'musl' : words.some((word) => word.startsWith('gnu')) && os === 'linux' ? 'glibc' : undefined
  if (cpu === undefined || (os === undefined && cpu !== 'wasm32')) return undefined
  return { cpu: [cpu], ...(libc === undefined ? {} : { libc: [libc] }), ...(os === undefined ? {} : { os: [os] }) }
}

/** Whether `name` resolves from the package at `from`, as node does. */
function isThere(packages, from, name) {
  for (let at = from; ; ) {
    if (`${at === '' ? '' : `${at}/`}node_modules/${name}` in packages) return true
    if (at === '') return false
    const up = at.lastIndexOf('/node_modules/')
    at = up < 0 ? '' : at.slice(0, up)
  }
}

/** Entries that are missing: `{ path: entry }`; throws where the name tells no platform. */
export function missingEntries({ packages }) {
  const missing = {}
  for (const [from, entry] of Object.entries(packages)) {
    for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
      if (isThere(packages, from, name) || isThere(missing, from, name)) continue
      const platform = platformOf(name)
      if (platform === undefined || !/^\d+\.\d+\.\d+/.test(range)) throw new Error(`${from || 'the root'} wants ${name}@${range}, which is not in the lock file`)
      missing[`node_modules/${name}`] = { version: range, ...platform, ...(entry.dev ? { dev: true } : {}), optional: true }
    }
  }
  return missing
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const file = path.join(repoRoot, 'package-lock.json')
  const lock = JSON.parse(readFileSync(file, 'utf8'))
  const missing = missingEntries(lock)
  const names = Object.keys(missing)
  if (names.length > 0 && !process.argv.includes('--check')) {
    const all = { ...lock.packages, ...missing }
    lock.packages = Object.fromEntries(Object.keys(all).sort((a, b) => a.localeCompare(b, 'en')).map((name) => [name, all[name]]))
    writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
  }
  console.log(`${names.length} entries ${process.argv.includes('--check') ? 'missing' : 'added'}`)
  process.exitCode = names.length > 0 && process.argv.includes('--check') ? 1 : 0
}
