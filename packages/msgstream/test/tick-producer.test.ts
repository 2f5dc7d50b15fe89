import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createTsMsg, isMsgStreamError, openTtMsgStream, startTimeTickProducer, type MsgPack, type Mq, type MqProducer } from '../src/index.ts'
import { decodeEnvelope } from '../src/envelope.ts'
import { createMemoryMq } from '../src/memory.ts'
import { ManualClock, delayedMq, flush } from './helpers.ts'

function counter(start = 0n) {
  let last = start
  return async () => ++last
}

const insert = (n: number) => createTsMsg({ type: 400, id: BigInt(n), hashKeys: [n] })

describe('time tick producer', () => {
  it('a tick never reaches a write that is not acknowledged, and every write is in the pack of its time', async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('write' as const), mask: fc.integer({ min: 1, max: 7 }) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('ack' as const), mask: fc.integer({ min: 0, max: 100 }) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('period' as const), mask: fc.constant(0) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('request' as const), mask: fc.integer({ min: 1, max: 7 }) }) },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.boolean(), async (steps, transient) => {
        const channels = ['a', 'b', 'c']
        const mq = delayedMq(createMemoryMq(), transient)
        const clock = new ManualClock()
        const ticks = await startTimeTickProducer({ mq, channels, allocate: counter(), intervalMs: 10, clock })
        const stream = await openTtMsgStream({ mq })
        await stream.asConsumer(channels, { from: 'earliest' })
        const packs: MsgPack[] = []
        const reading = (async () => {
          for await (const pack of stream) packs.push(pack)
        })()
        const unacked = new Set<number>()
        const expected = new Map<bigint, { ts: bigint; copies: number }>()
        const writes: Promise<unknown>[] = []
        let n = 0
        const of = (mask: number) => channels.filter((_, i) => (mask & (1 << i)) !== 0)
        const check = () => {
          for (const name of channels) {
            const data = mq.heldFrames(name).map(decodeEnvelope).filter(({ type }) => type === 400)
            for (const { endTs } of data) expect(ticks.lastTick(name)).toBeLessThan(endTs)
          }
        }
        for (const { kind, mask } of steps) {
          if (kind === 'write') {
            const id = ++n
            const names = of(mask)
            writes.push(
              ticks
                .write((ts) => {
                  for (const name of names) expect(ticks.lastTick(name)).toBeLessThan(ts)
                  unacked.add(id)
                  expected.set(BigInt(id), { ts, copies: names.length })
                  return names.map((channel) => ({ channel, msgs: [insert(id)] }))
                }, names)
                .then(() => unacked.delete(id)),
            )
          } else if (kind === 'ack') mq.release(mask)
          else if (kind === 'period') clock.advance(10)
          else ticks.requestTick(of(mask), BigInt(n + 1))
          if (mask % 2 === 0) await flush()
          check()
        }
        while (mq.held() > 0 || unacked.size > 0 || expected.size < n) {
          mq.release(0)
          await flush()
          check()
        }
        await Promise.all(writes)
        const last = [...expected.values()].reduce((max, { ts }) => (ts > max ? ts : max), 0n)
        for (let i = 0; stream.frontier < last && i < 1000; i++) {
          clock.advance(10)
          while (mq.held() > 0) mq.release(0)
          await flush()
        }
        expect(stream.frontier).toBeGreaterThanOrEqual(last)
        await stream.close()
        await reading
        mq.open()
        await ticks.close()
        const seen = new Map<bigint, number>()
        let end = 0n
        for (const pack of packs) {
          expect(pack.beginTs).toBe(end)
          end = pack.endTs
          for (const msg of pack.msgs) {
            expect(msg.endTs > pack.beginTs && msg.endTs <= pack.endTs && msg.late !== true).toBe(true)
            expect(msg.endTs).toBe(expected.get(msg.id)?.ts)
            seen.set(msg.id, (seen.get(msg.id) ?? 0) + 1)
          }
        }
        expect(seen).toEqual(new Map([...expected].map(([id, { copies }]) => [id, copies])))
      }),
      { numRuns: 150 },
    )
  })

  it('keeps many writes in flight, appended in the order of their timestamps', async () => {
    const mq = delayedMq(createMemoryMq(), true)
    const ticks = await startTimeTickProducer({ mq, channels: ['a'], allocate: counter(), clock: new ManualClock() })
    const writes = Array.from({ length: 50 }, (_, i) => ticks.write(() => [{ channel: 'a', msgs: [insert(i)] }], ['a']))
    await flush()
    expect(mq.held()).toBe(50)
    mq.open()
    const results = await Promise.all(writes)
    const times = results.map(({ timestamp }) => timestamp)
    expect(times).toEqual([...times].sort((x, y) => Number(x - y)))
    const reader = await mq.openReader('a', { at: 'earliest' })
    const batch = await reader.read()
    expect(batch?.frames.map((frame) => decodeEnvelope(frame).endTs)).toEqual(times)
    await ticks.close()
  })

  it('keeps the order when the allocator answers concurrent calls in another order', async () => {
    let last = 0n
    const answers: (() => void)[] = []
    const allocate = () => new Promise<bigint>((resolve) => answers.push(() => resolve(++last)))
    const ticks = await startTimeTickProducer({ mq: createMemoryMq(), channels: ['a'], allocate, clock: new ManualClock() })
    const order: bigint[] = []
    const writes = [1, 2, 3].map((n) => ticks.write((ts) => (order.push(ts), [{ channel: 'a', msgs: [insert(n)] }]), ['a']))
    for (let i = 0; order.length < 3 && i < 20; i++) {
      for (const answer of answers.splice(0).reverse()) answer()
      await flush()
    }
    await Promise.all(writes)
    expect(order.every((ts, i) => i === 0 || ts > (order[i - 1] as bigint))).toBe(true)
    await ticks.close()
  })

  it('an asked-for tick comes at once, or as soon as the write that holds it is acknowledged', async () => {
    const mq = delayedMq(createMemoryMq(), true)
    const ticks = await startTimeTickProducer({ mq, channels: ['a'], allocate: counter(), clock: new ManualClock() })
    ticks.requestTick(['a'], 1n)
    await flush()
    expect(ticks.lastTick('a')).toBe(1n)
    const write = ticks.write(() => [{ channel: 'a', msgs: [insert(1)] }], ['a'])
    await flush()
    ticks.requestTick(['a'], 2n)
    await flush()
    expect(ticks.lastTick('a')).toBe(1n)
    mq.release(0)
    await write
    await flush()
    expect(ticks.lastTick('a')).toBeGreaterThanOrEqual(2n)
    await ticks.close()
  })

  it('after an unknown outcome it is failed for good and ticks stop there', async () => {
    const mq = delayedMq(createMemoryMq(), true)
    const clock = new ManualClock()
    const ticks = await startTimeTickProducer({ mq, channels: ['a', 'b'], allocate: counter(), intervalMs: 10, clock })
    const write = ticks.write(() => [{ channel: 'a', msgs: [insert(1)] }], ['a'])
    await flush()
    mq.failNext(new Error('connection lost'))
    const error: unknown = await write.catch((it: unknown) => it)
    expect(isMsgStreamError(error, 'MSG_PRODUCE_FAILED') && error.outcome).toBe('unknown')
    const before = ticks.lastTick('a')
    clock.advance(10)
    await flush()
    expect(ticks.lastTick('a')).toBe(before)
    expect(ticks.lastTick('b')).toBeGreaterThan(0n)
    await expect(ticks.write(() => [], ['a'])).rejects.toMatchObject({ code: 'MSG_PRODUCER_FAILED', outcome: 'not-applied' })
    await ticks.close()
  })

  it('stores a tick after data, hands over the idle ones', async () => {
    const mq = createMemoryMq()
    const clock = new ManualClock()
    const ticks = await startTimeTickProducer({ mq, channels: ['a'], allocate: counter(), intervalMs: 10, clock })
    const stored = async () => {
      const { first, last } = await mq.bounds('a')
      return first === undefined || last === undefined ? 0 : Number(new DataView(last.bytes.buffer).getBigUint64(0)) + 1
    }
    for (let i = 0; i < 5; i++) {
      clock.advance(10)
      await flush()
    }
    expect(await stored()).toBe(0)
    await ticks.write(() => [{ channel: 'a', msgs: [insert(1)] }], ['a'])
    for (let i = 0; i < 5; i++) {
      clock.advance(10)
      await flush()
    }
    expect(await stored()).toBe(2)
    await ticks.close()
  })

  it('refuses bad calls, and does nothing of them', async () => {
    const mq: Mq = createMemoryMq()
    const ticks = await startTimeTickProducer({ mq, channels: ['a'], allocate: counter(), clock: new ManualClock() })
    await expect(ticks.write(() => [], ['z'])).rejects.toThrow(/channels of this producer/)
    await expect(ticks.write(() => [{ channel: 'z', msgs: [insert(1)] }], ['a'])).rejects.toThrow(/channels of the call/)
    await expect(ticks.write(() => { throw new Error('no') }, ['a'])).rejects.toThrow('no')
    await expect(ticks.write(() => [], ['a'], { signal: AbortSignal.abort('stop') })).rejects.toBe('stop')
    expect(() => ticks.requestTick(['a'], 1 as unknown as bigint)).toThrow(TypeError)
    expect((await mq.bounds('a')).last).toBeUndefined()
    await ticks.close()
    await ticks.close()
    await expect(ticks.write(() => [], ['a'])).rejects.toMatchObject({ code: 'MSG_CLOSED' })
    await expect(ticks.addChannel('b')).rejects.toMatchObject({ code: 'MSG_CLOSED' })
  })

  it('leaves nothing open when a channel cannot be opened', async () => {
    const mq = createMemoryMq()
    const opened: MqProducer[] = []
    const failing: Mq = Object.assign(Object.create(mq) as Mq, {
      features: mq.features,
      openProducer: async (channel: string) => {
        if (channel === 'b') throw new Error('down')
        const producer = await mq.openProducer(channel)
        opened.push(producer)
        return producer
      },
    })
    await expect(startTimeTickProducer({ mq: failing, channels: ['a', 'b'], allocate: counter() })).rejects.toThrow('down')
    await expect(opened[0]?.send([new Uint8Array(1)])).rejects.toMatchObject({ code: 'MSG_CLOSED' })
  })
})
