import { Client, Server, ServerCredentials, credentials } from '@grpc/grpc-js'
import { createMemoryKV } from '@timetick/kv/memory'
import { afterEach, describe, expect, test } from 'vitest'
import { addTimestampService, checkTimestampHealth, connectTimestampSource, serveTimestampOracle } from '../src/grpc.ts'
import type { ConnectTimestampSourceOptions, RemoteSourceEvent, RemoteTimestampSource, TimestampServer } from '../src/grpc.ts'
import { TsoError, createRange, openTimestampOracle, startTimestampLeader } from '../src/index.ts'
import type { TimestampRange, TimestampSource } from '../src/index.ts'

const clean: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const step of clean.splice(0).reverse()) await step()
})

async function serve(oracle: TimestampSource, options: { port?: number; maxPending?: number; maxStreams?: number } = {}): Promise<TimestampServer> {
  const server = await serveTimestampOracle({ oracle, ...options })
  clean.push(() => server.close())
  return server
}

function connect(...addresses: string[]): { source: RemoteTimestampSource; events: RemoteSourceEvent[] } {
  return connectWith({ addresses })
}

function connectWith(options: ConnectTimestampSourceOptions): { source: RemoteTimestampSource; events: RemoteSourceEvent[] } {
  const events: RemoteSourceEvent[] = []
  const source = connectTimestampSource({ minBackoffMs: 2, maxBackoffMs: 20, onEvent: (event) => events.push(event), ...options })
  clean.push(() => source.close())
  return { source, events }
}

/** A source that counts requests, and answers as told. */
function counting(answer: (count: number, call: number) => Promise<TimestampRange>): TimestampSource & { counts: number[] } {
  const counts: number[] = []
  return { counts, getTimestamp: (count) => answer(count, counts.push(count)) }
}

const up = (): ((count: number) => Promise<TimestampRange>) => {
  let next = 1n
  return async (count) => {
    const range = createRange(next, count)
    next += BigInt(count)
    return range
  }
}

