import { describe, expect, it } from 'vitest'
import { createTimeTick, createTsMsg, encodeEnvelope, openMsgStream, openTtMsgStream, UnmarshalDispatcher, type MsgPack, type TsMsg } from '../src/index.ts'
import { createMemoryMq } from '../src/memory.ts'
import { delayedMq, flush } from './helpers.ts'

const insert = (ts: number, key = 0): TsMsg => createTsMsg({ type: 400, ts: BigInt(ts), hashKeys: [key], body: new Uint8Array(10) })

describe('produce', () => {
  it('tells what became of each channel when one fails', async () => {
    const mq = delayedMq(createMemoryMq(), true)
    const stream = await openMsgStream({ mq })
    await stream.asProducer(['a', 'b'])
    const produced = stream.produce({ msgs: [insert(1, 0), insert(2, 1)] })
    await flush()
    mq.failNext(new Error('lost'))
    mq.open()
    await expect(produced).rejects.toMatchObject({
      code: 'MSG_PRODUCE_FAILED',
      outcome: 'unknown',
      details: { channels: [{ channel: 'a', outcome: 'unknown' }, { channel: 'b', outcome: 'acknowledged', ids: [{ backend: 'memory' }] }] },
    })
    await stream.close()
  })

  it('a full channel is refused, retryable, nothing written; after truncate it goes on', async () => {
    const mq = createMemoryMq({ maxBytesPerChannel: 200 })
    const stream = await openMsgStream({ mq })
    await stream.asProducer(['a'])
    const ids = await stream.produce({ msgs: [insert(1), insert(2)] })
    await expect(stream.produce({ msgs: [insert(3), insert(4)] })).rejects.toMatchObject({ code: 'MSG_PRODUCE_FAILED', outcome: 'not-applied', retryable: true })
    await mq.truncate('a', ids.get('a')?.[1] as never)
    await stream.produce({ msgs: [insert(3)] })
    await stream.close()
  })

  it('drop-oldest: the reader that stood there is told', async () => {
    const mq = createMemoryMq({ maxBytesPerChannel: 200, whenFull: 'drop-oldest' })
    const producer = await mq.openProducer('a')
    await producer.send([new Uint8Array(100)])
    const reader = await mq.openReader('a', { at: 'earliest' })
    for (let i = 0; i < 5; i++) await producer.send([new Uint8Array(100)])
    await expect(reader.read()).rejects.toMatchObject({ code: 'MSG_POSITION_EXPIRED', details: { first: { offset: 4 }, latest: { offset: 5 } } })
  })

  it.each([undefined, null, {}, { msgs: 'x' }, { msgs: [{}] }, { msgs: [null] }])('refuses %o', async (pack) => {
    const stream = await openMsgStream({ mq: createMemoryMq() })
    await stream.asProducer(['a'])
    await expect(stream.produce(pack as never)).rejects.toThrow(TypeError)
    await expect(stream.broadcast(pack as never)).rejects.toThrow(TypeError)
  })

  it('options that are none are refused', async () => {
    for (const bad of [undefined, {}, { mq: {} }, { mq: createMemoryMq(), maxBufferedMessages: 0 }, { mq: createMemoryMq(), align: 'x' }, { mq: createMemoryMq(), late: 1 }, { mq: createMemoryMq(), skipEmpty: 1 }]) {
      await expect(openTtMsgStream(bad as never)).rejects.toThrow(/expected `/)
    }
  })
})

describe('consume', () => {
  it('an undecodable frame rejects behind the packs before it; with skip it is left out and counted', async () => {
    const mq = createMemoryMq()
    const producer = await mq.openProducer('a')
    await producer.send([encodeEnvelope(insert(1)), encodeEnvelope(createTimeTick(5n))])
    await producer.send([new Uint8Array(3), encodeEnvelope(insert(7)), encodeEnvelope(createTimeTick(10n))])
    const strict = await openTtMsgStream({ mq })
    await strict.asConsumer(['a'], { from: 'earliest' })
    expect((await strict.consume())?.endTs).toBe(5n)
    await expect(strict.consume()).rejects.toMatchObject({ code: 'MSG_DECODE_FAILED' })
    await strict.close()
    const dispatcher = new UnmarshalDispatcher({ decodeError: 'skip' })
    const lenient = await openTtMsgStream({ mq, dispatcher })
    await lenient.asConsumer(['a'], { from: 'earliest' })
    const packs = [await lenient.consume(), await lenient.consume()] as MsgPack[]
    expect(packs.map(({ msgs }) => msgs.length)).toEqual([1, 1])
    expect(dispatcher.counters.skipped).toBe(1)
    await lenient.close()
  })

  it('an aborted consume rejects with the reason, and loses nothing', async () => {
    const mq = createMemoryMq()
    await mq.createChannel('a')
    const stream = await openTtMsgStream({ mq })
    await stream.asConsumer(['a'])
    const abort = new AbortController()
    const waiting = stream.consume({ signal: abort.signal })
    abort.abort('stop')
    await expect(waiting).rejects.toBe('stop')
    await expect(stream.consume({ signal: AbortSignal.abort('before') })).rejects.toBe('before')
    await (await mq.openProducer('a')).send([encodeEnvelope(insert(1)), encodeEnvelope(createTimeTick(5n))])
    expect((await stream.consume())?.msgs).toHaveLength(1)
    await stream.close()
  })

  it('a backlog on one channel stays within its buffer while another is behind', async () => {
    const mq = createMemoryMq()
    const producer = await mq.openProducer('a')
    const frame = encodeEnvelope(insert(1))
    for (let i = 0; i < 20; i++) await producer.send(Array.from({ length: 1000 }, () => frame))
    await producer.send([encodeEnvelope(createTimeTick(5n))])
    await mq.createChannel('b')
    await (await mq.openProducer('b')).send([encodeEnvelope(createTimeTick(1n))])
    const stream = await openTtMsgStream({ mq, maxBufferedMessages: 500 })
    await stream.asConsumer(['a', 'b'], { from: 'earliest' })
    stream.start()
    const first = await stream.consume()
    expect(first?.endTs).toBe(1n)
    await flush()
    for (const { channel, bufferedMessages } of stream.states()) if (channel === 'a') expect(bufferedMessages).toBeLessThanOrEqual(500 + 1024)
    await stream.close()
  })

  it('close while everything waits ends it all', async () => {
    const mq = createMemoryMq()
    await mq.createChannel('a')
    const stream = await openTtMsgStream({ mq })
    await stream.asConsumer(['a'])
    const packs: MsgPack[] = []
    const loop = (async () => {
      for await (const pack of stream) packs.push(pack)
    })()
    await flush()
    await stream.close()
    await loop
    expect(packs).toEqual([])
    await mq.close()
  })
})
