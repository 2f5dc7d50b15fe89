/** A cluster whose processes can be killed, paused and cut off from their stores and from each other, on servers of its own. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ClusterRole } from '../../src/cluster/membership.ts'
import { type RunningProgram, startProcess } from '../e2e/program-process.ts'
import { freePort, type Link, openLink } from './link.ts'

export interface OwnService {
  readonly url: string
  readonly env: Readonly<Record<string, string>>
  stop(): Promise<void>
  restart(): Promise<unknown>
}

const STARTS = 10

/** As an orchestrator does: a process that could not reach its stores is started again. */
async function startWhenPossible(flags: readonly string[]): Promise<RunningProgram> {
  for (let left = STARTS; ; left--) {
    try {
      return await startProcess(flags)
    } catch (error) {
      if (left === 1 || !(error instanceof Error && error.message.startsWith('the node ended with 6'))) throw error
    }
  }
}

/** Whoever starts it stops it. */
export async function ownService(name: string, options: object = {}): Promise<OwnService> {
  const path = new URL('../../../../tools/services/index.mjs', import.meta.url).href
  const { startService } = (await import(path)) as { startService(name: string, options: object): Promise<OwnService> }
  return startService(name, options)
}

export interface StormStores {
  readonly services: ReadonlyMap<string, OwnService>
  /** `host:port` of servers that can be cut off, by the parameter that names them. */
  readonly addresses: Readonly<Record<string, string>>
  readonly parameters: Readonly<Record<string, string>>
}

export const STORM_KINDS = ['redis', 'etcd+kafka+s3', 'etcd+pulsar+s3'] as const

/** Kafka and Pulsar cannot be cut off: the one tells its clients where it is, the other is named by a URL. */
export async function openStormStores(kind: (typeof STORM_KINDS)[number], folder: string): Promise<StormStores> {
  const addressOf = ({ url }: OwnService): string => url.replace(/^[a-z]+:\/\//, '')
  if (kind === 'redis') {
    const redis = await ownService('redis', { args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
    const parameters = { 'metastore.type': 'redis', 'mq.type': 'redis', 'storage.type': 'shared', 'sharedStorage.path': join(folder, 'shared') }
    return { services: new Map([['redis', redis]]), addresses: { 'redis.address': addressOf(redis) }, parameters }
  }
  const log = kind === 'etcd+kafka+s3' ? 'kafka' : 'pulsar'
  const [etcd, broker, s3] = await Promise.all([ownService('etcd'), ownService(log), ownService('s3')])
  const parameters = {
    'metastore.type': 'etcd', 'mq.type': log, 'storage.type': 's3', ...(log === 'kafka' ? { 'kafka.brokerList': addressOf(broker) } : { 'pulsar.webaddress': broker.env['TIMETICK_PULSAR_WEB_URL'] ?? '' }),
    'minio.accessKeyID': s3.env['TIMETICK_S3_ACCESS_KEY'] ?? '', 'minio.secretAccessKey': s3.env['TIMETICK_S3_SECRET_KEY'] ?? '', 'minio.bucketName': 'storm',
  }
  return { services: new Map([['etcd', etcd], [log, broker], ['s3', s3]]), addresses: { 'etcd.endpoints': addressOf(etcd), 'minio.address': addressOf(s3) }, parameters }
}

export class StormProcess {
  readonly roles: readonly ClusterRole[]
  readonly name: string
  readonly #flags: readonly string[]
  /** To its stores, and from others to it. */
  readonly #links: readonly Link[]
  #program: RunningProgram
  /** Something was done to it that has not ended. */
  isTroubled = false

  private constructor(name: string, roles: readonly ClusterRole[], flags: readonly string[], links: readonly Link[], program: RunningProgram) {
    this.name = name
    this.roles = roles
    this.#flags = flags
    this.#links = links
    this.#program = program
  }

  static async start(name: string, roles: readonly ClusterRole[], { addresses, parameters }: StormStores, more: Readonly<Record<string, string>>): Promise<StormProcess> {
    const port = await freePort()
    const inbound = await openLink(`127.0.0.1:${port}`)
    const links: Link[] = [inbound]
    const all: Record<string, string> = { ...parameters, ...more, 'cluster.internalPort': String(port), 'cluster.advertiseAddress': inbound.address }
    for (const [key, address] of Object.entries(addresses)) {
      const link = await openLink(address)
      links.push(link)
      all[key] = link.address
    }
    const flags = [...roles.flatMap((role) => ['--role', role]), ...Object.entries(all).flatMap(([key, value]) => ['--set', `${key}=${value}`])]
    return new StormProcess(name, roles, flags, links, await startWhenPossible(flags))
  }

  /** Of gRPC, where it is a proxy. */
  get address(): string {
    return this.#program.address
  }

  get pid(): number | undefined {
    return this.#program.child.pid
  }

  get errors(): string {
    return this.#program.errors()
  }

  async kill(): Promise<void> {
    await this.#program.stop('SIGKILL')
  }

  async again(): Promise<void> {
    this.#program = await startWhenPossible(this.#flags)
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#program.child.kill(name)
  }

  cut(how: 'reset' | 'silence'): void {
    for (const link of this.#links) link.cut(how)
  }

  mend(): void {
    for (const link of this.#links) link.mend()
  }

  /** Resolves with the exit code. */
  async close(): Promise<number | null> {
    const timer = setTimeout(() => this.#program.child.kill('SIGKILL'), 30_000)
    const code = await this.#program.stop('SIGTERM')
    clearTimeout(timer)
    for (const link of this.#links) await link.close()
    return code
  }
}

export async function newStormFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'mini-milvus-storm-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}
