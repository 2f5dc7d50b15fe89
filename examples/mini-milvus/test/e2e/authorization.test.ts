/** With authorization, every door is the same one: each RPC and each route, without credentials, with wrong ones, without rights. */
import * as grpc from '@grpc/grpc-js'
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startMiniMilvus, type MiniMilvus } from '../../src/index.ts'
import { routes } from '../../src/rest/index.ts'
import { rpcRules } from '../../src/server/rpc-rules.ts'
import { methods } from '../../src/wire/index.ts'
import { callWithSamples } from '../rest/samples.ts'
import { basic, callAs, type Caller } from './call-as.ts'

let node: MiniMilvus
let root: Caller
let nobody: Caller
let weak: Caller
const password = 'long enough'

beforeAll(async () => {
  node = await startMiniMilvus({ inMemory: true, port: 0, parameters: { 'authorization.enabled': true, 'authorization.publicPrivilege': false } })
  root = callAs(node.address, basic('root', 'Milvus'))
  nobody = callAs(node.address, undefined)
  weak = callAs(node.address, basic('weak', password))
  await root.call('CreateCredential', { username: 'weak', password: Buffer.from(password).toString('base64') })
})
afterAll(async () => {
  for (const caller of [root, nobody, weak]) caller.close()
  await node.close()
})

const unary = methods.filter(({ requestStream, responseStream }) => !requestStream && !responseStream)
const { UNAUTHENTICATED, PERMISSION_DENIED, OK, UNIMPLEMENTED }: Readonly<Record<'UNAUTHENTICATED' | 'PERMISSION_DENIED' | 'OK' | 'UNIMPLEMENTED', number>> = grpc.status

