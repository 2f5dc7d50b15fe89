/** Many calls on one stream: frames, pieces, cancellation, a stream that breaks, ends or is malformed. */
import { afterEach, describe, expect, it } from 'vitest'
import * as grpc from '@grpc/grpc-js'
import { systemClock } from '../../src/edge/system.ts'
import { ByteWriter } from '../../src/internal/bytes.ts'
import { type CallFrame, readFrames, writeFrame } from '../../src/internal/call-frames.ts'
import { FrameOutbox, PIECE_BYTES } from '../../src/internal/frame-outbox.ts'
import { createGrpcTransport } from '../../src/internal/grpc-transport.ts'
import type { ServeBytes, Transport, TransportServer } from '../../src/internal/transport.ts'

const closers: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const frames: CallFrame[] = [
  { kind: 'call', id: 1, timeoutMs: 5_000, path: 'Echo/ü', body: Uint8Array.of(1, 2, 3) },
  { kind: 'cancel', id: 2 ** 32 - 1 },
  { kind: 'reply', id: 3, isLast: false, body: new Uint8Array(0) },
  { kind: 'reply', id: 3, isLast: true, body: Uint8Array.of(9) },
  { kind: 'refused', id: 4, code: 'RPC_OVERLOADED', isDone: false, message: 'too much' },
]

function messageOf(items: readonly CallFrame[]): Uint8Array {
  const writer = new ByteWriter()
  for (const frame of items) writeFrame(writer, frame)
  return writer.finish()
}

describe('frames', () => {
  it('come out of a message as they went in', () => {
    expect(readFrames(messageOf(frames))).toEqual(frames)
  })

  it('that end too early or are unknown are malformed', () => {
    const message = messageOf(frames)
    const whole = new Set(frames.map((_, i) => messageOf(frames.slice(0, i)).length))
    for (let length = 0; length < message.length; length++) {
      if (whole.has(length)) expect(readFrames(message.subarray(0, length)).length).toBeLessThan(frames.length)
      else expect(() => readFrames(message.subarray(0, length))).toThrow(expect.objectContaining({ code: 'RPC_MALFORMED' }) as Error)
    }
    expect(() => readFrames(Uint8Array.of(77, 0, 0, 0, 0))).toThrow('unknown')
  })

  it('of one turn leave in one message, long replies in pieces that others go between', async () => {
    const written: CallFrame[][] = []
    let drain = (): void => undefined
    const outbox = new FrameOutbox({ write: (message) => written.push(readFrames(message.slice())) > 2, once: (_event, listener) => (drain = listener) })
    const long = Uint8Array.from({ length: 2 * PIECE_BYTES + 5 }, (_, i) => i)
    outbox.send({ kind: 'reply', id: 1, isLast: true, body: long })
    outbox.send({ kind: 'reply', id: 2, isLast: true, body: Uint8Array.of(7) })
    outbox.send({ kind: 'reply', id: 3, isLast: true, body: Uint8Array.of(8) })
    expect(outbox.withdraw(3)).toBe(true)
    await Promise.resolve()
    // The sink wanted to be left alone after the first.
    expect(written.map((message) => message.map(({ id }) => id))).toEqual([[1]])
    drain()
    expect(written[1]?.map(({ id }) => id)).toEqual([2, 1])
    drain()
    const pieces = written.flat().flatMap((frame) => (frame.kind === 'reply' && frame.id === 1 ? [frame] : []))
    expect(pieces.map(({ isLast }) => isLast)).toEqual([false, false, true])
    expect(Buffer.concat(pieces.map(({ body }) => body)).equals(long)).toBe(true)
    outbox.send({ kind: 'cancel', id: 5 })
    outbox.close()
    outbox.send({ kind: 'cancel', id: 6 })
    await Promise.resolve()
    expect(written.flat().filter(({ kind }) => kind === 'cancel')).toEqual([{ kind: 'cancel', id: 5 }])
  })
})

const MAX_BYTES = 1024 * 1024

