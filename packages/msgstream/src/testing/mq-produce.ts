import { deepStrictEqual, ok, rejects } from 'node:assert/strict'
import { compareMessageIds } from '../position.ts'
import { bytes, numbered, rejectsWith, text, type Test } from './kit.ts'

export function produceTests(test: Test): void {
  test('Must keep the order of calls, also of calls that were not awaited', async (bench) => {
    const producer = await bench.mq.openProducer('a')
    const words = numbered('m', 300)
    await bench.soon(Promise.all(words.map((word) => producer.send([bytes(word)]))), 'sends')
    deepStrictEqual(await bench.readAll('a', 300), words)
  })

  test('Must assign ids in that order, and comparing their bytes compares places', async (bench) => {
    const producer = await bench.mq.openProducer('a')
    const sends = await bench.soon(Promise.all(numbered('m', 300).map((word) => producer.send([bytes(word)]))), 'sends')
    const ids = sends.flat()
    deepStrictEqual(ids.length, 300)
    for (let i = 1; i < ids.length; i++) {
      const [a, b] = [ids[i - 1], ids[i]]
      ok(a !== undefined && b !== undefined && compareMessageIds(a, b) < 0, `id ${i} stands behind id ${i - 1}`)
      ok(Buffer.compare(a.bytes, b.bytes) < 0, `bytes of id ${i} are above those of id ${i - 1}`)
    }
  })

  test('Must give a reader the ids that send gave', async (bench) => {
    const ids = await bench.send('a', ...numbered('m', 10))
    const reader = await bench.reader('a', { at: 'earliest' })
    const seen: string[] = []
    while (seen.length < 10) seen.push(...((await bench.soon(reader.read(), 'read'))?.ids ?? []).map(({ bytes: id }) => Buffer.from(id).toString('hex')))
    deepStrictEqual(seen, ids.map(({ bytes: id }) => Buffer.from(id).toString('hex')))
  })

  test('Must keep the frames of one send together', async (bench) => {
    const [one, two] = [await bench.mq.openProducer('a'), await bench.mq.openProducer('a')]
    const sends = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? one : two).send(numbered(`${i}.`, 5).map(bytes)))
    await bench.soon(Promise.all(sends), 'sends')
    const got = await bench.readAll('a', 100)
    for (let i = 0; i < 100; i += 5) deepStrictEqual(got.slice(i, i + 5), numbered(`${got[i]?.split('.')[0]}.`, 5))
  })

  test('Must not see what the caller does to a buffer after the call', async (bench) => {
    const producer = await bench.mq.openProducer('a')
    const frame = bytes('before')
    const sent = producer.send([frame])
    frame.fill(0)
    await bench.soon(sent, 'send')
    deepStrictEqual(await bench.readAll('a', 1), ['before'])
  })

  test('Must carry any bytes unchanged: none, all values, a megabyte', async (bench) => {
    const producer = await bench.mq.openProducer('a')
    const large = new Uint8Array(Math.min(1 << 20, bench.mq.features.maxFrameBytes)).fill(171)
    const frames = [new Uint8Array(0), Uint8Array.from({ length: 256 }, (_, i) => i), large, bytes('end')]
    await bench.soon(producer.send(frames), 'send')
    const reader = await bench.reader('a', { at: 'earliest' })
    const got: Uint8Array[] = []
    while (got.length < 4) got.push(...((await bench.soon(reader.read(), 'read'))?.frames ?? []))
    for (const [i, frame] of frames.entries()) deepStrictEqual(Buffer.compare(got[i] as Uint8Array, frame), 0, `frame ${i}`)
  })

  test('a send of nothing gives no ids and writes nothing', async (bench) => {
    deepStrictEqual(await bench.send('a'), [])
    await bench.send('a', 'x')
    deepStrictEqual(await bench.readAll('a', 1), ['x'])
  })

  test('Must refuse a frame above maxFrameBytes with MSG_TOO_LARGE and write nothing of the send', async (bench) => {
    if (bench.mq.features.maxFrameBytes > 128 << 20) return
    const producer = await bench.mq.openProducer('a')
    await rejectsWith(producer.send([bytes('no'), new Uint8Array(bench.mq.features.maxFrameBytes + 1)]), 'MSG_TOO_LARGE')
    await bench.send('a', 'x')
    deepStrictEqual(await bench.readAll('a', 1), ['x'])
  })

  test('an aborted signal rejects with its reason and writes nothing', async (bench) => {
    const producer = await bench.mq.openProducer('a')
    const reason = new Error('stop')
    await rejects(producer.send([bytes('no')], { signal: AbortSignal.abort(reason) }), (error) => error === reason)
    await bench.send('a', 'x')
    deepStrictEqual(await bench.readAll('a', 1), ['x'])
  })

  test('frames that are no Uint8Array are a TypeError', async (bench) => {
    const producer = await bench.mq.openProducer('a')
    for (const bad of [undefined, 'text', ['text'], [null], [[1]]]) {
      await rejects(producer.send(bad as unknown as Uint8Array[]), TypeError)
    }
  })

  test('Must reject with MSG_CLOSED after close, which may be called twice', async (bench) => {
    const producer = await bench.mq.openProducer('a')
    const last = producer.send([bytes('x')])
    await bench.soon(producer.close(), 'close')
    await producer.close()
    await bench.soon(last, 'the send before close')
    await rejectsWith(producer.send([bytes('no')]), 'MSG_CLOSED')
    deepStrictEqual((await bench.readAll('a', 1)).map((it) => text(bytes(it))), ['x'])
  })
}
