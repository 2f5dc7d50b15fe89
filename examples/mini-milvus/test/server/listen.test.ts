import { connect, type Socket } from 'node:net'
import * as grpc from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import type { WireHandlers } from '../../src/server/handlers.ts'
import type { ServerLimits } from '../../src/server/limits.ts'
import { openServer } from '../../src/server/server.ts'
import { systemClock } from '../../src/edge/system.ts'
import { decodeMessage } from '../../src/wire/index.ts'
import { serve } from './helpers.ts'

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
const handlers: WireHandlers = { GetVersion: { kind: 'ddl', run: async () => ({ version: 'v' }) } }

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function start(limits: Partial<ServerLimits> = {}) {
  const server = await serve(handlers, limits)
  cleanups.push(() => server.listener.close())
  const client = new grpc.Client(server.address, grpc.credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 })
  cleanups.push(() => client.close())
  const version = async (): Promise<string> => {
    const identity = (value: Buffer): Buffer => value
    const bytes = await new Promise<Buffer>((resolve, reject) => {
      client.makeUnaryRequest('/milvus.proto.milvus.MilvusService/GetVersion', identity, identity, Buffer.alloc(0), (error, value) =>
        error === null ? resolve(value as Buffer) : reject(error),
      )
    })
    return decodeMessage('milvus.GetVersionResponse', bytes).version
  }
  return { ...server, version }
}

function dial(port: number): { socket: Socket; received: () => string; closed: Promise<void> } {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  socket.on('error', () => {})
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  cleanups.push(() => socket.destroy())
  return { socket, received: () => Buffer.concat(chunks).toString('latin1'), closed }
}

describe('listener', () => {
  it('serves gRPC and HTTP on one port', async () => {
    const { address, version } = await start()
    expect(await version()).toBe('v')
    expect(await (await fetch(`http://${address}/a?b`, { method: 'POST', body: 'x'.repeat(200_000) })).text()).toBe('http POST /a?b')
    expect(await version()).toBe('v')
  })

  it('knows the protocol whatever way the first bytes are cut', async () => {
    const { listener } = await start()
    const http = dial(listener.port)
    for (const char of 'PRINT / HTTP/1.1\r\n') {
      http.socket.write(char)
      await new Promise((resolve) => setImmediate(resolve))
    }
    http.socket.end('host: a\r\n\r\n')
    await http.closed
    expect(http.received()).toContain('HTTP/1.1 400')
    const http2 = dial(listener.port)
    for (const char of PREFACE) {
      http2.socket.write(char, 'latin1')
      await new Promise((resolve) => setImmediate(resolve))
    }
    // The server's SETTINGS frame.
    await expect.poll(() => http2.received().charCodeAt(3)).toBe(4)
  })

  it('drops those who say nothing, half a preface or garbage, and serves the others', async () => {
    const { listener, version } = await start({ headerTimeoutMs: 200 })
    const silent = dial(listener.port)
    const half = dial(listener.port)
    half.socket.write(PREFACE.slice(0, 20))
    const garbage = dial(listener.port)
    garbage.socket.write(Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7919) % 256)))
    const broken = dial(listener.port)
    broken.socket.write(PREFACE + '\xff'.repeat(500), 'latin1')
    expect(await version()).toBe('v')
    await Promise.all([silent.closed, half.closed, garbage.closed, broken.closed])
    expect(await version()).toBe('v')
  })

  it('says which port is taken and what to try', async () => {
    const { listener } = await start()
    const again = openServer({ port: listener.port, handlers, clock: systemClock, http: () => {} })
    await expect(again).rejects.toMatchObject({
      name: 'ListenError',
      code: 'ADDRESS_IN_USE',
      message: `${listener.port} is in use; try --port ${listener.port + 1} or --port 0`,
    })
    const elsewhere = openServer({ port: 0, host: '203.0.113.7', handlers, clock: systemClock, http: () => {} })
    await expect(elsewhere).rejects.toMatchObject({ code: 'ADDRESS_NOT_AVAILABLE' })
  })

  it('refuses connections beyond the limit', async () => {
    const { listener } = await start({ maxConnections: 2 })
    const [first, second] = [dial(listener.port), dial(listener.port)]
    await Promise.all([first, second].map(({ socket }) => new Promise((resolve) => socket.once('connect', resolve))))
    const third = dial(listener.port)
    await third.closed
    first.socket.destroy()
    await first.closed
    await expect
      .poll(async () => {
        const next = dial(listener.port)
        next.socket.end('GET /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
        await next.closed
        return next.received()
      })
      .toContain('http GET /x')
  })

  it('ends idle connections of both kinds at close, twice', async () => {
    const { listener, version } = await start()
    await version()
    const idle = dial(listener.port)
    await new Promise((resolve) => idle.socket.once('connect', resolve))
    const keepAlive = dial(listener.port)
    keepAlive.socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
    await expect.poll(() => keepAlive.received()).toContain('http GET /')
    await Promise.all([listener.close(), listener.close()])
    await Promise.all([idle.closed, keepAlive.closed])
    await expect(fetch(`http://127.0.0.1:${listener.port}/`)).rejects.toThrow('fetch failed')
  })
})
