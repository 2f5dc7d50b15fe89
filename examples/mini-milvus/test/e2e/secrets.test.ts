/** Secrets, names and doors that must not be found where they do not belong (S4, S5, S10, S14, S19, S20). */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type * as grpc from '@grpc/grpc-js'
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterEach, describe, expect, it } from 'vitest'
import { readyFacts, readyText } from '../../src/cli/ready.ts'
import { explainText, listText } from '../../src/cli/settings.ts'
import { startMiniMilvus, type MiniMilvus, type MiniMilvusOptions } from '../../src/index.ts'
import type { NodeLogger } from '../../src/node/logger.ts'
import { basic, callAs } from './call-as.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const encoded = (text: string): string => Buffer.from(text).toString('base64')

function recording(): { logger: NodeLogger; lines: string[] } {
  const lines: string[] = []
  const take = (fields: Readonly<Record<string, unknown>>, message: string): void => {
    const text = Object.values(fields).map((value) => (value instanceof Error ? (value.stack ?? value.message) : String(value)))
    lines.push(JSON.stringify([message, fields, text], (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)))
  }
  return { logger: { debug: take, info: take, warn: take, error: take }, lines }
}

async function start(options: MiniMilvusOptions): Promise<MiniMilvus> {
  const node = await startMiniMilvus({ port: 0, ...options })
  cleanups.push(() => node.close())
  return node
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'mini-milvus-secrets-'))
  cleanups.push(() => rmSync(path, { recursive: true, force: true }))
  return path
}

function filesBelow(path: string): string[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) => statSync(join(path, name), { throwIfNoEntry: false })?.isFile() === true)
}

