import { describe, expect, it } from 'vitest'
import { createTsMsg, isMsgStreamError, MsgStreamError, startTimeTickProducer, type TimeTickProducer } from '../src/index.ts'
import { createMemoryMq } from '../src/memory.ts'
import { delayedMq, flush, ManualClock } from './helpers.ts'

const channels = ['a', 'b']
const insert = () => createTsMsg({ type: 400, id: 1n })

async function start(): Promise<{ ticks: TimeTickProducer; clock: ManualClock; mq: ReturnType<typeof delayedMq> }> {
  let last = 0n
  const clock = new ManualClock()
  const mq = delayedMq(createMemoryMq(), true)
  const ticks = await startTimeTickProducer({ mq, channels, allocate: async () => ++last, intervalMs: 10, clock })
  return { ticks, clock, mq }
}

async function settle(mq: ReturnType<typeof delayedMq>): Promise<void> {
  for (let turn = 0; turn < 10; turn++) {
    while (mq.held() > 0) mq.release(0)
    await flush()
  }
}

const both = () => channels.map((channel) => ({ channel, msgs: [insert()] }))

describe('a confirmed write', () => {
  it('is confirmed once, when every channel has acknowledged, and no tick passes it before', async () => {
    const { ticks, clock, mq } = await start()
    const confirmed: bigint[] = []
    let allow: (() => void) | undefined
    const writing = ticks.write(both, channels, {
      confirm: (ts) => {
        confirmed.push(ts)
        return new Promise((resolve) => (allow = resolve))
      },
    })
    await flush()
    mq.release(0)
    await flush()
    expect(confirmed).toEqual([])
    await settle(mq)
    expect(confirmed).toEqual([1n])
    clock.advance(10)
    ticks.requestTick(channels, 1n)
    await settle(mq)
    expect(channels.map((name) => ticks.lastTick(name))).toEqual([0n, 0n])
    allow?.()
    expect((await writing).timestamp).toBe(1n)
    await settle(mq)
    expect(channels.every((name) => ticks.lastTick(name) >= 1n)).toBe(true)
    mq.open()
    await ticks.close()
  })

  it('that is refused rejects, and time goes on', async () => {
    const { ticks, clock, mq } = await start()
    const writing = ticks.write(both, channels, { confirm: () => Promise.reject(new Error('no')) })
    const refused = writing.catch((error: unknown) => error)
    await settle(mq)
    expect(await refused).toMatchObject({ message: 'no' })
    clock.advance(10)
    await settle(mq)
    expect(channels.every((name) => ticks.lastTick(name) >= 1n)).toBe(true)
    const next = ticks.write(both, channels)
    await settle(mq)
    expect((await next).timestamp).toBeGreaterThan(1n)
    mq.open()
    await ticks.close()
  })

  it('of unknown outcome stops time for good', async () => {
    const { ticks, clock, mq } = await start()
    const writing = ticks.write(both, channels, { confirm: () => Promise.reject(Object.assign(new Error('perhaps'), { outcome: 'unknown' })) })
    const refused = writing.catch((error: unknown) => error)
    await settle(mq)
    expect(await refused).toMatchObject({ message: 'perhaps' })
    clock.advance(10)
    await settle(mq)
    expect(channels.map((name) => ticks.lastTick(name))).toEqual([0n, 0n])
    await expect(ticks.write(both, channels)).rejects.toSatisfy((error) => isMsgStreamError(error, 'MSG_PRODUCER_FAILED'))
    mq.open()
    await ticks.close()
  })

  it('is not confirmed when an append failed, and holds nothing back', async () => {
    const { ticks, clock, mq } = await start()
    let confirmations = 0
    const writing = ticks.write(both, channels, { confirm: async () => void confirmations++ })
    const refused = writing.catch((error: unknown) => error)
    await flush()
    mq.failNext(new MsgStreamError('MSG_UNAVAILABLE', 'refused', { outcome: 'not-applied' }))
    await settle(mq)
    expect(isMsgStreamError(await refused, 'MSG_PRODUCE_FAILED')).toBe(true)
    clock.advance(10)
    await settle(mq)
    expect(confirmations).toBe(0)
    mq.open()
    await ticks.close()
  })

  it('wants a function', async () => {
    const { ticks, mq } = await start()
    await expect(ticks.write(both, channels, { confirm: 1 as unknown as () => Promise<void> })).rejects.toThrow(TypeError)
    mq.open()
    await ticks.close()
  })
})
