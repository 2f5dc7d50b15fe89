/** `npm run services -- up|status|down|get [names ...] [--json]`: the servers of the tests, by hand. */
import { parseArgs } from 'node:util'
import { withLock } from './cache.mjs'
import { getService, SERVICE_NAMES, startService } from './index.mjs'
import { isAlive } from './procfs.mjs'
import { endRecorded, readState, writeState } from './state.mjs'

const HELP = `Usage: npm run services -- <command> [names ...] [--json]

  up      start services (all by default) on free ports of the loopback; they stay when this command ends
  status  what runs, and where
  down    stop them and remove their data
  get     only fetch them into the cache

Services: ${SERVICE_NAMES.join(', ')}. --json prints { name: { url, ports, pid, env, ms } } or { error }.`

const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } })
const [command, ...names] = positionals
const chosen = names.length > 0 ? names : SERVICE_NAMES
for (const name of chosen) if (!SERVICE_NAMES.includes(name)) usage(`unknown service ${name}`)

function usage(problem) {
  console.error(problem === undefined ? HELP : `${problem}\n\n${HELP}`)
  process.exit(problem === undefined ? 0 : 2)
}

async function upOne(name, state) {
  const before = state[name]
  if (before !== undefined && isAlive(before)) return { ...before, ms: 0 }
  const begin = Date.now()
  try {
    const { url, ports, pid, env, dir, startTime } = await startService(name, { detached: true })
    return { url, ports, pid, startTime, env, dir, ms: Date.now() - begin }
  } catch (error) {
    return { error: error.message }
  }
}

async function up() {
  return await withLock('state', async () => {
    const state = readState()
    const result = {}
    await Promise.all(chosen.map(async (name) => {
      const entry = (result[name] = await upOne(name, state))
      if (entry.pid !== undefined) state[name] = entry
      writeState(state)
    }))
    if (Object.values(result).some((entry) => entry.error !== undefined)) process.exitCode = 1
    return result
  })
}

function status() {
  const state = readState()
  return Object.fromEntries(chosen.map((name) => [name, state[name] !== undefined && isAlive(state[name]) ? state[name] : { error: 'not running' }]))
}

async function down() {
  return await withLock('state', async () => {
    const state = readState()
    const result = {}
    await Promise.all(chosen.filter((name) => state[name] !== undefined).map(async (name) => {
      const begin = Date.now()
      await endRecorded(state[name])
      delete state[name]
      result[name] = { stopped: true, ms: Date.now() - begin }
    }))
    writeState(state)
    return result
  })
}

async function get() {
  const result = {}
  for (const name of chosen) {
    const begin = Date.now()
    try {
      await getService(name)
      result[name] = { cached: true, ms: Date.now() - begin }
    } catch (error) {
      result[name] = { error: error.message }
      process.exitCode = 1
    }
  }
  return result
}

const commands = { up, status, down, get }
if (values.help || command === undefined) usage()
if (!Object.hasOwn(commands, command)) usage(`unknown command ${command}`)
const result = await commands[command]()
if (values.json) console.log(JSON.stringify(result, null, 2))
else {
  for (const [name, { error, url, ms, pid, stopped, cached }] of Object.entries(result)) {
    const text = error ?? [url, pid === undefined ? undefined : `pid ${pid}`, stopped ? 'stopped' : undefined, cached ? 'in the cache' : undefined, ms === undefined ? undefined : `${ms} ms`].filter(Boolean).join('  ')
    console.log(`${name.padEnd(8)}${text}`)
  }
}
process.exit()
