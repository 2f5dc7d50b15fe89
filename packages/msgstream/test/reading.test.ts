import { describe, expect, it } from 'vitest'
import {
  createTimeTick, createTsMsg, encodeEnvelope, END_OF_STREAM, openMsgStream, openTtMsgStream, startTimeTickProducer, UnmarshalDispatcher,
  type ChannelStall, type DeadLetter, type Mq, type MsgPack, type MsgPosition, type PositionStore, type TsMsg, type TtMsgStream, type TtMsgStreamOptions,
} from '../src/index.ts'
import { createMemoryMq } from '../src/memory.ts'
import { flush, ManualClock } from './helpers.ts'

const ms = (value: number): bigint => BigInt(value) << 18n
const data = (ts: bigint, type = 400): TsMsg => createTsMsg({ type, ts, id: ts, body: new Uint8Array(20) })
const times = (pack: MsgPack | undefined): bigint[] => (pack?.msgs ?? []).map(({ endTs }) => endTs)

async function write(mq: Mq, channel: string, ...items: (TsMsg | bigint)[]): Promise<void> {
  const producer = await mq.openProducer(channel)
  await producer.send(items.map((item) => encodeEnvelope(typeof item === 'bigint' ? createTimeTick(item) : item)))
}

async function open(options: Partial<TtMsgStreamOptions>, channels = ['a', 'b']): Promise<{ mq: Mq; stream: TtMsgStream; clock: ManualClock; advance(byMs: number): Promise<void> }> {
  const mq = options.mq ?? createMemoryMq()
  const clock = new ManualClock()
  for (const channel of channels) await mq.createChannel(channel)
  const stream = await openTtMsgStream({ mq, clock, ...options })
  await stream.asConsumer(channels, { from: 'earliest' })
  const advance = async (byMs: number): Promise<void> => {
    for (let passed = 0; passed < byMs; passed += 100) {
      clock.advance(100)
      await flush()
    }
  }
  return { mq, stream, clock, advance }
}

describe('idle channels', () => {
  it('`wait`: the stall is told once, and the frontier stands', async () => {
    const stalls: ChannelStall[] = []
    const { mq, stream, advance } = await open({ idle: { afterMs: 1000, mode: 'wait' }, onStall: (stall) => stalls.push(stall) })
    await write(mq, 'a', data(5n), 10n)
    const waiting = stream.consume()
    await flush()
    await advance(3000)
    expect(stalls).toMatchObject([{ channel: 'b', tick: 0n }])
    expect(stalls[0]?.silentMs).toBeGreaterThanOrEqual(1000)
    await write(mq, 'b', 10n)
    expect(times(await waiting)).toEqual([5n])
    await stream.close()
  })

  it('`exclude`: the frontier goes on without it; what it brings below is late, and is not lost by a restart', async () => {
    const { mq, stream, advance } = await open({ idle: { afterMs: 1000, mode: 'exclude' } })
    await write(mq, 'b', 1n)
    await write(mq, 'a', data(5n), 10n)
    expect((await stream.consume())?.endTs).toBe(1n)
    const waiting = stream.consume()
    await flush()
    for (let i = 0; i < 20; i++) {
      await advance(100)
      await write(mq, 'a', 10n)
    }
    const pack = (await waiting) as MsgPack
    expect([pack.endTs, times(pack), stream.metrics().channels.map(({ idle }) => idle)]).toEqual([10n, [5n], [false, true]])
    await write(mq, 'b', data(7n), 20n)
    await write(mq, 'a', data(12n), 20n)
    const next = (await stream.consume()) as MsgPack
    expect(next.msgs.map(({ endTs, late }) => [endTs, late])).toEqual([[12n, undefined], [7n, true]])
    expect(stream.metrics().channels.map(({ idle }) => idle)).toEqual([false, false])
    const again = await openTtMsgStream({ mq })
    await again.asConsumer(['a', 'b'], { positions: pack.endPositions })
    const replayed: bigint[] = []
    while (again.frontier < 20n) replayed.push(...times(await again.consume()))
    expect(replayed.sort((x, y) => Number(x - y))).toEqual([7n, 12n])
    await Promise.all([stream.close(), again.close()])
  })

  it('with everybody silent nothing moves, and a paused channel is not idle', async () => {
    const stalls: ChannelStall[] = []
    const { stream, advance } = await open({ idle: { afterMs: 1000, mode: 'exclude' }, onStall: (stall) => stalls.push(stall) })
    stream.pause(['b'])
    stream.start()
    await advance(2000)
    expect(stalls.map(({ channel }) => channel)).toEqual(['a'])
    stream.resume()
    await advance(2000)
    expect(stream.frontier).toBe(0n)
    await stream.close()
  })

  it('a closed stream leaves no timer', async () => {
    const { stream, clock } = await open({ idle: { afterMs: 1000, mode: 'wait' } })
    stream.start()
    expect(clock.timers).toBe(1)
    await stream.close()
    expect(clock.timers).toBe(0)
  })
})