describe('calls on one stream', () => {
  const open = async (serve: ServeBytes, limits: { readonly maxCalls?: number } = {}): Promise<{ transport: Transport; server: TransportServer; call: (path: string, body?: Uint8Array, timeoutMs?: number) => Promise<Uint8Array> }> => {
    const transport = createGrpcTransport({ host: '127.0.0.1', port: 0, clock: systemClock, closeGraceMs: 100, maxBytes: MAX_BYTES, ...limits })
    const server = await transport.serve(['Echo/echo', 'Echo/large', 'Echo/hang'], serve)
    closers.push(() => server.close(), () => transport.close())
    return { transport, server, call: (path, body = new Uint8Array(0), timeoutMs = 10_000) => transport.call(server.address, path, body, { timeoutMs }) }
  }

  it('are answered each with its own, in whatever order, long ones too', async () => {
    const { call } = await open(async (path, request) => {
      if (path === 'Echo/large') return Uint8Array.from({ length: 5 * PIECE_BYTES }, (_, i) => i + (request[0] ?? 0))
      await new Promise((resolve) => setImmediate(resolve))
      return request.slice()
    })
    const asked = Array.from({ length: 200 }, (_, i) => i)
    const replies = await Promise.all(asked.map((i) => call(i % 20 === 0 ? 'Echo/large' : 'Echo/echo', Uint8Array.of(i))))
    expect(replies.map((reply) => reply[0])).toEqual(asked)
    expect(replies.map((reply) => reply.length)).toEqual(asked.map((i) => (i % 20 === 0 ? 5 * PIECE_BYTES : 1)))
    // Beyond a piece: by itself.
    const body = new Uint8Array(PIECE_BYTES + 1).fill(3)
    expect(Buffer.compare(await call('Echo/echo', body), body)).toBe(0)
  })

  it('beyond what a process takes at once are refused, and surely not done', async () => {
    const signals: AbortSignal[] = []
    const { call } = await open((path, request, signal) => {
      if (path === 'Echo/echo') return Promise.resolve(request)
      signals.push(signal)
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }))
    }, { maxCalls: 1 })
    const hanging = call('Echo/hang', undefined, 300)
    const refused = call('Echo/echo')
    await expect(refused).rejects.toMatchObject({ code: 'RPC_OVERLOADED', outcome: 'not-applied', retryable: true })
    await expect(hanging).rejects.toMatchObject({ code: 'RPC_TIMEOUT', outcome: 'unknown' })
    for (let turn = 0; signals[0]?.aborted !== true && turn < 1_000; turn++) await new Promise((resolve) => setTimeout(resolve, 10))
    expect((await call('Echo/echo', Uint8Array.of(4)))[0]).toBe(4)
  })

  it('whose replies are too large fail alone', async () => {
    const { call } = await open(async (path, request) => (path === 'Echo/large' ? new Uint8Array(MAX_BYTES + 1) : request))
    await expect(call('Echo/large')).rejects.toMatchObject({ code: 'RPC_TOO_LARGE', outcome: 'unknown' })
    expect((await call('Echo/echo', Uint8Array.of(1)))[0]).toBe(1)
  })

  it('end with a process that stops: those under way are answered, or known to be given up, and its successor is called anew', async () => {
    let answer = (_reply: Uint8Array): void => undefined
    const started: string[] = []
    const serve: ServeBytes = (path, request) => {
      started.push(path)
      return path === 'Echo/echo' ? Promise.resolve(request) : new Promise((resolve) => (answer = resolve))
    }
    const { transport, server, call } = await open(serve)
    const underWay = call('Echo/hang')
    while (started.length === 0) await new Promise((resolve) => setImmediate(resolve))
    const closed = server.close()
    answer(Uint8Array.of(5))
    expect((await underWay)[0]).toBe(5)
    await closed
    await expect(call('Echo/echo')).rejects.toMatchObject({ code: 'RPC_UNAVAILABLE', retryable: true, outcome: 'not-applied' })
    const port = Number(server.address.split(':')[1])
    const successor = createGrpcTransport({ host: '127.0.0.1', port, clock: systemClock, closeGraceMs: 100 })
    const again = await successor.serve(['Echo/echo', 'Echo/hang'], serve)
    closers.push(() => successor.close(), () => again.close())
    let reply: Uint8Array | undefined
    // A client that could not connect waits a moment before it tries again.
    for (let turn = 0; reply === undefined && turn < 500; turn++) {
      reply = await transport.call(again.address, 'Echo/echo', Uint8Array.of(6), { timeoutMs: 10_000 }).catch(() => undefined)
      if (reply === undefined) await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(reply?.[0]).toBe(6)
    const lost = transport.call(again.address, 'Echo/hang', new Uint8Array(0), { timeoutMs: 10_000 })
    const failure = lost.catch((error: unknown) => error)
    while (started.at(-1) !== 'Echo/hang') await new Promise((resolve) => setImmediate(resolve))
    await again.close()
    expect(await failure).toMatchObject({ code: 'RPC_UNAVAILABLE', outcome: 'unknown' })
  })

  it('of a peer that sends no frames fail no others', async () => {
    const { server, call } = await open(async (_path, request) => request)
    const client = new grpc.Client(server.address, grpc.credentials.createInsecure())
    closers.push(() => client.close())
    const id = (bytes: Buffer): Buffer => bytes
    const stream = client.makeBidiStreamRequest('/timetick.internal.Calls/stream', id, id)
    const ended = new Promise((resolve) => stream.on('error', resolve).on('end', resolve).resume())
    stream.write(Buffer.from([1, 2, 3, 4, 5, 6, 7]))
    await ended
    expect((await call('Echo/echo', Uint8Array.of(2)))[0]).toBe(2)
  })
})
