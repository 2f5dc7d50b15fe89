import { describe, expect, it } from 'vitest'
import { createMsgDispatcher, type MsgDispatcher, type VirtualChannel } from '../src/dispatcher.ts'
import { createTimeTick, createTsMsg, encodeEnvelope, END_OF_STREAM, type Mq, type MqProducer, type MsgPack } from '../src/index.ts'
import { createMemoryMq } from '../src/memory.ts'
import { seeded } from './faulty-fs.ts'
import { flush, ManualClock } from './helpers.ts'

const tick = (ts: bigint): Uint8Array => encodeEnvelope(createTimeTick(ts))
const data = (ts: bigint, vchannel?: string): Uint8Array => encodeEnvelope(createTsMsg({ type: 400, ts, id: ts, properties: vchannel === undefined ? {} : { vchannel } }))
const ids = (packs: readonly MsgPack[]): bigint[] => packs.flatMap(({ msgs }) => msgs.map(({ id }) => id))

async function open(more: object = {}): Promise<{ mq: Mq; producer: MqProducer; clock: ManualClock; dispatcher: MsgDispatcher }> {
  const mq = createMemoryMq()
  const producer = await mq.openProducer('p')
  const clock = new ManualClock()
  return { mq, producer, clock, dispatcher: createMsgDispatcher({ mq, channel: 'p', clock, ...more }) }
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await flush()
}

async function readUntil(channel: VirtualChannel, ts: bigint): Promise<MsgPack[]> {
  const packs: MsgPack[] = []
  while (channel.frontier < ts) packs.push((await channel.consume()) as MsgPack)
  return packs
}

