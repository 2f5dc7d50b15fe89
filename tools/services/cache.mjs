/** The cache folder: one directory per name-version-platform, made beside and then renamed, under one lock. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cacheDir } from '../lib/repo.mjs'
import { isAlive } from './procfs.mjs'

export const servicesCache = path.join(cacheDir, 'services')
const platform = `${process.platform}-${process.arch}`

/** Runs `work` while no other process of this cache does. The lock of a dead process is taken over. */
export async function withLock(name, work, { waitMs = 15 * 60_000 } = {}) {
  mkdirSync(servicesCache, { recursive: true })
  const file = path.join(servicesCache, `${name}.lock`)
  const deadline = Date.now() + waitMs
  for (;;) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' })
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    const holder = Number(readOrEmpty(file))
    if (holder > 0 && !isAlive({ pid: holder })) rmSync(file, { force: true })
    else if (Date.now() > deadline) throw new Error(`${file} is held by process ${holder}`)
    else await sleep(100)
  }
  try {
    return await work()
  } finally {
    rmSync(file, { force: true })
  }
}

const readOrEmpty = (file) => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** The cached directory of `name`, filled by `fill(directory)` if it is not there yet. */
export async function cached(name, fill) {
  const target = path.join(servicesCache, `${name}-${platform}`)
  if (existsSync(target)) return target
  return await withLock(name, async () => {
    if (existsSync(target)) return target
    const fresh = `${target}.${process.pid}.tmp`
    rmSync(fresh, { recursive: true, force: true })
    mkdirSync(fresh, { recursive: true })
    try {
      await fill(fresh)
      renameSync(fresh, target)
    } finally {
      rmSync(fresh, { recursive: true, force: true })
    }
    return target
  })
}
