import { deepStrictEqual, ok, rejects } from 'node:assert/strict'
import type { MessageId } from '../mq.ts'
import { compareMessageIds } from '../position.ts'
import { bytes, numbered, rejectsWith, type Test } from './kit.ts'

const hex = (id: MessageId | undefined): string | undefined => (id === undefined ? undefined : Buffer.from(id.bytes).toString('hex'))

export function adminTests(test: Test, canReopen: boolean): void {
  test('features are frozen and say what the queue is', async ({ mq }) => {
    ok(Object.isFrozen(mq.features))
    ok(['memory', 'process', 'power'].includes(mq.features.durability))
    ok(mq.features.maxFrameBytes >= 1 << 16)
  })

  test('createChannel is idempotent, listChannels gives all in order', async ({ mq }) => {
    for (const channel of ['b', 'a', 'A', 'a-1_2.3', 'a']) await mq.createChannel(channel)
    deepStrictEqual(await mq.listChannels(), ['A', 'a', 'a-1_2.3', 'b'])
  })

  test('names that are none are a TypeError everywhere', async ({ mq }) => {
    for (const bad of ['', '.', '..', '.a', 'a/b', 'a b', 'ä', 'x'.repeat(201), '\ud800', 5, undefined]) {
      const channel = bad as string
      await rejects(mq.createChannel(channel), TypeError)
      await rejects(mq.openProducer(channel), TypeError)
      await rejects(mq.openReader(channel, { at: 'earliest' }), TypeError)
      await rejects(mq.deleteChannel(channel), TypeError)
      await rejects(mq.bounds(channel), TypeError)
    }
    deepStrictEqual(await mq.listChannels(), [])
  })

  test('Must refuse to read a channel that is not there with MSG_CHANNEL_NOT_FOUND', async ({ mq }) => {
    await rejectsWith(mq.openReader('none', { at: 'earliest' }), 'MSG_CHANNEL_NOT_FOUND')
    await rejectsWith(mq.bounds('none'), 'MSG_CHANNEL_NOT_FOUND')
    deepStrictEqual(await mq.listChannels(), [])
  })

  test('bounds are those of the kept frames, none when the channel is empty', async (bench) => {
    await bench.mq.createChannel('a')
    deepStrictEqual(await bench.mq.bounds('a'), { first: undefined, last: undefined })
    const one = await bench.send('a', 'x')
    const { first, last } = await bench.mq.bounds('a')
    deepStrictEqual([hex(first), hex(last)], [hex(one[0]), hex(one[0])])
    const more = await bench.send('a', 'y', 'z')
    deepStrictEqual(hex((await bench.mq.bounds('a')).last), hex(more[1]))
  })

  test('Must end producers and readers of a deleted channel with MSG_CHANNEL_NOT_FOUND', async (bench) => {
    const producer = await bench.mq.openProducer('a')
    await bench.soon(producer.send([bytes('old')]), 'send')
    const reader = await bench.reader('a', { at: 'latest' })
    const reading = rejectsWith(bench.soon(reader.read(), 'the waiting read'), 'MSG_CHANNEL_NOT_FOUND')
    await bench.soon(bench.mq.deleteChannel('a'), 'delete')
    await reading
    await rejectsWith(bench.soon(producer.send([bytes('x')]), 'send'), 'MSG_CHANNEL_NOT_FOUND')
    await bench.mq.deleteChannel('a')
    deepStrictEqual(await bench.mq.listChannels(), [])
    await bench.send('a', 'new')
    deepStrictEqual(await bench.readAll('a', 1), ['new'])
  })

  test('close is idempotent, ends waiting reads, and everything after it is MSG_CLOSED', async (bench) => {
    const producer = await bench.mq.openProducer('a')
    const reader = await bench.reader('a', { at: 'latest' })
    const reading = reader.read()
    await bench.soon(Promise.all([bench.mq.close(), bench.mq.close()]), 'close')
    deepStrictEqual(await bench.soon(reading, 'the waiting read'), undefined)
    await rejectsWith(producer.send([bytes('x')]), 'MSG_CLOSED')
    await rejectsWith(bench.mq.createChannel('b'), 'MSG_CLOSED')
    await rejectsWith(bench.mq.openReader('a', { at: 'earliest' }), 'MSG_CLOSED')
    await rejectsWith(bench.mq.listChannels(), 'MSG_CLOSED')
  })

  if (!canReopen) return

  test('Must have every acknowledged frame after reopening, with the same ids, and go on above them', async (bench) => {
    const ids = await bench.send('a', ...numbered('m', 300))
    await bench.mq.createChannel('empty')
    await bench.reopen()
    deepStrictEqual(await bench.mq.listChannels(), ['a', 'empty'])
    deepStrictEqual(await bench.readAll('a', 300), numbered('m', 300))
    deepStrictEqual(await bench.take(await bench.reader('a', { after: ids[149] as MessageId }), 1), ['m150'])
    const [next] = await bench.send('a', 'new')
    ok(compareMessageIds(ids[299] as MessageId, next as MessageId) < 0, 'ids go on rising')
    deepStrictEqual((await bench.readAll('a', 301))[300], 'new')
  })
}
