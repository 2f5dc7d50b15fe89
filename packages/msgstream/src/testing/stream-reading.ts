/** What a reader may ask for, over every queue: committed positions, pauses, ends. */
import { deepStrictEqual, ok, rejects } from 'node:assert/strict'
import { createChannelPositionStore } from '../positions.ts'
import { encodeEnvelope } from '../envelope.ts'
import { END_OF_STREAM, MsgType, type MsgPack, type TsMsg } from '../message.ts'
import type { Mq } from '../mq.ts'
import { openMsgStream, openTtMsgStream } from '../open.ts'
import type { PositionStore } from '../reading.ts'
import type { MsgStream } from '../stream.ts'
import { createTimeTick, createTsMsg } from '../ts-msg.ts'
import { rejectsWith, type Bench, type Test } from './kit.ts'

const frameOf = (word: string): Uint8Array => {
  const ts = word === 'end' ? END_OF_STREAM : BigInt(word.slice(1))
  return encodeEnvelope(word.startsWith('d') ? createTsMsg({ type: MsgType.insert, ts, id: ts }) : createTimeTick(ts))
}
const times = (msgs: readonly TsMsg[]): number[] => msgs.map(({ endTs }) => Number(endTs))

async function write(mq: Mq, channel: string, words: string): Promise<void> {
  const producer = await mq.openProducer(channel)
  for (const word of words.split(' ')) await producer.send([frameOf(word)])
  await producer.close()
}

async function next(bench: Bench, stream: MsgStream): Promise<MsgPack> {
  const pack = await bench.soon(stream.consume(), 'a pack')
  ok(pack !== undefined, 'the stream ended')
  return pack
}

/** All messages until the stream ends by itself. */
async function rest(bench: Bench, stream: MsgStream): Promise<number[]> {
  const got: number[] = []
  for (;;) {
    const pack = await bench.soon(stream.consume(), `what follows ${got.join()}`)
    if (pack === undefined) return got
    got.push(...times(pack.msgs))
  }
}

