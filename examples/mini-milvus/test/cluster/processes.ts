/** The built program as a cluster of processes, on servers that others share under other names. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { ClusterRole } from '../../src/cluster/membership.ts'
import { type RunningProgram, startProcess } from '../e2e/program-process.ts'

export interface ClusterProcess {
  readonly roles: readonly ClusterRole[]
  program: RunningProgram
}

export interface RunningCluster {
  readonly processes: readonly ClusterProcess[]
  /** Addresses of the proxies that were started. */
  addresses(): string[]
  /** kill -9, and another in its place. */
  replace(process: ClusterProcess): Promise<void>
  /** One more, with parameters of its own. */
  add(roles: readonly ClusterRole[], settings?: Readonly<Record<string, string>>): Promise<ClusterProcess>
  close(): Promise<void>
}

let clusters = 0

/** @param redis URL of the server that holds metadata and log; segments lie in a folder that all see */
export async function startCluster(redis: string, layout: readonly (readonly ClusterRole[])[], settings: Readonly<Record<string, string>> = {}): Promise<RunningCluster> {
  const folder = await mkdtemp(path.join(tmpdir(), 'mini-milvus-cluster-'))
  const { host } = new URL(redis)
  const parameters: Record<string, string> = {
    'metastore.type': 'redis', 'mq.type': 'redis', 'storage.type': 'shared', 'redis.address': host, 'sharedStorage.path': folder,
    'cluster.name': `test-${process.pid}-${(clusters += 1)}`, 'cluster.secret': 'of-the-test', 'cluster.leaseTtl': '4s', 'rootCoord.dmlChannelNum': '4', 'engine.threads': '1',
    ...settings,
  }
  const start = (roles: readonly ClusterRole[], own: Readonly<Record<string, string>> = {}): Promise<RunningProgram> =>
    startProcess([...roles.flatMap((role) => ['--role', role]), ...Object.entries({ ...parameters, ...own }).flatMap(([key, value]) => ['--set', `${key}=${value}`])])
  const started = await Promise.allSettled(layout.map(async (roles): Promise<ClusterProcess> => ({ roles, program: await start(roles) })))
  const processes = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const close = async (): Promise<void> => {
    await Promise.all(processes.map(({ program }) => program.stop('SIGKILL')))
    await rm(folder, { recursive: true, force: true })
  }
  const failed = started.find((one) => one.status === 'rejected')
  if (failed !== undefined) {
    await close()
    throw failed.reason
  }
  return {
    processes,
    addresses: () => processes.filter(({ roles }) => roles.includes('proxy')).map(({ program }) => program.address),
    async add(roles, own) {
      const one: ClusterProcess = { roles, program: await start(roles, own) }
      processes.push(one)
      return one
    },
    async replace(one) {
      await one.program.stop('SIGKILL')
      one.program = await start(one.roles)
    },
    close,
  }
}

/** The first answer that is one, asked for again where it fails. */
export async function until<T>(what: string, run: () => Promise<T | undefined>, { timeoutMs = 90_000, everyMs = 200 } = {}): Promise<T> {
  const end = Date.now() + timeoutMs
  for (let last: unknown; ; ) {
    try {
      const found = await run()
      if (found !== undefined) return found
    } catch (error) {
      last = error
    }
    if (Date.now() > end) throw new Error(`${what} did not come`, { cause: last })
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}