describe('secrets', () => {
  it('S19: are in no log, error, metric, setting, answer or file', async () => {
    const canaries = ['canary-of-root-1', 'canary-of-ann-22', 'canary-newer-333', 'canary-wrong-4444', 'canary-token-55555']
    const [rootPassword = '', annPassword = '', newer = '', wrong = '', token = ''] = canaries
    const { logger, lines } = recording()
    const dataDir = folder()
    const node = await start({ dataDir, logger, metricsPort: 0, parameters: { 'authorization.enabled': true, 'authorization.rootPassword': rootPassword, 'log.level': 'debug' } })
    const said: string[] = [readyText(readyFacts(node, 'v', 1), false), listText(node.parameters), explainText(node.parameters, 'authorization.rootPassword')]
    const callers = [basic('root', rootPassword), basic('ann', wrong), encoded(token), basic('ann', annPassword)].map((header) => callAs(node.address, header))
    cleanups.push(() => callers.forEach((caller) => caller.close()))
    const [root, impostor, keyed, ann] = callers
    const say = async (answer: Promise<unknown> | undefined): Promise<void> => {
      const outcome = await answer?.catch((error: grpc.ServiceError) => ({ code: error.code, details: error.details, stack: error.stack }))
      said.push(JSON.stringify(outcome, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)))
    }
    await say(root?.call('CreateCredential', { username: 'ann', password: encoded(annPassword) }))
    await say(root?.call('CreateCredential', { username: 'ann', password: encoded(annPassword) }))
    await say(root?.call('CreateCredential', { username: 'bob', password: encoded(`${wrong.slice(0, 3)}`) }))
    await say(impostor?.call('GetVersion'))
    await say(keyed?.call('GetVersion'))
    await say(ann?.call('UpdateCredential', { username: 'ann', oldPassword: encoded(wrong), newPassword: encoded(newer) }))
    await say(ann?.call('UpdateCredential', { username: 'ann', oldPassword: encoded(annPassword), newPassword: encoded(newer) }))
    await say(ann?.call('CreateDatabase', { db_name: 'x' }))
    await say(root?.call('BackupRBAC'))
    await say(root?.call('SelectUser', { include_role_info: true }))
    for (const header of [`Bearer ann:${wrong}`, `Bearer ${token}`, `Bearer root:${rootPassword}`]) {
      const response = await fetch(`http://${node.address}/v2/vectordb/users/list`, { method: 'POST', body: '{', headers: { authorization: header } })
      said.push(await response.text(), JSON.stringify([...response.headers]))
    }
    for (const path of ['/metrics', '/healthz', '/config', '/']) said.push(await (await fetch(`http://${node.metricsAddress}${path}`)).text())
    await node.close()
    const files = filesBelow(dataDir).map((name) => readFileSync(join(dataDir, name)).toString('latin1'))
    for (const canary of canaries)
      for (const form of [canary, encoded(canary), encoded(`ann:${canary}`), encoded(`root:${canary}`), Buffer.from(canary).toString('hex')]) {
        expect(said.filter((text) => text.includes(form))).toEqual([])
        expect(lines.filter((line) => line.includes(form))).toEqual([])
        expect(files.filter((text) => text.includes(form)).length).toBe(0)
      }
    expect(said.some((text) => text.includes('ann'))).toBe(true)
    expect(files.some((text) => text.includes('scrypt$32768'))).toBe(true)
  })

  it('S5: an open address is refused while root has the password that everybody knows', async () => {
    const options: MiniMilvusOptions = { inMemory: true, port: 0, host: '0.0.0.0' }
    await expect(startMiniMilvus({ ...options, parameters: { 'authorization.enabled': true } })).rejects.toMatchObject({ name: 'OpenAddressError' })
    await start({ ...options, parameters: { 'authorization.enabled': true, 'authorization.rootPassword': 'another one' } })
    await start({ ...options, parameters: { 'authorization.enabled': true, 'proxy.allowOpen': true } })
    const { logger, lines } = recording()
    await start({ ...options, logger })
    expect(lines.filter((line) => line.includes('authorization is off'))).toHaveLength(1)
  })

  it('users stay with the data folder, whether they were made with authorization or without', async () => {
    const dataDir = folder()
    const open = await startMiniMilvus({ dataDir, port: 0 })
    const before = callAs(open.address, undefined)
    expect(await before.call('CreateCredential', { username: 'ann', password: encoded('sixsix') })).toMatchObject({ code: 0 })
    expect(await before.call('UpdateCredential', { username: 'root', oldPassword: encoded('Milvus'), newPassword: encoded('of my own') })).toMatchObject({ code: 0 })
    before.close()
    await open.close()
    const guarded = await start({ dataDir, parameters: { 'authorization.enabled': true } })
    for (const [user, password, code] of [['ann', 'sixsix', 0], ['root', 'of my own', 0], ['root', 'Milvus', 16], ['ann', 'Milvus', 16]] as const) {
      const caller = callAs(guarded.address, basic(user, password))
      expect([user, password, await caller.grpcCode('GetVersion')]).toEqual([user, password, code])
      caller.close()
    }
  })
})

