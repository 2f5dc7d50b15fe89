/** TLS on the public port, for gRPC and REST alike, with certificates made here. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type SecureVersion, type TLSSocket } from 'node:tls'
import * as grpc from '@grpc/grpc-js'
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/edge/system.ts'
import type { WireHandlers } from '../../src/server/handlers.ts'
import type { Listener } from '../../src/server/listen.edge.ts'
import { openServer } from '../../src/server/server.ts'
import type { TlsSettings } from '../../src/server/tls.edge.ts'
import { callAs } from '../e2e/call-as.ts'
import { type Certificates, makeCertificates } from './certificates.edge.ts'

const handlers: WireHandlers = {
  Connect: { kind: 'ddl', run: async () => ({ identifier: 7n }) },
  GetVersion: { kind: 'ddl', run: async () => ({ version: 'mini' }) },
}
let folder: string
let own: Certificates
let foreign: Certificates
let listener: Listener
const log: string[] = []
const cleanups: (() => unknown)[] = []

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mini-milvus-tls-'))
  own = makeCertificates(folder, 'node')
  foreign = makeCertificates(folder, 'foreign')
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  log.splice(0)
})
afterAll(() => rmSync(folder, { recursive: true }))

async function start(more: Partial<TlsSettings> = {}): Promise<string> {
  const tls: TlsSettings = { certPath: own.cert, keyPath: own.key, reloadIntervalMs: 50, ...more }
  const logger = { error: (_: object, message: string) => void log.push(message) }
  listener = await openServer({ port: 0, handlers, clock: systemClock, tls, logger, limits: { closeGraceMs: 100 }, http: (incoming, response) => response.end(`${incoming.method} ${incoming.url}`) })
  cleanups.push(() => listener.close())
  return `127.0.0.1:${listener.port}`
}

const pem = (path: string): Buffer => readFileSync(path)
function caller(address: string, credentials: grpc.ChannelCredentials) {
  const made = callAs(address, undefined, credentials)
  cleanups.push(() => made.close())
  return made
}

function handshake(options: { readonly ca?: string; readonly maxVersion?: SecureVersion; readonly minVersion?: SecureVersion }): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const { ca = own.ca, ...rest } = options
    const socket = connect({ host: '127.0.0.1', port: listener.port, ca: pem(ca), ciphers: 'DEFAULT@SECLEVEL=0', ...rest }, () => resolve(socket))
    socket.once('error', reject)
    cleanups.push(() => socket.destroy())
  })
}

describe('TLS', () => {
  it('carries gRPC and REST on one port', async () => {
    const address = await start()
    expect(await caller(address, grpc.credentials.createSsl(pem(own.ca))).call('GetVersion')).toMatchObject({ version: 'mini' })
    const body = await new Promise<string>((resolve, reject) => {
      request({ host: '127.0.0.1', port: listener.port, path: '/x', ca: pem(own.ca) }, (response) => response.on('data', (data: Buffer) => resolve(data.toString())))
        .once('error', reject)
        .end()
    })
    expect(body).toBe('GET /x')
  })

  it('serves the official client', async () => {
    const address = await start()
    const client = new MilvusClient({ address, ssl: true, tls: { rootCertPath: own.ca, serverName: 'localhost' }, logLevel: 'error' })
    cleanups.push(() => client.closeConnection())
    await client.connectPromise
    expect(await client.getVersion()).toMatchObject({ version: 'mini' })
  })

  it('S8: is TLS 1.2 or later, and nothing in the clear', async () => {
    const address = await start()
    await expect(handshake({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1' })).rejects.toThrow(/protocol version|alert|disconnected|hang up|reset/i)
    expect((await handshake({ maxVersion: 'TLSv1.2' })).getProtocol()).toBe('TLSv1.2')
    expect(await caller(address, grpc.credentials.createInsecure()).grpcCode('GetVersion')).toBe(grpc.status.UNAVAILABLE)
    await expect(fetch(`http://${address}/x`)).rejects.toThrow('fetch failed')
  })

  it('S8: lets nobody in without a certificate of the authority, if it asks for one', async () => {
    const address = await start({ caPath: own.ca })
    const { createSsl } = grpc.credentials
    expect(await caller(address, createSsl(pem(own.ca))).grpcCode('GetVersion')).toBe(grpc.status.UNAVAILABLE)
    expect(await caller(address, createSsl(pem(own.ca), pem(foreign.key), pem(foreign.cert))).grpcCode('GetVersion')).toBe(grpc.status.UNAVAILABLE)
    expect(await caller(address, createSsl(pem(own.ca), pem(own.key), pem(own.cert))).grpcCode('GetVersion')).toBe(0)
  })

  it('S8: takes changed certificates without a restart, and keeps the old ones where the new are none', async () => {
    const [certPath, keyPath] = [join(folder, 'live-cert.pem'), join(folder, 'live-key.pem')]
    copyFileSync(own.cert, certPath)
    copyFileSync(own.key, keyPath)
    await start({ certPath, keyPath })
    await handshake({ ca: own.ca })
    copyFileSync(foreign.key, keyPath)
    copyFileSync(foreign.cert, certPath)
    await vi.waitFor(() => handshake({ ca: foreign.ca }), { timeout: 20_000, interval: 50 })
    log.splice(0)
    writeFileSync(certPath, 'no certificate')
    await vi.waitFor(() => expect(log).toContain('changed certificates could not be read: the old ones stay in use'), { timeout: 20_000 })
    await handshake({ ca: foreign.ca })
  })

  it('outlives handshakes that are none, and sockets that break off', async () => {
    const address = await start()
    for (let i = 0; i < 40; i++) {
      const socket = connectTcp(listener.port, '127.0.0.1')
      socket.on('error', () => {})
      cleanups.push(() => socket.destroy())
      if (i % 2 === 0) socket.write(Buffer.from(Array.from({ length: 300 }, (_, at) => (at * 7 + i) % 256)))
      else socket.end(Buffer.from([22, 3, 1, 2, 0, 1]))
    }
    const broken = await handshake({})
    broken.destroy()
    expect(await caller(address, grpc.credentials.createSsl(pem(own.ca))).grpcCode('GetVersion')).toBe(0)
  })

  it('says what is wrong with files that cannot be used', async () => {
    await expect(start({ certPath: join(folder, 'none.pem') })).rejects.toMatchObject({ name: 'TlsFileError', message: expect.stringContaining('none.pem') as unknown })
    await expect(start({ certPath: '' })).rejects.toMatchObject({ name: 'TlsFileError', message: expect.stringContaining('no path') as unknown })
    await expect(start({ keyPath: foreign.key })).rejects.toMatchObject({ name: 'TlsFileError' })
  })
})
