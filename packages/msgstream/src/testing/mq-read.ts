import { deepStrictEqual, ok, rejects } from 'node:assert/strict'
import { bytes, numbered, rejectsWith, text, type Test } from './kit.ts'

export function readTests(test: Test): void {
  test('Must deliver every durable frame once, in order', async (bench) => {
    const words = numbered('m', 700)
    await bench.send('a', ...words.slice(0, 400))
    const reader = await bench.reader('a', { at: 'earliest' })
    const reading = bench.take(reader, 700)
    for (let i = 400; i < 700; i += 3) await bench.send('a', ...words.slice(i, i + 3))
    deepStrictEqual(await reading, words)
  })

  test('Must wait for the first frame and wake for it', async (bench) => {
    await bench.mq.createChannel('a')
    const reader = await bench.reader('a', { at: 'earliest' })
    for (const word of numbered('m', 20)) {
      const reading = bench.take(reader, 1)
      await bench.send('a', word)
      deepStrictEqual(await reading, [word])
    }
  })

  test('Must give at most maxMessages', async (bench) => {
    await bench.send('a', ...numbered('m', 10))
    const reader = await bench.reader('a', { at: 'earliest' })
    const got: string[] = []
    while (got.length < 10) {
      const batch = await bench.soon(reader.read({ maxMessages: 3 }), 'read')
      ok(batch !== undefined && batch.frames.length >= 1 && batch.frames.length <= 3, '1 to 3 frames')
      got.push(...batch.frames.map(text))
    }
    deepStrictEqual(got, numbered('m', 10))
  })

  test('Must stop at about maxBytes, but give one frame at least', async (bench) => {
    await bench.send('a', ...Array.from({ length: 20 }, () => 'x'.repeat(1000)))
    const reader = await bench.reader('a', { at: 'earliest' })
    const batch = await bench.soon(reader.read({ maxBytes: 2500 }), 'read')
    ok(batch !== undefined && batch.frames.length >= 1 && batch.frames.length <= 5, `about 2500 bytes, got ${batch?.frames.length} frames of 1000`)
    const one = await bench.soon(reader.read({ maxBytes: 1 }), 'read')
    deepStrictEqual(one?.frames.length, 1)
  })

  test('readers of one channel are independent', async (bench) => {
    await bench.send('a', ...numbered('m', 5))
    const [one, two] = [await bench.reader('a', { at: 'earliest' }), await bench.reader('a', { at: 'earliest' })]
    deepStrictEqual(await bench.take(one, 5), numbered('m', 5))
    deepStrictEqual(await bench.take(two, 2), numbered('m', 2))
    await one.close()
    deepStrictEqual(await bench.take(two, 3), numbered('m', 5).slice(2))
  })

  test('channels are independent, also where one name begins with another', async (bench) => {
    await bench.send('a', 'in a')
    await bench.send('ab', 'in ab')
    await bench.send('a.b', 'in a.b')
    deepStrictEqual(await bench.readAll('a', 1), ['in a'])
    deepStrictEqual(await bench.readAll('ab', 1), ['in ab'])
    deepStrictEqual(await bench.readAll('a.b', 1), ['in a.b'])
  })

  test('Must end a waiting read with undefined on close', async (bench) => {
    await bench.mq.createChannel('a')
    const reader = await bench.reader('a', { at: 'earliest' })
    const reading = reader.read()
    await bench.soon(reader.close(), 'close')
    await reader.close()
    deepStrictEqual(await bench.soon(reading, 'the waiting read'), undefined)
    deepStrictEqual(await bench.soon(reader.read(), 'a read after close'), undefined)
  })

  test('Must reject an aborted read with the reason and lose nothing', async (bench) => {
    await bench.send('a', 'first')
    const reader = await bench.reader('a', { at: 'earliest' })
    deepStrictEqual(await bench.take(reader, 1), ['first'])
    const abort = new AbortController()
    const reading = reader.read({ signal: abort.signal })
    const reason = new Error('stop')
    abort.abort(reason)
    await rejects(bench.soon(reading, 'the aborted read'), (error) => error === reason)
    await bench.send('a', 'second')
    deepStrictEqual(await bench.take(reader, 1), ['second'])
  })

  test('Must refuse a second read while one waits', async (bench) => {
    await bench.mq.createChannel('a')
    const reader = await bench.reader('a', { at: 'earliest' })
    const reading = bench.take(reader, 1)
    await rejectsWith(bench.soon(reader.read(), 'the second read'), 'MSG_BUSY')
    await bench.send('a', 'x')
    deepStrictEqual(await reading, ['x'])
  })

  test('limits that are no positive integers are refused', async (bench) => {
    await bench.send('a', 'x')
    const reader = await bench.reader('a', { at: 'earliest' })
    for (const maxMessages of [0, -1, 1.5, Number.NaN]) await rejects(reader.read({ maxMessages }), RangeError)
    await rejects(reader.read({ maxBytes: '10' as unknown as number }), TypeError)
    deepStrictEqual(await bench.take(reader, 1), ['x'])
  })

  test('a frame stays as it was handed out', async (bench) => {
    const producer = await bench.mq.openProducer('a')
    await bench.soon(producer.send([bytes('kept')]), 'send')
    const reader = await bench.reader('a', { at: 'earliest' })
    const batch = await bench.soon(reader.read(), 'read')
    await bench.send('a', ...numbered('later', 200))
    deepStrictEqual(batch?.frames.map(text), ['kept'])
  })
}
