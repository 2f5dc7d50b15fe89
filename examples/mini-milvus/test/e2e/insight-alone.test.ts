/** The program alone, against a real node with users behind TLS: who it trusts, and what it says where it is not let in. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startMiniMilvus, type MiniMilvus } from '../../src/index.ts'
import { makeCertificates } from '../server/certificates.edge.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const program = path.join(path.dirname(fileURLToPath(import.meta.resolve('timetick-insight/package.json'))), 'dist/cli.js')
const folder = mkdtempSync(path.join(tmpdir(), 'insight-alone-'))
const { ca, cert, key } = makeCertificates(folder, 'node')
const cleanups: (() => unknown)[] = []
let node: MiniMilvus
beforeAll(async () => {
  node = await startMiniMilvus({ inMemory: true, port: 0, parameters: { 'tls.mode': 1, 'tls.serverPemPath': cert, 'tls.serverKeyPath': key, 'authorization.enabled': true } })
  const client = new MilvusClient({ address: node.address, username: 'root', password: 'Milvus', ssl: true, tls: { rootCertPath: ca, serverName: 'localhost' }, logLevel: 'error' })
  await client.connectPromise
  await client.createCollection({ collection_name: 'guarded', dimension: 4 })
  await client.closeConnection()
})
afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  await node?.close()
  rmSync(folder, { recursive: true, force: true })
})

async function run(args: readonly string[]) {
  const child = spawn(process.execPath, [program, '--port', '0', '--interval', '250', '--timeout', '3000', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  cleanups.push(async () => (child.kill('SIGTERM'), ended))
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const address = () => /http:\/\/([^/]+)\//.exec(said)?.[1]
  await expect.poll(address, { timeout: 90_000 }).toBeDefined()
  const get = async (at: string) => (await (await fetch(`http://${address()}/insight/v1/clusters/${at}`)).json()) as { state: string; error: string | null; rows: { name: string }[] }
  // Somebody has to look before it connects.
  const status = async (id: string) => (await get(`${id}/collections`), get(id))
  return { get, status, said: () => said }
}

test('D1 a cluster behind TLS, with its authority and a user: live, with its collections', async () => {
  const { get, status } = await run(['--cluster', `far=https://${node.address}`, '--milvus-ca', ca, '--milvus-token', 'root:Milvus'])
  await expect.poll(() => status('far'), { timeout: 60_000 }).toMatchObject({ state: 'live', error: null })
  await expect.poll(async () => (await get('far/collections')).rows.map(({ name }) => name)).toEqual(['guarded'])
})

test.each([
  ['a wrong password', () => ['--milvus-ca', ca, '--milvus-token', 'root:wrong'], /auth|password|credential/i],
  ['no user', () => ['--milvus-ca', ca], /auth|password|credential/i],
  ['an authority that it does not know', () => ['--milvus-token', 'root:Milvus'], /certificate|issuer|UNAVAILABLE|not answer|connect/i],
])('D1 with %s it is stale and says why, shows nothing, and tells no secret', async (_what, args, why) => {
  const { get, status, said } = await run(['--cluster', `far=https://${node.address}`, ...args()])
  await expect.poll(async () => (await status('far')).error, { timeout: 60_000 }).toMatch(why)
  const { state, error } = await status('far')
  expect(state).toBe('stale')
  expect((await get('far/collections')).rows).toEqual([])
  expect(`${error} ${said()}`).not.toMatch(/root:|wrong$/)
})
