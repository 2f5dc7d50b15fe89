import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import * as grpc from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import type { CallContext, HandlerTable, WireHandlers } from '../../src/server/handlers.ts'
import { Code, MilvusError } from '../../src/server/status.ts'
import { decodeMessage, decodeType, encodeMessage, methods } from '../../src/wire/index.ts'
import { serve } from './helpers.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function start(handlers: HandlerTable, limits = {}) {
  const server = await serve(handlers, limits)
  cleanups.push(() => server.listener.close())
  const client = new grpc.Client(server.address, grpc.credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 })
  cleanups.push(() => client.close())
  const call = (path: string, bytes: Uint8Array, metadata = new grpc.Metadata()): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      const identity = (value: Buffer): Buffer => value
      client.makeUnaryRequest(path, identity, identity, Buffer.from(bytes), metadata, (error, value) => {
        if (error !== null) reject(error)
        else resolve(value as Buffer)
      })
    })
  return { ...server, client, call }
}

const path = (name: string): string => `/milvus.proto.milvus.MilvusService/${name}`

describe('gRPC entry', () => {
  it('answers every unary method that is not served with a Status in its own response type', async () => {
    const { call } = await start({})
    for (const method of methods.filter(({ name, responseStream }) => !responseStream && name !== 'Dummy' && name !== 'GetReplicateInfo')) {
      const response = decodeType(method.response, await call(method.path, new Uint8Array())) as { status?: object; alter_status?: object }
      const status = method.response.name === 'Status' ? response : (response.status ?? response.alter_status)
      expect(status).toMatchObject({ code: 10, error_code: 1, reason: `${method.name} is not served by mini-milvus` })
    }
    await expect(call(path('GetReplicateInfo'), new Uint8Array())).rejects.toMatchObject({ code: grpc.status.UNIMPLEMENTED })
  })

  it('gives handlers the request, its database, the client and the peer', async () => {
    const seen: CallContext[] = []
    const handlers: WireHandlers = {
      HasCollection: {
        kind: 'ddl',
        run: async (request, call) => {
          seen.push(call)
          return { value: request.collection_name === 'a' }
        },
      },
    }
    const { call } = await start(handlers)
    const metadata = new grpc.Metadata()
    metadata.set('dbname', 'fromheader')
    metadata.set('identifier', '449999999999999999')
    const first = await call(path('HasCollection'), encodeMessage('milvus.HasCollectionRequest', { collection_name: 'a' }), metadata)
    expect(decodeMessage('milvus.BoolResponse', first)).toMatchObject({ value: true, status: { code: 0, error_code: 0 } })
    await call(path('HasCollection'), encodeMessage('milvus.HasCollectionRequest', { db_name: 'fromrequest' }), metadata)
    await call(path('HasCollection'), new Uint8Array())
    expect(seen.map(({ dbName, identifier }) => ({ dbName, identifier }))).toEqual([
      { dbName: 'fromheader', identifier: 449999999999999999n },
      { dbName: 'fromrequest', identifier: 449999999999999999n },
      { dbName: 'default', identifier: undefined },
    ])
    expect(seen[0]?.peer).toMatch(/^127\.0\.0\.1:\d+$/)
  })

  it('turns a MilvusError into a Status, and anything else into 65535 with a logged stack', async () => {
    const handlers: WireHandlers = {
      HasCollection: {
        kind: 'ddl',
        run: () => Promise.reject(new MilvusError(Code.CollectionNotFound, 'collection not found[collection=x]')),
      },
      DropCollection: { kind: 'ddl', run: () => Promise.reject(new Error('boom')) },
    }
    const { call, log } = await start(handlers)
    expect(decodeMessage('milvus.BoolResponse', await call(path('HasCollection'), new Uint8Array())).status).toMatchObject({
      code: 100,
      error_code: 4,
    })
    expect(log).toHaveLength(0)
    expect(decodeMessage('common.Status', await call(path('DropCollection'), new Uint8Array()))).toMatchObject({
      code: 65535,
      error_code: 1,
      reason: 'Error: boom',
    })
    expect(log[0]?.fields).toMatchObject({ rpc: 'DropCollection', error: expect.stringContaining('grpc.test.ts') as unknown })
  })

  it('lets a handler replace the codec', async () => {
    const handlers: HandlerTable = {
      Insert: {
        kind: 'dml',
        decode: (bytes: Uint8Array) => ({ bytes: bytes.length, dbName: 'hot' }),
        run: async (request: { bytes: number }, call: CallContext) => ({ count: request.bytes, db: call.dbName }),
        encode: (response: { count: number; db: string }) =>
          encodeMessage('milvus.MutationResult', { insert_cnt: BigInt(response.count), status: { reason: response.db } }),
      },
    }
    const { call } = await start(handlers)
    const bytes = encodeMessage('milvus.InsertRequest', { collection_name: 'abc' })
    const result = decodeMessage('milvus.MutationResult', await call(path('Insert'), bytes))
    expect(result).toMatchObject({ insert_cnt: BigInt(bytes.length), status: { reason: 'hot' } })
  })

  it('answers INVALID_ARGUMENT to bytes that do not parse and RESOURCE_EXHAUSTED to too many, and serves on', async () => {
    const handlers: WireHandlers = { GetVersion: { kind: 'ddl', run: async () => ({ version: 'v' }) } }
    const { call } = await start(handlers, { maxReceiveBytes: 1000 })
    await expect(call(path('GetVersion'), new Uint8Array([0xff, 0xff]))).rejects.toMatchObject({ code: grpc.status.INVALID_ARGUMENT })
    await expect(call(path('GetVersion'), new Uint8Array(2000))).rejects.toMatchObject({ code: grpc.status.RESOURCE_EXHAUSTED })
    await expect(call(path('NoSuchMethod'), new Uint8Array())).rejects.toMatchObject({ code: grpc.status.UNIMPLEMENTED })
    expect(decodeMessage('milvus.GetVersionResponse', await call(path('GetVersion'), new Uint8Array())).version).toBe('v')
  })

  it('refuses requests beyond the bytes in flight with a status that may be retried', async () => {
    const waiting: (() => void)[] = []
    const handlers: WireHandlers = {
      Dummy: { kind: 'dql', run: () => new Promise((resolve) => waiting.push(() => resolve({ response: 'late' }))) },
    }
    const { call } = await start(handlers, { maxInFlightBytes: 150 })
    const bytes = encodeMessage('milvus.DummyRequest', { request_type: 'x'.repeat(90) })
    const first = call(path('Dummy'), bytes)
    await expect.poll(() => waiting.length).toBe(1)
    const refused = await call(
      '/milvus.proto.milvus.MilvusService/DropCollection',
      encodeMessage('milvus.DropCollectionRequest', { collection_name: 'x'.repeat(90) }),
    )
    expect(decodeMessage('common.Status', refused)).toMatchObject({ code: 8, error_code: 49, retriable: true })
    waiting[0]?.()
    expect(decodeMessage('milvus.DummyResponse', await first).response).toBe('late')
  })

  it('aborts the signal of a cancelled call, and of one that takes too long', async () => {
    const reasons: string[] = []
    const untilAborted = (call: CallContext): Promise<never> =>
      new Promise((_, reject) => {
        call.signal.addEventListener('abort', () => {
          reasons.push((call.signal.reason as Error).message)
          reject(call.signal.reason as Error)
        })
      })
    const handlers: WireHandlers = { GetVersion: { kind: 'ddl', run: (_, call) => untilAborted(call) } }
    const { client, call, log } = await start(handlers, { callTimeoutMs: 300 })
    const identity = (value: Buffer): Buffer => value
    const running = client.makeUnaryRequest(path('GetVersion'), identity, identity, Buffer.alloc(0), () => {})
    setTimeout(() => running.cancel(), 50)
    await expect.poll(() => reasons).toEqual(['the client cancelled the call'])
    const slow = decodeMessage('milvus.GetVersionResponse', await call(path('GetVersion'), new Uint8Array()))
    expect(slow.status).toMatchObject({ code: 65535, reason: 'AbortError: the call took too long' })
    expect(log).toEqual([])
  })

  it('passes every call through the gate', async () => {
    const handlers: WireHandlers = { GetVersion: { kind: 'ddl', run: async () => ({ version: 'v' }) } }
    const { openServer } = await import('../../src/server/server.ts')
    const { systemClock } = await import('../../src/edge/system.ts')
    const listener = await openServer({
      port: 0,
      handlers,
      clock: systemClock,
      http: (_, response) => response.end(),
      authorize: {
        identify: () => undefined,
        authorize(rpc) {
          throw new MilvusError(Code.NotPermitted, `${rpc}: not permitted`)
        },
      },
    })
    cleanups.push(() => listener.close())
    const client = new grpc.Client(`127.0.0.1:${listener.port}`, grpc.credentials.createInsecure())
    cleanups.push(() => client.close())
    const reply = await new Promise<Buffer>((resolve) => {
      client.makeUnaryRequest(
        path('GetVersion'),
        (value: Buffer) => value,
        (value: Buffer) => value,
        Buffer.alloc(0),
        (_, value) => resolve(value as Buffer),
      )
    })
    expect(decodeMessage('milvus.GetVersionResponse', reply)).toMatchObject({ version: '', status: { code: 1401 } })
  })

  it('serves the official client', async () => {
    const handlers: WireHandlers = {
      Connect: { kind: 'ddl', run: async () => ({ identifier: 7n, server_info: { build_tags: 'v2.6.0' } }) },
      GetVersion: { kind: 'ddl', run: async () => ({ version: 'mini' }) },
    }
    const { address } = await start(handlers)
    const client = new MilvusClient({ address, logLevel: 'error' })
    cleanups.push(() => client.closeConnection())
    await client.connectPromise
    expect(await client.getVersion()).toMatchObject({ version: 'mini', status: { error_code: 'Success' } })
    expect(await client.flushAll({})).toMatchObject({ status: { error_code: 'UnexpectedError', code: 10 } })
  })
})
