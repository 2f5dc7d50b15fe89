import { deepStrictEqual, ok, rejects } from 'node:assert/strict'
import type { MessageId } from '../mq.ts'
import { numbered, rejectsWith, type Test } from './kit.ts'

const words = numbered('m', 300)

export function seekTests(test: Test): void {
  test('Must begin with the frame of `from` and behind the frame of `after`', async (bench) => {
    const ids = await bench.send('a', ...words)
    for (const i of [0, 1, 9, 10, 127, 128, 255, 256, 298]) {
      deepStrictEqual(await bench.take(await bench.reader('a', { from: ids[i] as MessageId }), 2), words.slice(i, i + 2), `from ${i}`)
      if (i < 298) deepStrictEqual(await bench.take(await bench.reader('a', { after: ids[i] as MessageId }), 2), words.slice(i + 1, i + 3), `after ${i}`)
    }
  })

  test('ids survive being stored as bytes', async (bench) => {
    const ids = await bench.send('a', ...words)
    const { backend, bytes } = ids[256] as MessageId
    const restored = { backend, bytes: Uint8Array.from(bytes) }
    deepStrictEqual(await bench.take(await bench.reader('a', { from: restored }), 1), ['m256'])
    deepStrictEqual(await bench.take(await bench.reader('a', { after: restored }), 1), ['m257'])
  })

  test('Must wait behind the last frame for the next one, losing none', async (bench) => {
    const ids = await bench.send('a', 'x')
    const reader = await bench.reader('a', { after: ids[0] as MessageId })
    const reading = bench.take(reader, 1)
    await bench.send('a', 'y')
    deepStrictEqual(await reading, ['y'])
  })

  test('Must fix `latest` when the reader is opened, not at the first read', async (bench) => {
    await bench.send('a', 'old')
    const reader = await bench.reader('a', { at: 'latest' })
    await bench.send('a', 'new')
    deepStrictEqual(await bench.take(reader, 1), ['new'])
  })

  test('Must deliver the first frame of an empty channel to a reader at `latest`', async (bench) => {
    await bench.mq.createChannel('a')
    const reader = await bench.reader('a', { at: 'latest' })
    await bench.send('a', 'first')
    deepStrictEqual(await bench.take(reader, 1), ['first'])
  })

  test('Must move with seek, back and forth', async (bench) => {
    const ids = await bench.send('a', ...words)
    const reader = await bench.reader('a', { at: 'earliest' })
    deepStrictEqual(await bench.take(reader, 5), words.slice(0, 5))
    await reader.seek({ from: ids[200] as MessageId })
    deepStrictEqual(await bench.take(reader, 2), ['m200', 'm201'])
    await reader.seek({ after: ids[2] as MessageId })
    deepStrictEqual(await bench.take(reader, 2), ['m3', 'm4'])
    await reader.seek({ at: 'latest' })
    await bench.send('a', 'new')
    deepStrictEqual(await bench.take(reader, 1), ['new'])
    await reader.seek({ at: 'earliest' })
    deepStrictEqual(await bench.take(reader, 1), ['m0'])
  })

  test('Must let a waiting read go on from where seek moved it', async (bench) => {
    const ids = await bench.send('a', ...words)
    const reader = await bench.reader('a', { at: 'latest' })
    const reading = bench.take(reader, 1)
    await reader.seek({ from: ids[7] as MessageId })
    deepStrictEqual(await reading, ['m7'])
  })

  test('Must reject with MSG_POSITION_EXPIRED where retention took the frame, and keep the others', async (bench) => {
    if (!bench.mq.features.truncate) {
      const ids = await bench.send('a', 'x')
      await rejectsWith(bench.mq.truncate('a', ids[0] as MessageId), 'MSG_UNSUPPORTED')
      return
    }
    const ids = await bench.send('a', ...words)
    const before = await bench.reader('a', { at: 'earliest' })
    await bench.soon(bench.mq.truncate('a', ids[200] as MessageId), 'truncate')
    deepStrictEqual(await bench.take(await bench.reader('a', { from: ids[200] as MessageId }), 100), words.slice(200))
    const { first } = await bench.mq.bounds('a')
    if (first !== undefined && Buffer.compare(first.bytes, (ids[0] as MessageId).bytes) === 0) return
    await rejects(bench.soon(before.read(), 'read'), (error: { code?: unknown; details?: { first?: MessageId } }) => {
      deepStrictEqual(error.code, 'MSG_POSITION_EXPIRED')
      ok(error.details?.first !== undefined && Buffer.compare(error.details.first.bytes, (first as MessageId).bytes) === 0, 'details.first is the first kept')
      return true
    })
  })

  test('starts that are none are a TypeError', async (bench) => {
    await bench.send('a', 'x')
    for (const bad of [undefined, null, 'earliest', {}, { at: 'never' }, { from: 5 }, { from: { backend: 'other', bytes: new Uint8Array(8) } }]) {
      await rejects(bench.mq.openReader('a', bad as never), TypeError)
    }
  })
}
