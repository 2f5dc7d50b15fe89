/**
 * Lets the end-to-end tests run unchanged on a cluster of processes: TIMETICK_E2E=cluster:<stores>, where stores is the key of a
 * combination of test/stores/settings.ts, or a name of it. A test's node is then a proxy of a cluster, each time the other one. With
 * TIMETICK_E2E_WARNINGS=1 what the processes had to say is shown when they stop.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { ClusterRole } from '../../src/cluster/membership.ts'
import type { MiniMilvus, MiniMilvusOptions } from '../../src/index.ts'
import { type RunningProgram, startProcess } from '../e2e/program-process.ts'
import { combinations, newClusterName } from '../stores/settings.ts'

/** Each line a process. Both have 2 proxies, 2 coordinators, 2 data nodes and 3 query nodes, and no proxy beside what it writes to. */
const LAYOUTS: Readonly<Record<string, readonly (readonly ClusterRole[])[]>> = {
  nine: [['coordinator'], ['coordinator'], ['data'], ['data'], ['query'], ['query'], ['query'], ['proxy'], ['proxy']],
  five: [['coordinator', 'data'], ['coordinator', 'data'], ['query'], ['proxy', 'query'], ['proxy', 'query']],
}
const layout = LAYOUTS[process.env['TIMETICK_E2E_LAYOUT'] ?? 'nine'] ?? []
if (layout.length === 0) throw new Error(`expected TIMETICK_E2E_LAYOUT to be one of ${Object.keys(LAYOUTS).join(', ')}`)

const wanted = process.env['TIMETICK_E2E'] ?? ''
const chosen = combinations.find(({ key }) => wanted === `cluster:${key}`)
if (wanted.startsWith('cluster:') && chosen === undefined) throw new Error(`TIMETICK_E2E=${wanted}: expected cluster: and one of ${combinations.map(({ key }) => key).join(', ')}`)

export const isOnCluster = chosen !== undefined

/** Long enough for processes that share two cores with others. */
const COMMON = { 'cluster.secret': 'of-the-test', 'cluster.leaseTtl': '4s', 'engine.threads': '1', 'stores.openTimeout': '2m' }
/** A cluster that was told to stop and has not by then hangs. */
const STOP_MS = 60_000

let starts = 0

/** A test that failed may have left its cluster running. */
const alive = new Set<RunningProgram['child']>()
const endAll = (): void => alive.forEach((child) => void child.kill('SIGKILL'))
process.once('exit', endAll)
// How the runner ends one that does not end by itself; no `exit` follows.
process.once('SIGTERM', () => {
  endAll()
  process.kill(process.pid, 'SIGTERM')
})

interface Running {
  readonly programs: readonly RunningProgram[]
  readonly proxy: RunningProgram
  stop(signal: NodeJS.Signals): Promise<number | null>
}

async function startAll(parameters: Readonly<Record<string, string>>, flags: readonly string[]): Promise<Running> {
  const given = [...flags, ...Object.entries(parameters).flatMap(([key, value]) => ['--set', `${key}=${value}`])]
  const started = await Promise.allSettled(layout.map((roles) => startProcess([...roles.flatMap((role) => ['--role', role]), ...given])))
  const programs = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  for (const { child } of programs) alive.add(child)
  const stop = async (signal: NodeJS.Signals): Promise<number | null> => {
    const timer = setTimeout(() => programs.forEach(({ child }) => child.kill('SIGKILL')), STOP_MS)
    const codes = await Promise.all(programs.map((program) => program.stop(signal)))
    clearTimeout(timer)
    for (const { child } of programs) alive.delete(child)
    if (process.env['TIMETICK_E2E_WARNINGS'] === '1') programs.forEach((program, index) => console.log(`${layout[index]?.join('+')}: ${program.errors()}`))
    const bad = codes.findIndex((code) => code !== 0)
    if (signal === 'SIGTERM' && bad >= 0) throw new Error(`the ${layout[bad]?.join(', ')} ended with ${codes[bad]}: ${programs[bad]?.errors().slice(-2000)}`)
    return signal === 'SIGTERM' ? 0 : null
  }
  const failed = started.find((one) => one.status === 'rejected')
  if (failed !== undefined) {
    await stop('SIGKILL')
    throw failed.reason
  }
  const proxies = programs.filter((_, index) => layout[index]?.includes('proxy'))
  return { programs, proxy: proxies[(starts += 1) % proxies.length] as RunningProgram, stop }
}

function parametersOf(clusterName: string, folder: string, more: MiniMilvusOptions['parameters'] = {}): Record<string, string> {
  if (chosen === undefined) throw new Error('TIMETICK_E2E names no cluster')
  const texts = Object.fromEntries(Object.entries(more).map(([key, value]) => [key, String(value)]))
  return { ...chosen.parameters(clusterName, folder), ...COMMON, ...texts }
}

/** A cluster in place of a node in this process. What only a node in this process has, throws. */
export async function startChosenNode({ dataDir, parameters }: MiniMilvusOptions): Promise<MiniMilvus> {
  const folder = dataDir ?? (await mkdtemp(join(tmpdir(), 'timetick-cluster-')))
  const running = await startAll(parametersOf(dataDir === undefined ? newClusterName() : nameOf(dataDir), folder, parameters), [])
  const { address, metricsAddress } = running.proxy.ready
  const [host = '', port = ''] = address.split(':')
  let closing: Promise<void> | undefined
  const close = (): Promise<void> =>
    (closing ??= running.stop('SIGTERM').then(async () => {
      if (dataDir === undefined) await rm(folder, { recursive: true, force: true })
    }))
  const absent = (name: string): never => {
    throw new Error(`a test asks for \`${name}\` of a node in this process; on a cluster there is none`)
  }
  return {
    address, host, port: Number(port), metricsAddress, dataDir: undefined, close, [Symbol.asyncDispose]: close,
    get parameters() {
      return absent('parameters')
    },
    get watchdog() {
      return absent('watchdog')
    },
    get catalog() {
      return absent('catalog')
    },
  }
}

/** A cluster in place of a program with a data folder: the folder stands for it, also when it is started again. */
export async function startChosenProgram(flags: readonly string[]): Promise<RunningProgram> {
  const at = flags.indexOf('--data-dir')
  const folder = flags[at + 1] ?? ''
  const running = await startAll(parametersOf(nameOf(folder), folder), [...flags.slice(0, at), ...flags.slice(at + 2)])
  const { proxy, programs } = running
  return {
    ...proxy,
    child: {
      pid: proxy.child.pid,
      kill: (signal) => programs.every(({ child }) => child.kill(signal)),
    },
    errors: () => programs.map((program) => program.errors()).join(''),
    stop: (signal = 'SIGTERM') => running.stop(signal),
  }
}

function nameOf(folder: string): string {
  return basename(folder).replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(-32)
}