describe('limits', () => {
  it('a channel that is further ahead than `maxDriftMs` pauses until the others come', async () => {
    const { mq, stream } = await open({ maxDriftMs: 100 })
    for (let i = 1; i <= 50; i++) await write(mq, 'a', ...Array.from({ length: 1023 }, () => data(ms(i * 50) - 1n)), ms(i * 50))
    const waiting = stream.consume()
    for (let i = 0; i < 200; i++) await flush()
    expect(stream.states()[0]?.tick).toBeLessThanOrEqual(ms(200))
    await write(mq, 'b', ms(5000))
    await waiting
    while (stream.frontier < ms(2500)) await stream.consume()
    await stream.close()
  })

  it('one tick interval beyond `maxCatchUpBytes` fails the stream', async () => {
    const { mq, stream } = await open({ maxBufferedBytes: 1000, maxCatchUpBytes: 10_000 }, ['a'])
    await write(mq, 'a', ...Array.from({ length: 1000 }, () => data(5n)))
    await expect(stream.consume()).rejects.toMatchObject({ code: 'MSG_BUFFER_FULL', details: { channel: 'a' } })
    await stream.close()
  })

  it('a million waiting messages beside a fresh channel stay within the limit', async () => {
    const mq = createMemoryMq()
    const producer = await mq.openProducer('a')
    const frame = encodeEnvelope(data(1n))
    let ts = 1n
    for (let sent = 0; sent < 1_000_000; sent += 1000) {
      new DataView(frame.buffer, frame.byteOffset).setBigUint64(8, ++ts, true)
      new DataView(frame.buffer, frame.byteOffset).setBigUint64(16, ts, true)
      await producer.send(Array.from({ length: 1000 }, () => frame))
      await producer.send([encodeEnvelope(createTimeTick(ts))])
    }
    await write(mq, 'b', ts)
    const maxBufferedBytes = 2 << 20
    const stream = await openTtMsgStream({ mq, maxBufferedBytes, maxBufferedMessages: 1_000_000 })
    await stream.asConsumer(['a', 'b'], { from: 'earliest' })
    let [count, most] = [0, 0]
    while (stream.frontier < ts) {
      count += (await stream.consume())?.msgs.length ?? 0
      for (const { bufferedBytes } of stream.states()) most = Math.max(most, bufferedBytes)
    }
    expect(count).toBe(1_000_000)
    expect(most).toBeGreaterThan(0)
    // The limit, and what one read brings.
    expect(most).toBeLessThanOrEqual(maxBufferedBytes + (1 << 20) + frame.length)
    await stream.close()
  }, 60_000)
})

describe('late data, order, dead letters', () => {
  it('`divert` gives late data to the side output only', async () => {
    const side: TsMsg[] = []
    const { mq, stream } = await open({ late: 'divert', onLate: (msg) => side.push(msg) }, ['a'])
    await write(mq, 'a', 10n, data(7n), data(12n), 20n)
    expect([await stream.consume(), await stream.consume()].map(times)).toEqual([[], [12n]])
    expect(side).toMatchObject([{ endTs: 7n, late: true, position: { channel: 'a' } }])
    expect(stream.metrics().late).toBe(1)
    await stream.close()
  })

  it('`order: time` sorts a pack by time, equal ones by channel', async () => {
    const { mq, stream } = await open({ order: 'time' })
    await write(mq, 'a', data(5n), data(3n), data(9n), 10n)
    await write(mq, 'b', data(4n), data(3n), 10n)
    const pack = await stream.consume()
    expect(pack?.msgs.map(({ endTs, position }) => `${endTs}${position?.channel}`)).toEqual(['3a', '3b', '4b', '5a', '9a'])
    await stream.close()
  })

  it('`dead-letter` hands over what cannot be read, with its place and the reason, and goes on', async () => {
    const letters: DeadLetter[] = []
    const dispatcher = new UnmarshalDispatcher({ unknownType: 'dead-letter', decodeError: 'dead-letter', onDeadLetter: (letter) => letters.push(letter) })
    dispatcher.addMsgTemplate(400, (raw) => raw).addMsgTemplate(401, () => {
      throw new Error('bad body')
    })
    const { mq, stream } = await open({ dispatcher }, ['a'])
    const producer = await mq.openProducer('a')
    await producer.send([new Uint8Array([1, 2]), encodeEnvelope(data(1n, 7)), encodeEnvelope(data(2n, 401)), encodeEnvelope(data(3n)), encodeEnvelope(createTimeTick(5n))])
    expect(times(await stream.consume())).toEqual([3n])
    expect(letters.map(({ error, place }) => [error.code, place?.channel])).toEqual([['MSG_DECODE_FAILED', 'a'], ['MSG_UNKNOWN_TYPE', 'a'], ['MSG_DECODE_FAILED', 'a']])
    expect(letters[0]?.frame).toEqual(new Uint8Array([1, 2]))
    expect(dispatcher.counters).toEqual({ decoded: 1, unknown: 1, failed: 2, skipped: 3 })
    await stream.close()
  })

  it('a dead-letter office that throws fails the stream: no letter is lost', async () => {
    const dispatcher = new UnmarshalDispatcher({ decodeError: 'dead-letter', onDeadLetter: () => { throw new Error('office closed') } })
    const { mq, stream } = await open({ dispatcher }, ['a'])
    await (await mq.openProducer('a')).send([new Uint8Array(3)])
    await expect(stream.consume()).rejects.toThrow('office closed')
    await stream.close()
  })
})

