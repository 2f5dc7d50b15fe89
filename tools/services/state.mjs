/** What `services up` started: a file with pid and start time of each, so that `down` never ends a stranger. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { servicesCache } from './cache.mjs'
import { isAlive } from './procfs.mjs'

const file = path.join(servicesCache, 'state.json')

export function readState() {
  if (!existsSync(file)) return {}
  return JSON.parse(readFileSync(file, 'utf8'))
}

export function writeState(state) {
  mkdirSync(servicesCache, { recursive: true })
  const fresh = `${file}.${process.pid}`
  writeFileSync(fresh, JSON.stringify(state, null, 2))
  renameSync(fresh, file)
}

/** Ends one recorded process: TERM, wait, KILL, then its folder. */
export async function endRecorded(entry, { graceMs = 10_000 } = {}) {
  const deadline = Date.now() + graceMs
  if (isAlive(entry)) process.kill(entry.pid, 'SIGTERM')
  while (isAlive(entry)) {
    if (Date.now() > deadline) process.kill(entry.pid, 'SIGKILL')
    await sleep(20)
  }
  rmSync(entry.dir, { recursive: true, force: true, maxRetries: 3 })
}