describe('an oracle over gRPC', () => {
  test('gives what the oracle gives, in order, at once and in ranges', async () => {
    const oracle = await openTimestampOracle({ kv: createMemoryKV() })
    clean.push(() => oracle.close())
    const server = await serve(oracle)
    const { source } = connect(server.address)
    expect(source.states).toMatchObject({ status: 'idle', waiting: 0 })
    let last = 0n
    for (let round = 0; round < 50; round++) {
      const [one, range, ...more] = await Promise.all([source.allocOne(), source.getTimestamp(1_000), source.alloc(262_143), source.allocOne()])
      expect([range.count, one < range.first, one > last]).toEqual([1_000, true, true])
      last = more[1]
    }
    expect(source.states).toMatchObject({ status: 'connected', address: server.address, waiting: 0, inFlight: 0 })
    expect(await checkTimestampHealth({ address: server.address })).toBe(true)
  })

  test('all who ask in one turn share a request; while one is under way a turn waits for its end', async () => {
    const oracle = counting(up())
    const { source } = connect((await serve(oracle)).address)
    await Promise.all(Array.from({ length: 1_000 }, () => source.allocOne()))
    expect(oracle.counts).toEqual([1_000])
    const first = source.allocOne()
    await new Promise<void>((resolve) => process.nextTick(resolve))
    const rest = Array.from({ length: 10 }, () => source.allocOne())
    expect(await first).toBeLessThan((await rest[0]) ?? 0n)
    expect(oracle.counts).toEqual([1_000, 1, 10])
  })

  test('several requests are under way at once, no more than maxInFlight; later turns are merged', async () => {
    const held: (() => void)[] = []
    const next = up()
    const oracle = counting(async (count) => {
      await new Promise<void>((resolve) => held.push(resolve))
      return next(count)
    })
    const { source } = connectWith({ addresses: [(await serve(oracle)).address], maxInFlight: 2, silenceMs: 60_000 })
    const calls: Promise<bigint>[] = []
    for (let turn = 0; turn < 5; turn++) {
      calls.push(source.allocOne())
      await new Promise<void>((resolve) => setImmediate(resolve))
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
    await expect.poll(() => held.length).toBe(2)
    expect(source.states).toMatchObject({ inFlight: 2, waiting: 5 })
    for (const release of held.splice(0)) release()
    await expect.poll(() => held.length).toBe(1)
    held[0]?.()
    expect(new Set(await Promise.all(calls)).size).toBe(5)
    expect(oracle.counts).toEqual([1, 1, 3])
  })

  test('errors of the oracle arrive with their code, at those who asked; nothing sticks', async () => {
    const next = up()
    const oracle = counting((count, call) => {
      if (call === 1) return Promise.reject(new TsoError('TSO_UNAVAILABLE', 'the store is away'))
      if (call === 2) return Promise.reject(new Error('secret'))
      return next(count)
    })
    const { source } = connect((await serve(oracle)).address)
    await expect(source.allocOne()).rejects.toMatchObject({ name: 'TsoError', code: 'TSO_UNAVAILABLE', retryable: true, message: 'the store is away' })
    await expect(source.allocOne()).rejects.toMatchObject({ code: 'TSO_UNAVAILABLE', retryable: false, message: 'internal error' })
    expect(await source.allocOne()).toBe(1n)
  })

  test('a silent oracle: TSO_TIMEOUT, then a new stream', async () => {
    const next = up()
    const oracle = counting((count, call) => (call === 1 ? new Promise(() => undefined) : next(count)))
    const { source, events } = connectWith({ addresses: [(await serve(oracle)).address], timeoutMs: 400, silenceMs: 60_000 })
    await expect(source.allocOne()).rejects.toMatchObject({ code: 'TSO_TIMEOUT', retryable: true })
    expect(await source.allocOne()).toBe(1n)
    expect(events.map(({ type }) => type)).toEqual(['disconnected', 'connected'])
  })

  test('a stopped oracle: what it does not answer is asked at the next address, in time', async () => {
    const [stopped, well] = [await serve(counting(() => new Promise(() => undefined))), await serve(counting(up()))]
    const { source, events } = connectWith({ addresses: [stopped.address, well.address], timeoutMs: 10_000, silenceMs: 300 })
    expect(await Promise.all([source.allocOne(), source.allocOne()])).toEqual([1n, 2n])
    expect(events).toMatchObject([{ type: 'disconnected', error: { message: 'no answer within 300 ms' } }, { type: 'connected', address: well.address }])
  })

  test('a stopped oracle is left in time also after a while without any link', async () => {
    const gone = await serve(counting(up()))
    await gone.close()
    const [stopped, well] = [await serve(counting(() => new Promise(() => undefined))), await serve(counting(up()))]
    const { source, events } = connectWith({ addresses: [gone.address, stopped.address, well.address], timeoutMs: 10_000, silenceMs: 300 })
    expect(await source.allocOne()).toBe(1n)
    expect(events.map(({ type }) => type)).toEqual(['disconnected', 'disconnected', 'connected'])
  })

  test('nobody there: TSO_TIMEOUT with the cause; then somebody', async () => {
    const gone = await serve(counting(up()))
    await gone.close()
    await gone.close()
    const { source } = connectWith({ addresses: [gone.address], timeoutMs: 400, silenceMs: 60_000 })
    await expect(source.allocOne()).rejects.toMatchObject({ code: 'TSO_TIMEOUT', cause: { code: 14 } })
    await expect(checkTimestampHealth({ address: gone.address, timeoutMs: 200 })).rejects.toMatchObject({ code: 'TSO_UNAVAILABLE' })
    await serve(counting(up()), { port: gone.port })
    await expect.poll(() => source.allocOne().catch(() => undefined)).toBe(1n)
  })

  test('a server that goes away under load: every call is served by the next, none twice', async () => {
    const next = up()
    const [a, b] = [await serve(counting(next)), await serve(counting(next))]
    const { source, events } = connect(a.address, b.address)
    const seen = new Set<bigint>()
    let calls = 0
    const caller = async (): Promise<void> => {
      while (calls < 2_000) {
        calls++
        if (calls === 500) void a.close()
        seen.add(await source.allocOne())
      }
    }
    await Promise.all(Array.from({ length: 20 }, caller))
    expect(seen.size).toBe(calls)
    expect(events.map(({ type }) => type)).toContain('disconnected')
    expect(source.states.address).toBe(b.address)
  })

  test('a follower says who leads, and the hint is followed; a leader off the list only if wanted', async () => {
    const leader = await serve(counting(up()))
    const follower = await serve(counting(() => Promise.reject(new TsoError('TSO_NOT_LEADER', 'no', { details: { leader: leader.address } }))))
    const other = await serve(counting(() => Promise.reject(new TsoError('TSO_FENCED', 'gone'))))
    const listed = connect(follower.address, other.address, leader.address)
    expect(await listed.source.allocOne()).toBe(1n)
    expect(listed.events).toEqual([{ type: 'redirected', address: follower.address, leader: leader.address }, { type: 'connected', address: leader.address }])
    const free = connectWith({ addresses: [follower.address], followUnlisted: true })
    expect(await free.source.allocOne()).toBe(2n)
    const strict = connectWith({ addresses: [follower.address, other.address], timeoutMs: 500, silenceMs: 60_000 })
    await expect(strict.source.allocOne()).rejects.toMatchObject({ code: 'TSO_TIMEOUT', cause: { name: 'TsoError' } })
  })

  test('candidates on one store: the source finds the leader, and the next one after a resignation', async () => {
    const kv = createMemoryKV()
    const boxes: { source?: TimestampSource }[] = [{}, {}]
    const ask = (box: { source?: TimestampSource }): TimestampSource => ({
      getTimestamp: (count, options) => box.source?.getTimestamp(count, options) ?? Promise.reject(new TsoError('TSO_NOT_LEADER', 'not yet')),
    })
    const servers = await Promise.all(boxes.map((box) => serve(ask(box))))
    const leaders = servers.map(({ address }) => startTimestampLeader({ kv, name: address, ttlMs: 500, pollMs: 5 }))
    for (const [index, leader] of leaders.entries()) {
      clean.push(() => leader.close())
      Object.assign(boxes[index] ?? {}, { source: leader })
    }
    const { source } = connect(...servers.map(({ address }) => address))
    let last = 0n
    for (let round = 0; round < 4; round++) {
      for (let call = 0; call < 20; call++) {
        const ts = await source.allocOne()
        expect(ts).toBeGreaterThan(last)
        last = ts
      }
      const leading = leaders.find(({ states }) => states.role === 'leading')
      await leading?.resign({ pauseMs: 100 })
    }
  })

  test('an oracle that gives less than before is left, and its answer dropped', async () => {
    const old = await serve(counting(async (count) => createRange(5n, count)))
    const { source, events } = connectWith({ addresses: [old.address], timeoutMs: 500, silenceMs: 60_000 })
    expect(await source.allocOne()).toBe(5n)
    await expect(source.allocOne()).rejects.toMatchObject({ code: 'TSO_TIMEOUT' })
    expect(events.map(({ type }) => type)).toContain('fell-back')
  })

  test('an abort frees one caller alone; close rejects all who wait, also while connecting', async () => {
    const oracle = counting(() => new Promise(() => undefined))
    const { source } = connect((await serve(oracle)).address)
    const controller = new AbortController()
    const [aborted, waiting] = [source.allocOne({ signal: controller.signal }), source.getTimestamp(5)]
    await expect.poll(() => oracle.counts).toEqual([6])
    controller.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')
    const [closed] = await Promise.all([waiting.catch((error: unknown) => error), source.close(), source.close()])
    expect(closed).toMatchObject({ code: 'TSO_CLOSED' })
    await expect(source.allocOne()).rejects.toMatchObject({ code: 'TSO_CLOSED' })
    await expect(source.allocOne({ signal: AbortSignal.abort(new Error('early')) })).rejects.toMatchObject({ code: 'TSO_CLOSED' })
    const lonely = connect('127.0.0.1:1').source
    const call = lonely.allocOne()
    await lonely.close()
    await expect(call).rejects.toMatchObject({ code: 'TSO_CLOSED' })
  })

  test('limits: callers, requests of a stream, streams', async () => {
    const silent = counting(() => new Promise(() => undefined))
    const server = await serve(silent, { maxPending: 1, maxStreams: 1 })
    const { source } = connectWith({ addresses: [server.address], maxWaiting: 3, timeoutMs: 1_000, silenceMs: 60_000 })
    const first = source.allocOne().catch((error: unknown) => error)
    await expect.poll(() => silent.counts.length).toBe(1)
    await expect(source.allocOne()).rejects.toMatchObject({ code: 'TSO_OVERLOADED' })
    const late = [1, 2, 3].map(() => source.allocOne())
    await expect(late[2]).rejects.toThrow('more than 3 callers')
    await Promise.allSettled(late)
    const second = connectWith({ addresses: [server.address], timeoutMs: 600, silenceMs: 60_000 })
    await expect(second.source.allocOne()).rejects.toMatchObject({ code: 'TSO_TIMEOUT', cause: { code: 8 } })
    await source.close()
    await first
  })

  test('foreign bytes and bad counts do no harm', async () => {
    const oracle = await openTimestampOracle({ kv: createMemoryKV() })
    clean.push(() => oracle.close())
    const server = new Server()
    const endStreams = addTimestampService(server, { oracle })
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, got) => (error === null ? resolve(got) : reject(error)))
    })
    const raw = new Client(`127.0.0.1:${port}`, credentials.createInsecure())
    const ask = (bytes: number[]): Promise<unknown> => new Promise((resolve) => {
      const call = raw.makeBidiStreamRequest('/timetick.tso.v1.TimestampOracle/Stream', (value: Buffer) => value, (value) => value)
      call.on('error', resolve)
      call.on('data', (data: Buffer) => {
        resolve(data.toString('latin1'))
        call.cancel()
      })
      call.write(Buffer.from(bytes))
    })
    expect(await ask([0xff, 0xff])).toBeInstanceOf(Error)
    expect(await ask([])).toContain('expected `count`')
    expect(await ask([0x15, 0xff, 0xff, 0xff, 0xff])).toContain('expected `count`')
    expect(await connect(`127.0.0.1:${port}`).source.allocOne()).toBeGreaterThan(0n)
    raw.close()
    endStreams()
    server.forceShutdown()
  })

  test('bad options are refused', async () => {
    const oracle = counting(up())
    const wrong: [unknown, string][] = [
      [undefined, 'the options'], [{}, '`addresses`'], [{ addresses: [] }, '`addresses`'], [{ addresses: ['x'] }, '`addresses`'], [{ addresses: [7] }, '`addresses`'],
      [{ addresses: ['a:1'], timeoutMs: 0 }, '`timeoutMs`'], [{ addresses: ['a:1'], maxInFlight: 0 }, '`maxInFlight`'], [{ addresses: ['a:1'], silenceMs: 0 }, '`silenceMs`'],
      [{ addresses: ['a:1'], minBackoffMs: 9, maxBackoffMs: 5 }, '`maxBackoffMs`'], [{ addresses: ['a:1'], clock: 1 }, '`clock`'],
    ]
    for (const [options, text] of wrong) expect(() => connectTimestampSource(options as ConnectTimestampSourceOptions)).toThrow(text)
    await expect(serveTimestampOracle({ oracle, port: 70_000 })).rejects.toThrow('`port`')
    await expect(serveTimestampOracle({ oracle, host: '' })).rejects.toThrow('`host`')
    await expect(serveTimestampOracle({ oracle: {} as TimestampSource })).rejects.toThrow('`oracle`')
    const taken = await serve(oracle)
    await expect(serveTimestampOracle({ oracle, port: taken.port })).rejects.toThrow('No address')
    await expect(checkTimestampHealth({ address: 'x' })).rejects.toThrow('`address`')
    const { source } = connect(taken.address)
    for (const count of [0, 262_144, 1.5, '1']) await expect(source.getTimestamp(count as number)).rejects.toThrow('`count`')
  })
})
