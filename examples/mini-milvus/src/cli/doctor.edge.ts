/** `mini-milvus doctor`: whether this machine can run the node, before it is tried. Changes nothing. */
import { access, constants, statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, resolve } from 'node:path'
import type { GlobalParamsTable } from '@timetick/paramtable'
import { readRun } from '../node/data-folder.edge.ts'
import { storeChoices } from '../node/store-parameters.ts'

export interface Finding {
  readonly name: string
  readonly state: 'ok' | 'warn' | 'fail'
  readonly detail: string
}

const MIN_FREE_BYTES = 1024 ** 3
const OLDEST_NODE = [20, 19] as const
const YEAR_2024_MS = 1_704_067_200_000

export async function examine(parameters: GlobalParamsTable): Promise<Finding[]> {
  const host = parameters.getString('proxy.host')
  return [
    nodeVersion(process.versions.node),
    await port('port of gRPC and REST', host, parameters.getInt('proxy.port')),
    await port('port of metrics', host, parameters.getInt('metrics.port')),
    ...(!storeChoices(parameters).usesFolder ? [] : await dataFolder(parameters.getString('localStorage.path'))),
    await driver('lmdb', 'metadata cannot be kept on disk without it', () => import('lmdb')),
    await driver('usearch', 'searches scan without it', () => import('usearch'), 'warn'),
    clock(Date.now()),
  ]
}

export function doctorText(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ name }) => name.length))
  return findings.map(({ name, state, detail }) => `${state.padEnd(4)}  ${name.padEnd(width)}  ${detail}`).join('\n')
}

function nodeVersion(text: string): Finding {
  const [major = 0, minor = 0] = text.split('.').map(Number)
  const isOld = major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])
  if (isOld) return { name: 'Node', state: 'fail', detail: `${text}; 20.19 or newer is needed` }
  return major < 22 ? { name: 'Node', state: 'warn', detail: `${text} works, but gets no fixes any more: 24 is better` } : { name: 'Node', state: 'ok', detail: text }
}

async function port(name: string, host: string, wanted: number): Promise<Finding> {
  if (wanted === 0) return { name, state: 'ok', detail: 'any free one' }
  const server = createServer()
  const failure = await new Promise<NodeJS.ErrnoException | undefined>((done) => {
    server.once('error', done)
    server.listen({ host, port: wanted, exclusive: true }, () => done(undefined))
  })
  if (failure === undefined) {
    await new Promise((done) => server.close(done))
    return { name, state: 'ok', detail: `${host}:${wanted} is free` }
  }
  return { name, state: 'fail', detail: failure.code === 'EADDRINUSE' ? `${wanted} is in use` : `${host}:${wanted}: ${failure.message}` }
}

async function dataFolder(path: string): Promise<Finding[]> {
  const folder = resolve(path)
  const existing = await nearest(folder)
  const mayWrite = await access(existing, constants.W_OK | constants.X_OK).then(() => true, () => false)
  const findings: Finding[] = [{ name: 'data folder', state: mayWrite ? 'ok' : 'fail', detail: mayWrite ? (existing === folder ? folder : `${folder} will be made`) : `no right to write in ${existing}` }]
  const { bavail, bsize } = await statfs(existing)
  const free = bavail * bsize
  findings.push({ name: 'space', state: free < MIN_FREE_BYTES ? 'warn' : 'ok', detail: `${(free / 1024 ** 3).toFixed(1)} GB free` })
  const run = await readRun(folder)
  if (run !== undefined) findings.push({ name: 'last run', state: 'warn', detail: `process ${run.pid} on ${run.host} uses it since ${run.since}, or ended without stopping` })
  return findings
}

/** The folder, or the nearest above it that is there. */
async function nearest(folder: string): Promise<string> {
  for (let path = folder; ; path = dirname(path)) {
    if (await access(path).then(() => true, () => false)) return path
    if (path === dirname(path)) return path
  }
}

async function driver(name: string, meaning: string, load: () => Promise<unknown>, otherwise: 'warn' | 'fail' = 'fail'): Promise<Finding> {
  try {
    await load()
    return { name, state: 'ok', detail: 'loads' }
  } catch (error) {
    return { name, state: otherwise, detail: `does not load (${meaning}): ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)}` }
  }
}

function clock(now: number): Finding {
  return now < YEAR_2024_MS ? { name: 'clock', state: 'fail', detail: `${new Date(now).toISOString()} is in the past: timestamps are made from it` } : { name: 'clock', state: 'ok', detail: new Date(now).toISOString() }
}
