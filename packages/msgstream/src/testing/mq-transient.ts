import { deepStrictEqual, throws } from 'node:assert/strict'
import { bytes, numbered, text, type Test } from './kit.ts'

const hex = (id: Uint8Array | undefined): string => Buffer.from(id ?? []).toString('hex')

export function transientTests(test: Test): void {
  test('Must refuse them with MSG_UNSUPPORTED where features.transient is false', async (bench) => {
    const producer = await bench.mq.openProducer('a')
    if (bench.mq.features.transient) producer.sendTransient(bytes('t'))
    else throws(() => producer.sendTransient(bytes('t')), { code: 'MSG_UNSUPPORTED' })
  })

  test('Must reach a reader at the tail, with the place of the next durable frame', async (bench) => {
    if (!bench.mq.features.transient) return
    const producer = await bench.mq.openProducer('a')
    await bench.soon(producer.send([bytes('d0')]), 'send')
    const reader = await bench.reader('a', { at: 'latest' })
    const reading = bench.soon(reader.read(), 'the transient frame')
    producer.sendTransient(bytes('t0'))
    const batch = await reading
    deepStrictEqual(batch?.frames.map(text), ['t0'])
    const ids = await bench.soon(producer.send([bytes('d1')]), 'send')
    deepStrictEqual(hex(batch?.ids[0]?.bytes), hex(ids[0]?.bytes))
    deepStrictEqual(await bench.take(reader, 1), ['d1'])
  })

  test('Must come behind frames whose send was called earlier, also when it was not awaited', async (bench) => {
    if (!bench.mq.features.transient) return
    const producer = await bench.mq.openProducer('a')
    const reader = await bench.reader('a', { at: 'earliest' })
    const reading = bench.take(reader, 100)
    const sends: Promise<unknown>[] = []
    for (let i = 0; i < 50; i++) {
      sends.push(producer.send([bytes(`d${i}`)]))
      producer.sendTransient(bytes(`t${i}`))
    }
    await bench.soon(Promise.all(sends), 'sends')
    deepStrictEqual(await reading, numbered('', 50).flatMap((i) => [`d${i}`, `t${i}`]))
  })

  test('Must store nothing: who reads later does not see them', async (bench) => {
    if (!bench.mq.features.transient) return
    const producer = await bench.mq.openProducer('a')
    await bench.soon(producer.send([bytes('d0')]), 'send')
    producer.sendTransient(bytes('t0'))
    await bench.soon(producer.send([bytes('d1')]), 'send')
    deepStrictEqual(await bench.readAll('a', 2), ['d0', 'd1'])
  })

  test('Must not see what the caller does to a buffer after the call', async (bench) => {
    if (!bench.mq.features.transient) return
    const producer = await bench.mq.openProducer('a')
    const reader = await bench.reader('a', { at: 'latest' })
    const frame = bytes('tick')
    producer.sendTransient(frame)
    frame.fill(0)
    deepStrictEqual(await bench.take(reader, 1), ['tick'])
  })
}
