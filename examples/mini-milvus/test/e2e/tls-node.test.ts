/** A whole node behind TLS, with users: gRPC through the official client and REST, clients' certificates asked for. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as grpc from '@grpc/grpc-js'
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterEach, expect, it } from 'vitest'
import { startMiniMilvus } from '../../src/index.ts'
import { makeCertificates } from '../server/certificates.edge.ts'
import { callAs } from './call-as.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

it('serves users over mutual TLS, by gRPC and REST', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mini-milvus-tls-node-'))
  cleanups.push(() => rmSync(folder, { recursive: true }))
  const { ca, cert, key } = makeCertificates(folder, 'node')
  const node = await startMiniMilvus({
    inMemory: true,
    port: 0,
    parameters: { 'tls.mode': 2, 'tls.serverPemPath': cert, 'tls.serverKeyPath': key, 'tls.caPemPath': ca, 'authorization.enabled': true },
  })
  cleanups.push(() => node.close())
  const client = new MilvusClient({
    address: node.address,
    username: 'root',
    password: 'Milvus',
    ssl: true,
    tls: { rootCertPath: ca, privateKeyPath: key, certChainPath: cert, serverName: 'localhost' },
    logLevel: 'error',
  })
  cleanups.push(() => client.closeConnection())
  await client.connectPromise
  await client.createCollection({ collection_name: 'c', dimension: 4 })
  await client.insert({ collection_name: 'c', data: [{ id: 1, vector: [1, 2, 3, 4] }] })
  expect((await client.query({ collection_name: 'c', filter: 'id == 1', output_fields: ['id'], consistency_level: 'Strong' as never })).data).toEqual([{ id: '1' }])

  const files = { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) }
  const list = (credentials: object, headers: Record<string, string>): Promise<{ status: number | undefined; body: string }> =>
    new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port: node.port, path: '/v2/vectordb/collections/list', method: 'POST', headers, ...credentials }, (response) => {
        let body = ''
        response.on('data', (data: Buffer) => (body += data.toString())).on('end', () => resolve({ status: response.statusCode, body }))
      })
      sent.on('error', reject).end('{}')
    })
  expect(await list(files, { authorization: 'Bearer root:Milvus' })).toMatchObject({ status: 200, body: expect.stringContaining('["c"]') as unknown })
  expect(await list(files, {})).toMatchObject({ status: 401 })
  await expect(list({ ca: files.ca }, { authorization: 'Bearer root:Milvus' })).rejects.toThrow(/certificate required|ECONNRESET|EPIPE|socket hang up/)
  const stranger = callAs(node.address, undefined, grpc.credentials.createSsl(files.ca))
  cleanups.push(() => stranger.close())
  expect(await stranger.grpcCode('GetVersion')).toBe(14)
})