export function readingTests(test: Test): void {
  const log = 'd1 t1 d2 t2 d3 t3 d4 t4 d5 t5'

  async function consumer(bench: Bench, ack: 'auto' | 'position' | 'individual', store: PositionStore): Promise<MsgStream> {
    const stream = await openTtMsgStream({ mq: bench.mq })
    await stream.asConsumer(['a'], { from: 'earliest', subscription: 'reader', store, ack, until: 'latest' })
    return stream
  }

  test('a consumer goes on behind the positions that it committed, in the queue itself', async (bench) => {
    await write(bench.mq, 'a', log)
    const store = createChannelPositionStore({ mq: bench.mq })
    const first = await consumer(bench, 'position', store)
    await next(bench, first)
    await next(bench, first)
    await bench.soon(first.commit(), 'commit')
    await next(bench, first)
    await first.close()
    const second = await consumer(bench, 'position', store)
    deepStrictEqual(await rest(bench, second), [3, 4, 5])
    await bench.soon(second.commit(), 'commit')
    await second.close()
    const third = await consumer(bench, 'position', createChannelPositionStore({ mq: bench.mq }))
    deepStrictEqual(await rest(bench, third), [])
    await third.close()
    const other = await openTtMsgStream({ mq: bench.mq })
    await other.asConsumer(['a'], { from: 'earliest', subscription: 'another', store, until: 'latest' })
    deepStrictEqual(await rest(bench, other), [1, 2, 3, 4, 5])
    await other.close()
    await store.close()
  })

  test('`auto` commits a pack when the next one is asked for; `individual` when all up to it are acknowledged', async (bench) => {
    await write(bench.mq, 'a', log)
    const store = createChannelPositionStore({ mq: bench.mq })
    const auto = await consumer(bench, 'auto', store)
    await next(bench, auto)
    await next(bench, auto)
    await auto.close()
    const one = await consumer(bench, 'individual', store)
    const packs = [await next(bench, one), await next(bench, one), await next(bench, one)]
    deepStrictEqual(packs.flatMap(({ msgs }) => times(msgs)), [2, 3, 4])
    await bench.soon(one.acknowledge(packs[1]?.msgs ?? []), 'acknowledge')
    await bench.soon(one.acknowledge(packs[2]?.msgs ?? []), 'acknowledge')
    await one.close()
    const again = await consumer(bench, 'individual', store)
    const two = await next(bench, again)
    deepStrictEqual(times(two.msgs), [2])
    const three = await next(bench, again)
    await bench.soon(again.acknowledge(three.msgs), 'acknowledge')
    await bench.soon(again.acknowledge(two.msgs), 'acknowledge')
    await again.close()
    const last = await consumer(bench, 'position', store)
    deepStrictEqual(await rest(bench, last), [4, 5])
    await last.close()
    await store.close()
  })

  test('a stream ends behind a tick at END_OF_STREAM on every channel, and again when read on from there', async (bench) => {
    await write(bench.mq, 'a', 'd1 t2 d3 end')
    await write(bench.mq, 'b', 'd2 end')
    const stream = await openTtMsgStream({ mq: bench.mq })
    await stream.asConsumer(['a', 'b'], { from: 'earliest' })
    const packs: MsgPack[] = []
    for (let pack = await bench.soon(stream.consume(), 'a pack'); pack !== undefined; pack = await bench.soon(stream.consume(), 'a pack')) packs.push(pack)
    deepStrictEqual(packs.flatMap(({ msgs }) => times(msgs)).sort((x, y) => x - y), [1, 2, 3])
    const again = await openTtMsgStream({ mq: bench.mq })
    await again.asConsumer(['a', 'b'], { positions: packs.at(-1)?.endPositions })
    deepStrictEqual(await rest(bench, again), [])
    const plain = await openMsgStream({ mq: bench.mq })
    await plain.asConsumer(['a', 'b'], { from: 'earliest' })
    deepStrictEqual((await rest(bench, plain)).length, 4)
    await Promise.all([stream.close(), again.close(), plain.close()])
  })

  test('`until: latest` ends with what was there, on empty channels at once', async (bench) => {
    await write(bench.mq, 'a', log)
    await bench.mq.createChannel('b')
    const plain = await openMsgStream({ mq: bench.mq })
    await plain.asConsumer(['a', 'b'], { from: 'earliest', until: 'latest' })
    deepStrictEqual((await rest(bench, plain)).length, 10)
    const empty = await openTtMsgStream({ mq: bench.mq })
    await empty.asConsumer(['b'], { from: 'earliest', until: 'latest' })
    deepStrictEqual(await rest(bench, empty), [])
    await Promise.all([plain.close(), empty.close()])
  })

  test('a paused channel brings nothing more until it is resumed', async (bench) => {
    await write(bench.mq, 'a', 'd1 t1')
    const stream = await openTtMsgStream({ mq: bench.mq })
    await stream.asConsumer(['a'], { from: 'earliest' })
    stream.pause(['a'])
    const first = stream.consume()
    deepStrictEqual(stream.metrics().channels.map(({ paused, readFrames }) => [paused, readFrames]), [[true, 0]])
    await rejects(async () => stream.pause(['x']), TypeError)
    stream.resume()
    deepStrictEqual(times((await bench.soon(first, 'the pack'))?.msgs ?? []), [1])
    await stream.close()
  })

  test('says how far it is behind', async (bench) => {
    await write(bench.mq, 'a', log)
    const stream = await openTtMsgStream({ mq: bench.mq })
    await stream.asConsumer(['a'], { from: 'earliest' })
    const [before] = await bench.soon(stream.lag(), 'lag')
    ok(before?.frames === undefined || before.frames === 10, `10 frames behind, not ${before?.frames}`)
    while (stream.frontier < 5n) await next(bench, stream)
    const [behind] = await bench.soon(stream.lag(), 'lag')
    // The position points at the last tick, which is read again.
    ok(behind?.frames === undefined || behind.frames <= 1, `nothing behind, not ${behind?.frames}`)
    const { messages, packs, frontier, channels } = stream.metrics()
    deepStrictEqual([messages, packs, frontier, channels[0]?.readFrames, channels[0]?.tick], [5, 5, 5n, 10, 5n])
    await stream.close()
  })

  test('an atomic broadcast comes behind what was sent before it, or is refused', async (bench) => {
    const stream = await openMsgStream({ mq: bench.mq })
    await stream.asProducer(['a', 'b'])
    const insert = (ts: number): TsMsg => createTsMsg({ type: MsgType.insert, ts: BigInt(ts), hashKeys: [0] })
    if (!bench.mq.features.atomicBroadcast) {
      await rejectsWith(stream.broadcast({ msgs: [insert(1)] }, { atomic: true }), 'MSG_UNSUPPORTED')
      await stream.close()
      return
    }
    const sends = [stream.produce({ msgs: [insert(1)] }), stream.broadcast({ msgs: [insert(2)] }, { atomic: true }), stream.produce({ msgs: [insert(3)] })]
    await bench.soon(Promise.all(sends), 'sends')
    const reader = await openMsgStream({ mq: bench.mq })
    await reader.asConsumer(['a'], { from: 'earliest' })
    const got: number[] = []
    while (got.length < 3) got.push(...times((await next(bench, reader)).msgs))
    deepStrictEqual(got, [1, 2, 3])
    await Promise.all([stream.close(), reader.close()])
  })
}
