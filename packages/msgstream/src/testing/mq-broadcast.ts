import { deepStrictEqual, ok, rejects } from 'node:assert/strict'
import type { MqBroadcaster } from '../mq.ts'
import { bytes, numbered, rejectsWith, type Bench, type Test } from './kit.ts'

const channels = ['a', 'b', 'c']

/** `undefined` where the queue cannot; then it must say so. */
async function broadcaster(bench: Bench): Promise<MqBroadcaster | undefined> {
  const { mq } = bench
  if (mq.features.atomicBroadcast) {
    ok(mq.openBroadcaster !== undefined, 'features.atomicBroadcast, but no openBroadcaster')
    return bench.soon(mq.openBroadcaster(channels), 'openBroadcaster')
  }
  if (mq.openBroadcaster !== undefined) await rejectsWith(mq.openBroadcaster(channels), 'MSG_UNSUPPORTED')
  return undefined
}

export function broadcastTests(test: Test): void {
  test('Must append to all channels or to none, in the order of calls', async (bench) => {
    const all = await broadcaster(bench)
    if (all === undefined) return
    const words = numbered('m', 20)
    const reader = await bench.reader('a', { at: 'earliest' })
    const reading = bench.take(reader, 40)
    const ids = await bench.soon(Promise.all(words.map((word) => all.send([bytes(word), bytes(`${word}'`)]))), 'broadcasts')
    const expected = words.flatMap((word) => [word, `${word}'`])
    deepStrictEqual(await reading, expected)
    for (const [i, channel] of channels.entries()) {
      deepStrictEqual(await bench.readAll(channel, 40), expected)
      const list = ids.flatMap((it) => it[i] ?? [])
      deepStrictEqual(list.length, 40)
      deepStrictEqual(await bench.take(await bench.reader(channel, { after: list[37] as (typeof list)[number] }), 2), expected.slice(38))
    }
    await bench.soon(all.close(), 'close')
  })

  test('Must not see what the caller does to the frames after the call', async (bench) => {
    const all = await broadcaster(bench)
    if (all === undefined) return
    const frame = bytes('kept')
    const sent = all.send([frame])
    frame.fill(0)
    await bench.soon(sent, 'broadcast')
    deepStrictEqual(await bench.readAll('b', 1), ['kept'])
    await bench.soon(all.close(), 'close')
  })

  test('a refused broadcast leaves nothing in any channel', async (bench) => {
    const all = await broadcaster(bench)
    if (all === undefined) return
    await rejects(all.send(['text'] as never), TypeError)
    await rejectsWith(all.send([bytes('small'), new Uint8Array(bench.mq.features.maxFrameBytes + 1)]), 'MSG_TOO_LARGE')
    await rejects(all.send([bytes('x')], { signal: AbortSignal.abort('stop') }), (reason) => reason === 'stop')
    await bench.soon(all.send([bytes('after')]), 'broadcast')
    for (const channel of channels) deepStrictEqual(await bench.readAll(channel, 1), ['after'])
    await bench.soon(Promise.all([all.close(), all.close()]), 'close')
    await rejectsWith(all.send([bytes('x')]), 'MSG_CLOSED')
  })

  test('waits at close for what was sent', async (bench) => {
    const all = await broadcaster(bench)
    if (all === undefined) return
    const sent = all.send([bytes('x')])
    await bench.soon(all.close(), 'close')
    await bench.soon(sent, 'broadcast')
    for (const channel of channels) deepStrictEqual(await bench.readAll(channel, 1), ['x'])
  })
}