describe('a dispatcher', () => {
  it('gives each virtual channel its own messages and those for all, in packs that tile time', async () => {
    const { producer, dispatcher } = await open()
    await producer.send([data(1n, 'v1'), data(2n, 'v2'), data(3n), tick(5n), tick(10n), data(12n, 'v12'), data(13n, 'v1'), tick(15n)])
    const [one, two] = await Promise.all(['v1', 'v2'].map((vchannel) => dispatcher.register({ vchannel, from: 'earliest' })))
    const packs = [await readUntil(one as VirtualChannel, 15n), await readUntil(two as VirtualChannel, 15n)]
    expect(packs.map(ids)).toEqual([[1n, 3n, 13n], [2n, 3n]])
    for (const list of packs) expect(list.map(({ beginTs, endTs }) => [beginTs, endTs])).toEqual([[0n, 5n], [5n, 10n], [10n, 15n]])
    const [first] = packs[0] as MsgPack[]
    const again = await dispatcher.register({ vchannel: 'v1-again', position: first?.endPositions[0] })
    expect((await readUntil(again, 15n)).map(({ beginTs }) => beginTs)).toEqual([5n, 10n])
    await dispatcher.close()
  })

  it('serves all from one consumer once they stand at the same place', async () => {
    const { producer, dispatcher } = await open()
    await producer.send([data(1n, 'v0'), tick(5n), data(6n, 'v1'), tick(10n)])
    const channels = await Promise.all(['v0', 'v1', 'v2'].map((vchannel, i) => dispatcher.register({ vchannel, from: i === 2 ? 'latest' : 'earliest' })))
    expect(dispatcher.states().consumers).toBeLessThanOrEqual(3)
    for (let ts = 20n; dispatcher.states().consumers > 1 && ts < 40n; ts++) {
      await producer.send([tick(ts)])
      await settle()
    }
    expect(dispatcher.states()).toMatchObject({ consumers: 1, channels: [{ isSplit: false }, { isSplit: false }, { isSplit: false }] })
    await producer.send([data(50n), tick(60n)])
    expect((await Promise.all(channels.map((it) => readUntil(it, 60n)))).map(ids)).toEqual([[1n, 50n], [6n, 50n], [50n]])
    await dispatcher.close()
  })

  it('one that does not read gets a consumer of its own, and comes back; the others go on', async () => {
    const { producer, clock, dispatcher } = await open({ maxQueuedPacks: 2, maxLagMs: 1000 })
    const [fast, slow] = await Promise.all(['fast', 'slow'].map((vchannel) => dispatcher.register({ vchannel, from: 'earliest' }))) as [VirtualChannel, VirtualChannel]
    const got: MsgPack[] = []
    const reading = (async () => {
      for await (const pack of fast) got.push(pack)
    })()
    let ts = 0n
    const step = async (): Promise<void> => {
      await producer.send([data(++ts, 'fast'), data(++ts, 'slow'), tick(++ts)])
      await settle()
    }
    for (let i = 0; i < 5; i++) await step()
    clock.advance(1000)
    await settle()
    for (let i = 0; i < 5; i++) await step()
    expect(fast.frontier).toBe(ts)
    expect(dispatcher.states()).toMatchObject({ consumers: 2, channels: [{ isSplit: false }, { isSplit: true }] })
    const late = await readUntil(slow, ts)
    for (let i = 0; dispatcher.states().consumers > 1 && i < 10; i++) {
      await step()
      late.push(...(await readUntil(slow, ts)))
    }
    expect(dispatcher.states().consumers).toBe(1)
    const numbers = Array.from({ length: Number(ts) / 3 }, (_, i) => BigInt(3 * i))
    expect(ids(got)).toEqual(numbers.map((it) => it + 1n))
    expect(ids(late)).toEqual(numbers.map((it) => it + 2n))
    await dispatcher.close()
    await reading
  })

  it('at any speeds, with restarts from positions: each message once, in order, packs tile', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = seeded(seed)
      const { producer, clock, dispatcher } = await open({ maxQueuedPacks: 1 + Math.floor(random() * 3), maxLagMs: 50, maxConsumers: 2 + Math.floor(random() * 3) })
      const names = ['a', 'b', 'c', 'd']
      const expected = new Map(names.map((name): [string, bigint[]] => [name, []]))
      const packs = new Map(names.map((name): [string, MsgPack[]] => [name, []]))
      const channels = new Map<string, Promise<VirtualChannel>>()
      const waiting = new Map<string, Promise<void>>()
      const register = (name: string): void => {
        const position = packs.get(name)?.at(-1)?.endPositions[0]
        channels.set(name, dispatcher.register({ vchannel: name, position, from: 'earliest' }))
      }
      const take = async (name: string): Promise<void> => {
        const pack = await (await (channels.get(name) as Promise<VirtualChannel>)).consume()
        if (pack !== undefined) packs.get(name)?.push(pack)
      }
      for (const name of names) register(name)
      let ts = 0n
      for (let i = 0; i < 120; i++) {
        const draw = random()
        const name = names[Math.floor(random() * names.length)] as string
        if (draw < 0.3) {
          const target = random() < 0.2 ? undefined : name
          await producer.send([data(++ts, target)])
          for (const it of names) if (target === undefined || target === it) expected.get(it)?.push(ts)
        } else if (draw < 0.5) await producer.send([tick(++ts)])
        else if (draw < 0.6) clock.advance(60)
        else if (draw < 0.65 && waiting.get(name) === undefined) {
          await dispatcher.deregister(name)
          register(name)
        } else if (waiting.get(name) === undefined) waiting.set(name, take(name).finally(() => waiting.delete(name)))
        await flush()
      }
      await producer.send([tick(++ts), tick(END_OF_STREAM)])
      await Promise.all(names.map(async (name) => {
        await waiting.get(name)
        const channel = await (channels.get(name) as Promise<VirtualChannel>)
        const ticking = { on: true }
        const rest = (async () => {
          for await (const pack of channel) packs.get(name)?.push(pack)
        })().finally(() => (ticking.on = false))
        while (ticking.on) {
          clock.advance(60)
          await flush()
        }
        await rest
      }))
      for (const name of names) {
        const list = packs.get(name) as MsgPack[]
        expect(ids(list), `seed ${seed}, ${name}`).toEqual(expected.get(name))
        list.reduce((end, pack) => {
          expect(pack.beginTs, `seed ${seed}, ${name}: packs tile`).toBe(end)
          return pack.endTs
        }, 0n)
      }
      await dispatcher.close()
    }
  }, 60_000)

  it('ends a channel that is deregistered, and all with a failed consumer', async () => {
    const { mq, producer, dispatcher } = await open()
    const channel = await dispatcher.register({ vchannel: 'v', from: 'earliest' })
    await expect(dispatcher.register({ vchannel: 'v' })).rejects.toThrow(TypeError)
    const waiting = channel.consume()
    await dispatcher.deregister('v')
    await dispatcher.deregister('v')
    expect(await waiting).toBeUndefined()
    expect(dispatcher.states()).toEqual({ consumers: 0, channels: [] })
    const other = await dispatcher.register({ vchannel: 'v', from: 'earliest' })
    await producer.send([data(1n, 'v'), tick(2n)])
    expect(ids([(await other.consume()) as MsgPack])).toEqual([1n])
    const failing = other.consume().catch((error: unknown) => error)
    await mq.deleteChannel('p')
    expect(await failing).toMatchObject({ code: 'MSG_CHANNEL_NOT_FOUND' })
    await expect(dispatcher.register({ vchannel: 'w' })).rejects.toMatchObject({ code: 'MSG_CHANNEL_NOT_FOUND' })
    await Promise.all([dispatcher.close(), dispatcher.close()])
    await expect(dispatcher.register({ vchannel: 'w' })).rejects.toMatchObject({ code: 'MSG_CLOSED' })
  })

  it('refuses what cannot be', async () => {
    const { mq, dispatcher } = await open()
    for (const bad of [undefined, {}, { mq, channel: 'a b' }, { mq: {}, channel: 'p' }, { mq, channel: 'p', vchannelOf: 5 }]) expect(() => createMsgDispatcher(bad as never)).toThrow(TypeError)
    expect(() => createMsgDispatcher({ mq, channel: 'p', maxConsumers: 0 })).toThrow(RangeError)
    for (const bad of [undefined, {}, { vchannel: '' }, { vchannel: 'v', from: 'x' }, { vchannel: 'v', position: { channel: 'q', msgId: undefined, timestamp: 0n } }]) {
      await expect(dispatcher.register(bad as never)).rejects.toThrow(TypeError)
    }
    await expect(dispatcher.register({ vchannel: 'v', signal: AbortSignal.abort('stop') })).rejects.toBe('stop')
    await dispatcher.close()
  })
})