describe('names', () => {
  it('S14: never reach the file system', async () => {
    const dataDir = folder()
    const node = await start({ dataDir })
    const client = new MilvusClient({ address: node.address, logLevel: 'error' })
    cleanups.push(() => client.closeConnection())
    for (const name of ['../../etc', 'a/b', 'a\\b', '.', '..', 'a\0b', '%2e%2e', 'C:evil', '~root'])
      expect([name, (await client.createCollection({ collection_name: name, dimension: 4 }).catch((error: Error) => ({ error_code: error.message }))).error_code]).not.toEqual([name, 'Success'])
    await client.createDatabase({ db_name: 'nameofadatabase' })
    const named = { collection_name: 'nameofacollection', db_name: 'nameofadatabase' }
    await client.createCollection({ ...named, dimension: 4 })
    await client.createPartition({ ...named, partition_name: 'nameofapartition' })
    await client.insert({ ...named, partition_name: 'nameofapartition', data: Array.from({ length: 20 }, (_, id) => ({ id, vector: [id, 1, 2, 3] })) })
    await client.flushSync({ collection_names: ['nameofacollection'], db_name: 'nameofadatabase' })
    const paths = filesBelow(dataDir)
    expect(paths.some((path) => path.startsWith('objects'))).toBe(true)
    expect(paths.filter((path) => path.includes('nameof'))).toEqual([])
    expect(paths.filter((path) => !/^[\w./-]+$/.test(path))).toEqual([])
  })

  it('S10: such as __proto__ are ordinary', async () => {
    const node = await start({ inMemory: true })
    const post = async (path: string, body: string): Promise<string> => (await fetch(`http://${node.address}/v2/vectordb/${path}`, { method: 'POST', body })).text()
    await post('collections/create', '{"collectionName":"c","dimension":2}')
    expect(await post('entities/insert', '{"collectionName":"c","data":[{"id":1,"vector":[1,2],"__proto__":{"a":5},"constructor":"x","toString":[1]}]}')).toContain('"code":0')
    const rows = await post('entities/query', '{"collectionName":"c","filter":"id == 1","outputFields":["*"],"consistencyLevel":"Strong"}')
    for (const part of ['"__proto__":', '"constructor":"x"', '"toString":']) expect(rows).toContain(part)
    const caller = callAs(node.address, undefined)
    cleanups.push(() => caller.close())
    expect(await caller.call('CreateRole', { entity: { name: '__proto__' } })).toMatchObject({ code: 0 })
    expect(await caller.call('SelectRole', { role: { name: 'constructor' } })).toMatchObject({ status: { code: 65535 } })
    expect(await caller.call('DescribeResourceGroup', { resource_group: '__proto__' })).toMatchObject({ status: { code: 300 } })
    expect(await caller.call('CreateResourceGroup', { resource_group: 'rg', config: { node_filter: { node_labels: [{ key: '__proto__', value: 'v' }] } } })).toMatchObject({ code: 0 })
    expect(await caller.call('DescribeResourceGroup', { resource_group: 'rg' })).toMatchObject({ resource_group: { config: { node_filter: { node_labels: [{ key: '__proto__', value: 'v' }] } } } })
    expect(await caller.call('UpdateResourceGroups', { resource_groups: JSON.parse('{"__proto__":{}}') as object })).not.toMatchObject({ code: 0 })
    expect(({} as Record<string, unknown>)['a']).toBeUndefined()
  })
})

describe('the second port', () => {
  it('S4: tells health and metrics, takes nothing, and has no other door', async () => {
    const node = await start({ inMemory: true, metricsPort: 0, parameters: { 'authorization.enabled': true } })
    expect(node.metricsAddress).toMatch(/^127\.0\.0\.1:/)
    const ask = async (path: string, method = 'GET'): Promise<number> => (await fetch(`http://${node.metricsAddress}${path}`, { method })).status
    expect([await ask('/livez'), await ask('/healthz'), await ask('/metrics')]).toEqual([200, 200, 200])
    for (const path of ['/config', '/management', '/expr', '/debug/pprof', '/api/v1/collections', '/v2/vectordb/users/list', '/eventlog', '/log/level', '/..%2f', '/static'])
      expect([path, await ask(path)]).toEqual([path, 404])
    expect([await ask('/healthz', 'POST'), await ask('/config', 'POST')]).toEqual([405, 405])
  })
})

describe('libraries', () => {
  it('S20: are at least of the versions that mend what is known', () => {
    const require = createRequire(import.meta.url)
    const version = (name: string): number[] => (JSON.parse(readFileSync(join(require.resolve(name).split(`node_modules/${name}/`)[0] ?? '', 'node_modules', name, 'package.json'), 'utf8')) as { version: string }).version.split('.').map(Number)
    const atLeast = (have: readonly number[], want: readonly number[]): boolean => {
      const at = want.findIndex((part, i) => (have[i] ?? 0) !== part)
      return at < 0 || (have[at] ?? 0) > (want[at] ?? 0)
    }
    expect([version('@grpc/grpc-js'), atLeast(version('@grpc/grpc-js'), [1, 14, 4])]).toEqual([version('@grpc/grpc-js'), true])
    const protobuf = version('protobufjs')
    expect([protobuf, atLeast(protobuf, protobuf[0] === 7 ? [7, 5, 8] : [8, 6, 5])]).toEqual([protobuf, true])
  })
})
