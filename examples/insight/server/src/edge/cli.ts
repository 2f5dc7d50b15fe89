/** Flags, start and stop of the program. */
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { openLmdbKV } from '@timetick/kv/lmdb'
import { createMemoryKV } from '@timetick/kv/memory'
import { normaliseAddress } from '../core/address.ts'
import { createInsight } from '../insight.ts'
import { RemoteSource } from '../source/remote.ts'
import { builtAssets } from './assets.ts'
import { createMilvusApi } from './milvus-client.ts'
import { serveInsight } from './serve.ts'
import { systemClock } from './system.ts'

interface Flags {
  readonly cluster: readonly { readonly id: string; readonly address: string }[]
  readonly host: string
  readonly port: number
  readonly dataDir?: string
  readonly token?: string
  readonly milvusToken?: string
  readonly milvusCa?: string
  readonly timeout: number
  readonly actions: boolean
  readonly allowRemote: boolean
  readonly allowHost: readonly string[]
  readonly allowOrigin: readonly string[]
  readonly basePath: string
  readonly interval: number
}

/** Exit codes: 0 stopped, 2 wrong use, 3 the port is taken, 1 everything else. */
export async function runCli(args: readonly string[], stop: Promise<void> = stopSignal()): Promise<number> {
  const command = commandOf()
  try {
    command.parse([...args], { from: 'user' })
  } catch (error) {
    return (error as { exitCode?: number }).exitCode === 0 ? 0 : 2
  }
  const flags = command.opts<Flags>()
  if (!isLoopback(flags.host) && flags.token === undefined && !flags.allowRemote) {
    console.error(`insight: ${flags.host} can be reached from other machines: give a --token, or --allow-remote if that is meant`)
    return 2
  }
  try {
    return await serve(flags, stop)
  } catch (error) {
    const { code, message } = error as { code?: string; message?: string }
    console.error(`insight: ${code === 'EADDRINUSE' ? `port ${flags.port} is taken: choose another with --port` : (message ?? String(error))}`)
    return code === 'EADDRINUSE' ? 3 : 1
  }
}

async function serve(flags: Flags, stop: Promise<void>): Promise<number> {
  const { dataDir, interval, token } = flags
  if (dataDir !== undefined) mkdirSync(dataDir, { recursive: true })
  const kv = dataDir === undefined ? createMemoryKV() : await openLmdbKV({ path: path.join(dataDir, 'insight') })
  try {
    const insight = createInsight({
      kv,
      clusters: flags.cluster.map(({ id, address }) => ({
        id,
        address,
        source: () => new RemoteSource({ api: createMilvusApi({ address, token: flags.milvusToken, caPath: flags.milvusCa, timeoutMs: flags.timeout }), clock: systemClock, address, intervalMs: interval }),
      })),
      access: { token, hosts: [flags.host, ...flags.allowHost], origins: flags.allowOrigin },
      basePath: flags.basePath,
      actions: flags.actions,
      assets: builtAssets(),
      config: () => ({ host: flags.host, port: flags.port, dataDir: dataDir ?? null, token: token === undefined ? null : '***', milvusToken: flags.milvusToken === undefined ? null : '***', actions: flags.actions, intervalMs: interval, clusters: flags.cluster.map(({ id, address }) => ({ id, address })) }),
      onWarning: (message, error) => console.error(`insight: ${message}: ${error instanceof Error ? error.message : String(error)}`),
    })
    const served = await serveInsight(insight, flags)
    console.log(`insight: http://${served.address}${flags.basePath}/webui/ shows ${flags.cluster.map(({ id, address }) => `${id} (${address})`).join(', ')}`)
    await stop
    await insight.close()
    await served.close()
    return 0
  } finally {
    await kv.close()
  }
}

function commandOf(): Command {
  const list = (value: string, before: readonly string[]): readonly string[] => [...before, value]
  return new Command('timetick-insight')
    .description('Shows what Milvus clusters have and what changes in them, on one page.')
    .addOption(new Option('--cluster <name=address>', 'a cluster to show; may be given several times').argParser(readCluster).default([{ id: 'local', address: '127.0.0.1:19530' }], 'local=127.0.0.1:19530'))
    .option('--host <host>', 'address to listen on', '127.0.0.1')
    .addOption(new Option('--port <port>', 'port to listen on, 0 for a free one').argParser((text) => readInteger(text, 0, 65_535)).default(9092))
    .option('--data-dir <folder>', 'where the cache is kept; without it in memory')
    .addOption(new Option('--token <token>', 'secret that clients must show').env('INSIGHT_TOKEN'))
    .addOption(new Option('--milvus-token <token>', 'user:password or token for the clusters').env('MILVUS_TOKEN'))
    .option('--milvus-ca <file>', 'certificate of who signed those of the clusters; their addresses begin with https://')
    .addOption(new Option('--timeout <ms>', 'how long a cluster may take to answer').argParser((text) => readInteger(text, 100, 600_000)).default(10_000))
    .option('--actions', 'let the page flush, load, release and drop collections', false)
    .option('--allow-remote', 'listen on other than the loopback without a token', false)
    .option('--allow-host <host>', 'another name of this server, as browsers send it', list, [])
    .option('--allow-origin <origin>', 'an origin whose pages may call', list, [])
    .addOption(new Option('--base-path <path>', 'before every path, behind a proxy').argParser(readBasePath).default(''))
    .addOption(new Option('--interval <ms>', 'between two looks at a cluster').argParser((text) => readInteger(text, 250, 3_600_000)).default(5000))
    .exitOverride()
}

function readCluster(text: string, before: unknown): readonly { readonly id: string; readonly address: string }[] {
  const match = /^([A-Za-z0-9_.-]{1,64})=(.+)$/.exec(text)
  if (match?.[1] === undefined || match[2] === undefined) throw new InvalidArgumentError('expected name=address, like dev=127.0.0.1:19530')
  try {
    const one = { id: match[1], address: normaliseAddress(match[2]) }
    // The default gives way to the first that is named.
    const list = before as readonly { readonly id: string; readonly address: string }[]
    return seen.has(list) ? keep([...list, one]) : keep([one])
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
}
const seen = new WeakSet<readonly unknown[]>()
function keep<T extends readonly unknown[]>(list: T): T {
  seen.add(list)
  return list
}

function readInteger(text: string, min: number, max: number): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < min || value > max) throw new InvalidArgumentError(`expected an integer in ${min}..${max}`)
  return value
}

function readBasePath(text: string): string {
  if (text !== '' && !/^(\/[A-Za-z0-9._~-]+)+$/.test(text)) throw new InvalidArgumentError('expected a path like /milvus')
  return text
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
}