describe('acknowledgement', () => {
  const store = (): PositionStore & { saved: (readonly MsgPosition[])[]; fail: unknown } => ({
    saved: [],
    fail: undefined,
    async load() {
      return this.saved.at(-1) ?? []
    },
    async save(_, positions) {
      if (this.fail !== undefined) throw this.fail
      this.saved.push(positions)
    },
  })

  it('`individual` waits when too much is out, and goes on when it is acknowledged', async () => {
    const mq = createMemoryMq()
    await write(mq, 'a', data(1n), data(1n), 1n, data(2n), 2n)
    const kept = store()
    const stream = await openTtMsgStream({ mq })
    await stream.asConsumer(['a'], { from: 'earliest', subscription: 's', store: kept, ack: 'individual', maxUnacknowledged: 2 })
    const first = (await stream.consume()) as MsgPack
    let isThere = false
    const second = stream.consume().then((pack) => ((isThere = true), pack))
    await flush()
    expect(isThere).toBe(false)
    await stream.acknowledge(first.msgs.slice(1))
    expect([times(await second), kept.saved.length]).toEqual([[2n], 0])
    await stream.acknowledge(first.msgs)
    expect(kept.saved.map((it) => it[0]?.timestamp)).toEqual([1n])
    await stream.close()
  })

  it('saves one after the other, the newest wins, and a failed one is said by the next call', async () => {
    const mq = createMemoryMq()
    await write(mq, 'a', 1n, 2n, 3n)
    const kept = store()
    const stream = await openTtMsgStream({ mq })
    await stream.asConsumer(['a'], { from: 'earliest', subscription: 's', store: kept, ack: 'auto' })
    await stream.consume()
    kept.fail = new Error('disk')
    await stream.consume()
    await flush()
    kept.fail = undefined
    await expect(stream.consume()).rejects.toThrow('disk')
    await stream.consume()
    await Promise.all([stream.commit(), stream.commit(), stream.commit()])
    expect(kept.saved.map((it) => it[0]?.timestamp)).toEqual([2n, 3n])
    await stream.close()
  })

  it('refuses what cannot be', async () => {
    const mq = createMemoryMq()
    await mq.createChannel('a')
    const stream = await openTtMsgStream({ mq })
    for (const bad of [{ store: store() }, { ack: 'auto' }, { ack: 'x' }, { subscription: '' }, { subscription: 's', store: {} }, { until: 'x' }, { onExpired: 'x' }]) {
      await expect(stream.asConsumer(['a'], bad as never)).rejects.toThrow(TypeError)
    }
    await expect(stream.asConsumer(['a'], { maxUnacknowledged: 0 })).rejects.toThrow(RangeError)
    await stream.asConsumer(['a'])
    await expect(stream.commit([])).rejects.toThrow(TypeError)
    await expect(stream.acknowledge([])).rejects.toThrow(TypeError)
    for (const bad of [{ idle: 5 }, { idle: { mode: 'x' } }, { idle: { afterMs: 0, mode: 'wait' } }, { late: 'divert' }, { onStall: 1 }, { maxDriftMs: -1 }, { maxCatchUpBytes: 1 }, { order: 'x' }]) {
      await expect(openTtMsgStream({ mq, ...bad } as never)).rejects.toThrow(/expected `/)
    }
    expect(() => new UnmarshalDispatcher({ decodeError: 'dead-letter' })).toThrow(TypeError)
    await stream.close()
  })
})

it('a reader that retention overtook goes on where it was told to', async () => {
  const mq = createMemoryMq({ maxBytesPerChannel: 300, whenFull: 'drop-oldest' })
  await write(mq, 'a', data(1n))
  const stream = await openMsgStream({ mq })
  await stream.asConsumer(['a'], { from: 'earliest', onExpired: 'earliest' })
  for (let ts = 2n; ts < 30n; ts++) await write(mq, 'a', data(ts))
  expect(times(await stream.consume())[0]).toBeGreaterThan(1n)
  expect(stream.metrics().channels[0]?.expired).toBe(1)
  await stream.close()
})

it('a tick producer can end the stream', async () => {
  const mq = createMemoryMq()
  let ts = 0n
  const writer = await startTimeTickProducer({ mq, channels: ['a'], allocate: async () => ++ts })
  const stream = await openTtMsgStream({ mq })
  await stream.asConsumer(['a'], { from: 'earliest' })
  await writer.write(() => [{ channel: 'a', msgs: [createTsMsg({ type: 400 })] }], ['a'])
  await writer.close({ endOfStream: true })
  const packs: MsgPack[] = []
  for await (const pack of stream) packs.push(pack)
  expect([packs.flatMap(times).length, packs.at(-1)?.endTs]).toEqual([1, END_OF_STREAM])
  await stream.close()
})
