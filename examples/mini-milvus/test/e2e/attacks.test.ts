/** S9: raw attacks on the port, HTTP/2 by hand. A good client works beside them and after them, and memory comes back. */
import { connect, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startTestNode, type TestNode } from './support.ts'

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
/** Longer in soak runs: the specification asks for ten seconds of each. */
const ATTACK_MS = process.env['TIMETICK_RING'] === 'soak' ? 10_000 : process.env['TIMETICK_RING'] === 'ci' ? 3000 : 300
const collection_name = 'calm'

const type = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, windowUpdate: 8, continuation: 9 }

function frame(kind: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array()): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = kind
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** HPACK without compression: literal, never indexed names. */
function headerBlock(fields: Readonly<Record<string, string>>): Buffer {
  const text = (value: string): Buffer => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)])
  return Buffer.concat(Object.entries(fields).flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]))
}

const post = { ':method': 'POST', ':scheme': 'http', ':path': '/milvus.proto.milvus.MilvusService/GetVersion', ':authority': 'a', 'content-type': 'application/grpc', te: 'trailers' }
const block = headerBlock(post)
const END_HEADERS = 4
const END_STREAM = 1

describe('S9: an attack', () => {
  let test: TestNode
  const sockets = new Set<Socket>()
  beforeAll(async () => {
    test = await startTestNode()
    await test.client.createCollection({ collection_name, dimension: 4, metric_type: 'L2', consistency_level: 'Strong' })
    await test.client.insert({ collection_name, data: Array.from({ length: 50 }, (_, id) => ({ id, vector: [id, 0, 0, 0] })) })
  })
  afterEach(() => {
    for (const socket of sockets) socket.destroy()
    sockets.clear()
  })
  afterAll(() => test.close())

  function dial(http2 = true): Socket {
    const socket = connect(test.node.port, '127.0.0.1')
    socket.on('error', () => {})
    socket.on('data', () => {})
    socket.on('close', () => sockets.delete(socket))
    sockets.add(socket)
    if (http2) socket.write(Buffer.concat([PREFACE, frame(type.settings, 0, 0)]))
    return socket
  }

  /** Runs the attack for a while on so many connections, each opened again when the node closes it, with a good client beside. */
  async function under(connections: number, attack: (socket: Socket, round: number) => void, http2 = true): Promise<void> {
    const until = performance.now() + ATTACK_MS
    let searches = 0
    for (let round = 0; performance.now() < until; round++) {
      while (sockets.size < connections) dial(http2)
      // Whoever does not read what we send is not sent more: the flood must not be in our own memory.
      for (const socket of sockets) if (socket.writable && socket.writableLength < 256 * 1024) attack(socket, round)
      const id = round % 50
      const found = await test.client.search({ collection_name, data: [id, 0, 0, 0], limit: 1, output_fields: ['id'] })
      expect(found.results.map((hit) => hit['id'])).toEqual([String(id)])
      searches++
    }
    expect(searches).toBeGreaterThan(0)
  }

  const attacks: readonly (readonly [string, (socket: Socket, round: number) => void])[] = [
    ['of streams that are reset at once (CVE-2023-44487)', (socket, round) => {
      const frames: Buffer[] = []
      for (let i = 0; i < 100; i++) {
        const stream = (round * 100 + i) * 2 + 1
        frames.push(frame(type.headers, END_HEADERS, stream, block), frame(type.reset, 0, stream, Buffer.from([0, 0, 0, 8])))
      }
      socket.write(Buffer.concat(frames))
    }],
    ['of headers that never end (CVE-2024-27983)', (socket, round) => {
      const first = round === 0 ? [frame(type.headers, 0, 1, block)] : []
      socket.write(Buffer.concat([...first, ...Array.from({ length: 50 }, (_, i) => frame(type.continuation, 0, 1, headerBlock({ [`x-${round}-${i}`]: 'v'.repeat(100) })))]))
    }],
    ['of malformed headers (CVE-2025-59465)', (socket, round) => socket.write(frame(type.headers, END_HEADERS | END_STREAM, round * 2 + 1, Buffer.from(Array.from({ length: 200 }, (_, i) => (i * 31 + round * 7) % 256))))],
    ['of windows that overflow (CVE-2026-21714)', (socket) => socket.write(Buffer.concat(Array.from({ length: 50 }, () => frame(type.windowUpdate, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff])))))],
    ['of pings', (socket) => socket.write(Buffer.concat(Array.from({ length: 500 }, () => frame(type.ping, 0, 0, Buffer.alloc(8)))))],
    ['of settings', (socket) => socket.write(Buffer.concat(Array.from({ length: 500 }, () => frame(type.settings, 0, 0, Buffer.from([0, 4, 0, 0, 255, 255])))))],
    ['of data a byte at a time (CVE-2026-84304)', (socket, round) => {
      const stream = round * 2 + 1
      socket.write(Buffer.concat([frame(type.headers, END_HEADERS, stream, block), ...Array.from({ length: 300 }, () => frame(type.data, 0, stream, Buffer.from([0])))]))
    }],
    ['of messages that are said to be compressed, or longer than they are (CVE-2026-48068, -48069)', (socket, round) => {
      const stream = round * 4 + 1
      socket.write(Buffer.concat([
        frame(type.headers, END_HEADERS, stream, block), frame(type.data, END_STREAM, stream, Buffer.from([1, 0, 0, 0, 4, 1, 2, 3, 4])),
        frame(type.headers, END_HEADERS, stream + 2, block), frame(type.data, END_STREAM, stream + 2, Buffer.from([0, 0x7f, 0xff, 0xff, 0xff, 1])),
      ]))
    }],
    ['of frames of no kind', (socket, round) => socket.write(frame(200 + (round % 50), 255, round, Buffer.alloc(100)))],
  ]

  it.each(attacks)('%s', async (_, attack) => {
    await under(8, attack)
  })

  it('of hundreds of connections that are half open, with a byte now and then', async () => {
    await under(400, (socket, round) => {
      if (round % 10 === 0) socket.write('P')
    }, false)
  })

  it('leaves no memory behind', async () => {
    const flood = attacks[0]?.[1] ?? (() => {})
    const calm = async (): Promise<number> => {
      for (const socket of sockets) socket.destroy()
      for (let i = 0; i < 20; i++) await test.client.search({ collection_name, data: [i, 0, 0, 0], limit: 1 })
      globalThis.gc?.()
      return process.memoryUsage().rss
    }
    await under(8, flood)
    const before = await calm()
    for (let i = 0; i < 3; i++) await under(8, flood)
    expect(((await calm()) - before) / 2 ** 20).toBeLessThan(150)
  })
})
