/** The streams over a queue, as tests: what `stream.ts` promises must hold over every backend. */
import { deepStrictEqual, ok, rejects } from 'node:assert/strict'
import { encodeEnvelope } from '../envelope.ts'
import { MsgType, type MsgPack, type MsgPosition, type TsMsg } from '../message.ts'
import type { Mq } from '../mq.ts'
import { openMsgStream, openTtMsgStream } from '../open.ts'
import { positionFromBytes, positionToBytes } from '../position.ts'
import type { MsgStream, TtMsgStream } from '../stream.ts'
import { createTimeTick, createTsMsg } from '../ts-msg.ts'
import { readingTests } from './stream-reading.ts'
import { rejectsWith, tests, type Bench, type KitOptions } from './kit.ts'

const insert = (ts: number, key = 0): TsMsg => createTsMsg({ type: MsgType.insert, ts: BigInt(ts), id: BigInt(ts), hashKeys: [key], body: new Uint8Array([ts & 255]) })
const times = (pack: MsgPack | undefined): number[] => (pack?.msgs ?? []).map(({ endTs }) => Number(endTs))
const show = (pack: MsgPack): string => `(${pack.beginTs},${pack.endTs}]{${times(pack).join()}}`

/** Write a log: `t5` is a tick, `d3` data. */
async function writeLog(mq: Mq, channel: string, words: string): Promise<void> {
  const producer = await mq.openProducer(channel)
  for (const word of words.split(' ')) {
    const ts = Number(word.slice(1))
    await producer.send([encodeEnvelope(word.startsWith('t') ? createTimeTick(BigInt(ts)) : insert(ts))])
  }
  await producer.close()
}

async function packsUntil(bench: Bench, stream: TtMsgStream, end: bigint): Promise<MsgPack[]> {
  const packs: MsgPack[] = []
  while (stream.frontier < end) {
    const pack = await bench.soon(stream.consume(), `the pack behind ${stream.frontier}`)
    ok(pack !== undefined, 'the stream ended')
    packs.push(pack)
  }
  return packs
}

const stored = (positions: readonly MsgPosition[]): MsgPosition[] => positions.map((it) => positionFromBytes(positionToBytes(it)))

export function testMsgStream(name: string, options: KitOptions): void {
  const test = tests(options)
  options.runner.describe(`streams over ${name}`, () => {
    options.runner.describe('MsgStream', () => plainTests(test))
    options.runner.describe('TtMsgStream', () => alignedTests(test))
    options.runner.describe('reading', () => readingTests(test))
  })
}

type StreamTest = ReturnType<typeof tests>

async function consumeTimes(bench: Bench, stream: MsgStream, count: number): Promise<number[]> {
  const got: number[] = []
  while (got.length < count) got.push(...times(await bench.soon(stream.consume(), `message ${got.length} of ${count}`)))
  return got
}

