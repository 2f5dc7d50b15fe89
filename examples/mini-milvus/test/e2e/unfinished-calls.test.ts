/** Calls whose client never says that its request has ended: the Node SDK leaves those open that it tries again. */
import { type ClientHttp2Session, connect } from 'node:http2'
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { completeType, decodeType, encodeType, methods, type MethodInfo } from '../../src/wire/index.ts'
import { startProxy } from '../clients/proxy.ts'
import { startTestNode, type TestNode } from './support.ts'

const version = methods.find(({ name }) => name === 'GetVersion') as MethodInfo

/** One message as gRPC frames it. */
function framed(method: MethodInfo, request: object): Buffer {
  const body = encodeType(method.request, completeType(method.request, request))
  const head = Buffer.alloc(5)
  head.writeUInt32BE(body.length, 1)
  return Buffer.concat([head, body])
}

/** Sends frames in this order; `isEnded` says whether the client's half of the stream ends. Gives the status, and the message's bytes. */
function send(session: ClientHttp2Session, frames: readonly Buffer[], isEnded: boolean): Promise<{ status: string; message: Buffer }> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': 'POST', ':path': version.path, 'content-type': 'application/grpc', te: 'trailers' })
    const chunks: Buffer[] = []
    let status = ''
    stream.on('response', (headers) => (status = String(headers['grpc-status'] ?? status)))
    stream.on('trailers', (headers) => (status = String(headers['grpc-status'] ?? status)))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('error', reject)
    stream.on('end', () => resolve({ status, message: Buffer.concat(chunks).subarray(5) }))
    for (const frame of frames) stream.write(frame)
    if (isEnded) stream.end()
  })
}

describe('a call whose request never ends', () => {
  let test: TestNode
  let session: ClientHttp2Session
  beforeAll(async () => {
    test = await startTestNode({ inMemory: true })
    session = connect(`http://${test.node.address}`)
  })
  afterAll(async () => {
    session.close()
    await test.close()
  })

  it('is answered when its message is there', async () => {
    const { status, message } = await send(session, [framed(version, {})], false)
    expect(status).toBe('0')
    expect(decodeType(version.response, message)).toMatchObject({ status: { code: 0 } })
  })

  it('is answered once when it ends all the same, in pieces too', async () => {
    const whole = framed(version, {})
    expect((await send(session, [whole.subarray(0, 2), whole.subarray(2)], true)).status).toBe('0')
  })

  it('is refused without a message', async () => {
    expect((await send(session, [], true)).status).toBe('12')
  })

  it('so what the SDK tries again is answered long before its deadline', { timeout: 120_000 }, async () => {
    const proxy = await startProxy(test.node.address)
    const client = new MilvusClient({ address: proxy.address, logLevel: 'error', timeout: 40_000, telemetry: { enabled: false } })
    await client.connectPromise
    try {
      // Reset about between its sending and its answer.
      for (let round = 0; round < 8; round++) {
        const asked = client.listCollections()
        await new Promise<void>((resolve) => void setImmediate(resolve))
        proxy.reset()
        expect((await asked).status.code).toBe(0)
      }
    } finally {
      await client.closeConnection()
      await proxy.close()
    }
  })
})
