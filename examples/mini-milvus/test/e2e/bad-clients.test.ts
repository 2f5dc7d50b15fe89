/** Clients that send garbage, too much, half a message or nothing at all harm no other. */
import { connect, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { encodeMessage } from '../../src/wire/index.ts'
import { rawClient, type RawClient } from './raw-client.ts'
import { seededRandom, startTestNode, type TestNode } from './support.ts'

const collection_name = 'calm'
const MIB = 1024 * 1024
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

describe('beside bad clients', () => {
  let test: TestNode
  let raw: RawClient
  const sockets: Socket[] = []
  beforeAll(async () => {
    test = await startTestNode()
    raw = rawClient(test.node.address)
    await test.client.createCollection({ collection_name, dimension: 4, metric_type: 'L2', consistency_level: 'Strong' })
    await test.client.insert({ collection_name, data: Array.from({ length: 50 }, (_, id) => ({ id, vector: [id, 0, 0, 0] })) })
  })
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy()
  })
  afterAll(async () => {
    raw.close()
    await test.close()
  })

  function dial(): Socket {
    const socket = connect(test.node.port, '127.0.0.1')
    socket.on('error', () => {})
    sockets.push(socket)
    return socket
  }
  const connected = (socket: Socket): Promise<void> => new Promise((resolve) => socket.once('connect', () => resolve()))

  /** The good client works, and no call of it takes long. */
  async function isWell(): Promise<void> {
    for (let i = 0; i < 5; i++) {
      const started = performance.now()
      const found = await test.client.search({ collection_name, data: [i, 0, 0, 0], limit: 1, output_fields: ['id'] })
      expect(found.results.map(({ id }) => id)).toEqual([String(i)])
      expect(performance.now() - started).toBeLessThan(20_000)
    }
  }

  it('works while random bytes come as connections', async () => {
    const random = seededRandom(3)
    for (let i = 0; i < 40; i++) {
      const socket = dial()
      if (i % 2 === 0) socket.write(PREFACE)
      socket.write(Buffer.from(Array.from({ length: 2000 }, () => Math.floor(random() * 256))))
    }
    await isWell()
  })

  it('works while random bytes come as requests of every kind', async () => {
    const random = seededRandom(4)
    for (const method of ['Insert', 'Upsert', 'Search', 'Query', 'Delete', 'CreateCollection', 'Flush', 'Connect']) {
      for (let i = 0; i < 10; i++) {
        const bytes = Uint8Array.from({ length: 1 + Math.floor(random() * 300) }, () => Math.floor(random() * 256))
        // A refusal by Status, or by gRPC's INVALID_ARGUMENT: never an internal error.
        await raw.bytes(method, bytes).catch((error: { code?: number }) => expect(error.code).toBe(3))
      }
    }
    await isWell()
  })

  it('refuses a message of 100 MB', async () => {
    const huge = encodeMessage('milvus.DeleteRequest', { collection_name, expr: `id in [${'1,'.repeat(1000)}1]${' '.repeat(100 * MIB)}` })
    await expect(raw.bytes('Delete', huge)).rejects.toMatchObject({ code: 8 })
    await isWell()
    expect((await test.client.count({ collection_name })).data).toBe(50)
    expect((await raw.call('GetVersion', {}))['version']).toMatch(/^mini-milvus/)
  })

  it('works beside those who hang half-way, by gRPC and by HTTP', async () => {
    const half = dial()
    half.write(PREFACE.slice(0, 11))
    const settings = dial()
    settings.write(Buffer.concat([Buffer.from(PREFACE), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]), Buffer.from([0, 0, 200, 1, 4, 0, 0, 0, 1])]))
    const body = dial()
    body.write('POST /v2/vectordb/collections/list HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n{"half":')
    await Promise.all([half, settings, body].map(connected))
    await isWell()
    // Someone who asks for much and reads nothing.
    const deaf = dial()
    await connected(deaf)
    deaf.pause()
    for (let i = 0; i < 200; i++) deaf.write('POST /v2/vectordb/collections/list HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}')
    await isWell()
  })

  it('works beside 300 sockets that say nothing', async () => {
    const silent = Array.from({ length: 300 }, dial)
    await Promise.all(silent.map(connected))
    await isWell()
  })

  it('gives up the work of a client that went away', async () => {
    const calls = Array.from({ length: 20 }, () => {
      const request = encodeMessage('milvus.QueryRequest', { collection_name, expr: 'id >= 0', output_fields: ['id'], consistency_level: 4, guarantee_timestamp: 2n ** 62n })
      return raw.bytes('Query', request, { deadline: Date.now() + 150 })
    })
    for (const outcome of await Promise.allSettled(calls)) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 4 } })
    await isWell()
  })
})