function plainTests(test: StreamTest): void {
  test('routes by the first hash key and keeps the order per channel', async (bench) => {
    const stream = await openMsgStream({ mq: bench.mq })
    await stream.asProducer(['a', 'b'])
    const msgs = Array.from({ length: 40 }, (_, i) => insert(i + 1, i))
    const ids = await bench.soon(stream.produce({ msgs }), 'produce')
    deepStrictEqual([ids.get('a')?.length, ids.get('b')?.length], [20, 20])
    const reading = await openMsgStream({ mq: bench.mq })
    await reading.asConsumer(['b'], { from: 'earliest' })
    deepStrictEqual(await consumeTimes(bench, reading, 20), msgs.filter((_, i) => i % 2 === 1).map(({ endTs }) => Number(endTs)))
    await Promise.all([stream.close(), reading.close()])
  })

  test('broadcast writes every message to every channel, one id each', async (bench) => {
    const stream = await openMsgStream({ mq: bench.mq })
    await stream.asProducer(['a', 'b', 'c'])
    const ids = await bench.soon(stream.broadcast({ msgs: [insert(1), insert(2)] }), 'broadcast')
    deepStrictEqual([...ids].map(([channel, list]) => [channel, list.length]), [['a', 2], ['b', 2], ['c', 2]])
    await stream.close()
  })

  test('reading on from the end positions of any pack gives what follows it', async (bench) => {
    await writeLog(bench.mq, 'a', 'd1 d2 d3 d4 d5 d6 d7 d8 d9')
    const stream = await openMsgStream({ mq: bench.mq })
    await stream.asConsumer(['a'], { from: 'earliest' })
    const pack = await bench.soon(stream.consume(), 'consume')
    ok(pack !== undefined)
    const seen = times(pack).length
    const again = await openMsgStream({ mq: bench.mq })
    await again.asConsumer(['a'], { positions: stored(pack.startPositions) })
    deepStrictEqual(await consumeTimes(bench, again, 9), [1, 2, 3, 4, 5, 6, 7, 8, 9])
    const rest = await openMsgStream({ mq: bench.mq })
    await rest.asConsumer(['a'], { positions: stored(pack.endPositions) })
    await writeLog(bench.mq, 'a', 'd10')
    deepStrictEqual(await consumeTimes(bench, rest, 10 - seen), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].slice(seen))
    await Promise.all([stream.close(), again.close(), rest.close()])
  })

  test('seek is exclusive by default, inclusive when asked', async (bench) => {
    await writeLog(bench.mq, 'a', 'd1 d2 d3 d4 d5')
    const stream = await openMsgStream({ mq: bench.mq })
    await stream.asConsumer(['a'], { from: 'earliest' })
    const msgs: TsMsg[] = []
    while (msgs.length < 5) msgs.push(...((await bench.soon(stream.consume(), 'consume'))?.msgs ?? []))
    const third = msgs[2]?.position as MsgPosition
    await stream.seek([third])
    deepStrictEqual(await consumeTimes(bench, stream, 2), [4, 5])
    await stream.seek([third], { inclusive: true })
    deepStrictEqual(await consumeTimes(bench, stream, 3), [3, 4, 5])
    await stream.close()
  })

  test('`latest` sees only what is written after asConsumer', async (bench) => {
    await writeLog(bench.mq, 'a', 'd1')
    await bench.mq.createChannel('empty')
    const stream = await openMsgStream({ mq: bench.mq })
    await stream.asConsumer(['a', 'empty'])
    await writeLog(bench.mq, 'a', 'd2')
    await writeLog(bench.mq, 'empty', 'd3')
    deepStrictEqual((await consumeTimes(bench, stream, 2)).sort((x, y) => x - y), [2, 3])
    await stream.close()
  })

  test('refuses what cannot be: no role, duplicates, unknown channels, closed', async (bench) => {
    const stream = await openMsgStream({ mq: bench.mq })
    await rejectsWith(stream.produce({ msgs: [insert(1)] }), 'MSG_NOT_STARTED')
    await rejectsWith(stream.consume(), 'MSG_NOT_STARTED')
    await rejects(stream.asProducer(['a', 'a']), TypeError)
    await rejects(stream.asConsumer([]), RangeError)
    await rejectsWith(stream.asConsumer(['none']), 'MSG_CHANNEL_NOT_FOUND')
    await writeLog(bench.mq, 'a', 'd1')
    await stream.asConsumer(['a'], { from: 'earliest' })
    await rejects(stream.seek([{ channel: 'other', msgId: undefined, timestamp: 0n }]), TypeError)
    deepStrictEqual(await consumeTimes(bench, stream, 1), [1])
    const waiting = stream.consume()
    await bench.soon(Promise.all([stream.close(), stream.close()]), 'close')
    deepStrictEqual(await bench.soon(waiting, 'the waiting consume'), undefined)
    await rejectsWith(stream.produce({ msgs: [] }), 'MSG_CLOSED')
  })
}

function alignedTests(test: StreamTest): void {
  const log = 't0 d1 d3 d19 t5 d14 d9 t11 d12 d13 t15 t20'
  const golden = ['(0,5]{1,3}', '(5,11]{9}', '(11,15]{14,12,13}', '(15,20]{19}']

  async function read(bench: Bench, positions?: readonly MsgPosition[]): Promise<MsgPack[]> {
    const stream = await openTtMsgStream({ mq: bench.mq })
    await stream.asConsumer(['a'], { from: 'earliest', positions })
    const packs = await packsUntil(bench, stream, 20n)
    await bench.soon(stream.close(), 'close')
    return packs
  }

  test('gives Milvus\'s golden packs, and the rest of them from each position', async (bench) => {
    await writeLog(bench.mq, 'a', log)
    const packs = await read(bench)
    deepStrictEqual(packs.map(show), golden)
    for (const [i, pack] of packs.entries()) {
      deepStrictEqual((await read(bench, stored(pack.endPositions))).map(show), golden.slice(i + 1), `behind pack ${i}`)
      deepStrictEqual((await read(bench, stored(pack.startPositions))).map(show), golden.slice(i), `pack ${i} again`)
    }
  })

  test('holds a message back until all channels have passed its time', async (bench) => {
    await writeLog(bench.mq, 'a', 'd3 t10 d12 t20 d25 t30')
    await bench.mq.createChannel('b')
    const stream = await openTtMsgStream({ mq: bench.mq })
    await stream.asConsumer(['a', 'b'], { from: 'earliest' })
    const first = stream.consume()
    await writeLog(bench.mq, 'b', 't10')
    deepStrictEqual(show((await bench.soon(first, 'the first pack')) as MsgPack), '(0,10]{3}')
    await writeLog(bench.mq, 'b', 'd28 t30')
    const rest = await packsUntil(bench, stream, 30n)
    deepStrictEqual(rest.flatMap(times), [12, 25, 28])
    deepStrictEqual(rest.every(({ endPositions }) => endPositions.length === 2), true)
    await stream.close()
  })

  test('small buffers never stop it: the channel behind is read on', async (bench) => {
    const words = Array.from({ length: 200 }, (_, i) => `d${i + 1}`).join(' ')
    await writeLog(bench.mq, 'a', `${words} t500`)
    await writeLog(bench.mq, 'b', `t100 d101 d102 d103 t500`)
    const stream = await openTtMsgStream({ mq: bench.mq, maxBufferedMessages: 2 })
    await stream.asConsumer(['a', 'b'], { from: 'earliest' })
    const packs = await packsUntil(bench, stream, 500n)
    deepStrictEqual(packs.flatMap(times).length, 203)
    await stream.close()
  })
}