describe('the gate', () => {
  it('S1: lets nobody in who does not say who they are, whatever they call', async () => {
    for (const { name } of unary) {
      const expected = rpcRules[name as keyof typeof rpcRules] === 'anyone' ? OK : UNAUTHENTICATED
      expect([name, await nobody.grpcCode(name)]).toEqual([name, expected])
    }
  })

  it('S1: refuses streams of all kinds alike', async () => {
    const client = new grpc.Client(node.address, grpc.credentials.createInsecure())
    for (const method of methods.filter(({ requestStream, responseStream }) => requestStream || responseStream)) {
      const pass = (value: Buffer): Buffer => value
      const stream = method.requestStream
        ? client.makeBidiStreamRequest(method.path, pass, pass)
        : client.makeServerStreamRequest(method.path, pass, pass, Buffer.alloc(0))
      const code = await new Promise((resolve) => stream.on('error', (error: grpc.ServiceError) => resolve(error.code)).on('data', () => resolve('data')))
      expect([method.name, code]).toEqual([method.name, UNAUTHENTICATED])
    }
    client.close()
  })

  it('S1: lets a user without rights do nothing that needs one', async () => {
    for (const { name } of unary) {
      const rule = rpcRules[name as keyof typeof rpcRules]
      const isFree = typeof rule === 'string' || name === 'RunAnalyzer'
      const code = await weak.grpcCode(name)
      expect([name, isFree ? code !== UNAUTHENTICATED && code !== PERMISSION_DENIED : code]).toEqual([name, isFree ? true : PERMISSION_DENIED])
    }
  })

  it('S1: is in front of every route of REST', async () => {
    for (const route of routes) {
      const { status } = await callWithSamples(node.address, route)
      const expected = rpcRules[route.rpc] === 'anyone' ? 200 : 401
      expect([route.method, route.path, status]).toEqual([route.method, route.path, expected])
    }
  })

  it('answers REST as Milvus does', async () => {
    const ask = async (authorization: string | undefined, path = 'users/list', body: object = {}) => {
      const headers = authorization === undefined ? {} : { authorization }
      const response = await fetch(`http://${node.address}/v2/vectordb/${path}`, { method: 'POST', body: JSON.stringify(body), headers })
      return { status: response.status, body: (await response.json()) as { code: number; message?: string; data?: unknown } }
    }
    expect(await ask(undefined)).toMatchObject({ status: 401, body: { code: 1800 } })
    expect(await ask('Bearer root:wrong')).toMatchObject({ status: 401 })
    expect(await ask(`Bearer weak:${password}`)).toMatchObject({ status: 403, body: { code: 1401 } })
    expect(await ask('Bearer root:Milvus')).toMatchObject({ status: 200, body: { code: 0, data: expect.arrayContaining(['root', 'weak']) as unknown } })
    expect(await ask(`Basic ${basic('root', 'Milvus')}`)).toMatchObject({ status: 200, body: { code: 0 } })
    expect(await ask('Bearer an-api-key')).toMatchObject({ status: 401 })
  })

  it('S3: knows no header that opens it', async () => {
    const member = Buffer.from('@@milvus-member@@').toString('base64')
    for (const header of ['sourceid', 'source_id', 'token', 'user', 'username', 'x-forwarded-user', 'identifier', 'proxy-authorization'])
      expect([header, await nobody.grpcCode('ListCredUsers', {}, { [header]: member })]).toEqual([header, UNAUTHENTICATED])
  })

  it('S3: does not know a method by another spelling of its path', async () => {
    const client = new grpc.Client(node.address, grpc.credentials.createInsecure())
    for (const path of ['/milvus.proto.milvus.MilvusService//ListCredUsers', '/milvus.proto.milvus.MilvusService/listcredusers', '/milvus.proto.milvus.MilvusService/./ListCredUsers', '/milvus.proto.milvus.MilvusService/ListCredUsers/', '/MilvusService/ListCredUsers']) {
      const code = await new Promise((resolve) => client.makeUnaryRequest(path, (value: Buffer) => value, (value: Buffer) => value, Buffer.alloc(0), (error) => resolve(error?.code)))
      expect([path, code]).toEqual([path, UNIMPLEMENTED])
    }
    client.close()
  })

  it('lets the official client in with its password, and says what is wrong with another', async () => {
    const client = new MilvusClient({ address: node.address, username: 'root', password: 'Milvus', logLevel: 'error' })
    await client.connectPromise
    expect((await client.listUsers()).usernames).toEqual(['root', 'weak'])
    await client.closeConnection()
    const wrong = new MilvusClient({ address: node.address, username: 'root', password: 'milvus', logLevel: 'error' })
    await expect(wrong.connectPromise).rejects.toThrow(/please check username and password are correct/)
    await wrong.closeConnection()
  })

  it('S6: forgets a password with its change, and a user with their end', async () => {
    const encoded = (text: string): string => Buffer.from(text).toString('base64')
    await root.call('CreateCredential', { username: 'changing', password: encoded('first password') })
    const before = callAs(node.address, basic('changing', 'first password'))
    expect(await before.grpcCode('GetVersion')).toBe(OK)
    expect(await before.call('UpdateCredential', { username: 'changing', oldPassword: encoded('wrong one'), newPassword: encoded('second password') })).toMatchObject({ error_code: 30 })
    expect(await before.call('UpdateCredential', { username: 'changing', oldPassword: encoded('first password'), newPassword: encoded('second password') })).toMatchObject({ code: 0 })
    expect(await before.grpcCode('GetVersion')).toBe(UNAUTHENTICATED)
    const after = callAs(node.address, basic('changing', 'second password'))
    expect(await after.grpcCode('GetVersion')).toBe(OK)
    await root.call('DeleteCredential', { username: 'changing' })
    expect(await after.grpcCode('GetVersion')).toBe(UNAUTHENTICATED)
    before.close()
    after.close()
  })

  it('asks for passwords of 8 to 72 characters, and names that are names', async () => {
    const make = (username: string, text: string) => root.call('CreateCredential', { username, password: Buffer.from(text).toString('base64') })
    expect(await make('short', '1234567')).toMatchObject({ code: 1100, error_code: 29 })
    expect(await make('long', 'x'.repeat(73))).toMatchObject({ code: 1100 })
    for (const name of ['', 'a:b', 'a/b', '1st', 'x'.repeat(33), 'ü', 'a b', '__proto__']) expect([name, (await make(name, password))['code']]).toEqual([name, 1100])
    expect(await root.call('CreateCredential', { username: 'fine', password: '***' })).toMatchObject({ code: 1100 })
    expect(await make('weak', password)).toMatchObject({ error_code: 29 })
    expect(await root.call('DeleteCredential', { username: 'root' })).toMatchObject({ error_code: 31 })
  })
})
