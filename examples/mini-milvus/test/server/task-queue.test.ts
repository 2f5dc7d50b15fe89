import { describe, expect, it } from 'vitest'
import { TaskQueue } from '../../src/server/task-queue.ts'

function queue(maxRunning: number, maxWaiting: number) {
  let now = 0
  const made = new TaskQueue({ kind: 'ddl', maxRunning, maxWaiting, clock: { monotonic: () => now } })
  return { queue: made, advance: (ms: number) => (now += ms) }
}

const live = new AbortController().signal

describe('a task queue', () => {
  it('runs so many at once, lets so many wait, in order, and refuses the rest with the rate-limit answer', async () => {
    const { queue: one, advance } = queue(2, 2)
    expect([one.tryEnter(), one.tryEnter(), one.tryEnter()]).toEqual([true, true, false])
    const order: string[] = []
    const a = one.enter(live).then(() => order.push('a'))
    const b = one.enter(live).then(() => order.push('b'))
    await expect(one.enter(live)).rejects.toMatchObject({ code: 8, legacy: 49, message: expect.stringContaining('ddl queue is full') as unknown })
    expect(one.state).toMatchObject({ running: 2, waiting: 2, started: 2, refused: 1 })
    advance(5)
    one.leave()
    await a
    advance(7)
    one.leave()
    await b
    expect(order).toEqual(['a', 'b'])
    expect(one.state).toMatchObject({ running: 2, waiting: 0, started: 4, waited: 2, waitMs: 17 })
    one.leave()
    one.leave()
    expect(one.state.running).toBe(0)
    expect(one.tryEnter()).toBe(true)
  })

  it('lets one that is cancelled leave from the middle, and gives its place to another', async () => {
    const { queue: one } = queue(1, 2)
    one.tryEnter()
    const abort = new AbortController()
    const reason = new Error('gone')
    const cancelled = one.enter(abort.signal)
    const next = one.enter(live)
    await expect(one.enter(live)).rejects.toMatchObject({ code: 8 })
    abort.abort(reason)
    await expect(cancelled).rejects.toBe(reason)
    expect(one.state).toMatchObject({ waiting: 1, abandoned: 1 })
    one.leave()
    await next
    expect(one.state).toMatchObject({ running: 1, waiting: 0 })
    await expect(one.enter(abort.signal)).rejects.toBe(reason)
    expect(one.state).toMatchObject({ waiting: 0, abandoned: 2 })
  })

  it('keeps its counts under any order of calls', async () => {
    for (let seed = 1; seed <= 30; seed++) {
      let state = seed
      const random = (): number => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31
      const maxRunning = 1 + Math.floor(random() * 3)
      const { queue: one } = queue(maxRunning, 3)
      const pending: { abort: AbortController; promise: Promise<boolean> }[] = []
      let held = 0
      for (let step = 0; step < 200; step++) {
        if (random() < 0.5) {
          if (one.tryEnter()) held++
          else {
            const abort = new AbortController()
            pending.push({ abort, promise: one.enter(abort.signal).then(() => (held++, true), () => false) })
          }
        } else if (random() < 0.3) pending[Math.floor(random() * pending.length)]?.abort.abort()
        else if (held > 0) {
          held--
          one.leave()
        }
        await Promise.resolve()
        await Promise.resolve()
        const { running, waiting } = one.state
        expect([seed, running <= maxRunning, waiting <= 3, waiting === 0 || running === maxRunning]).toEqual([seed, true, true, true])
      }
      while (one.state.running > 0) one.leave()
      for (const { abort } of pending) abort.abort()
      expect([seed, one.state.waiting, one.state.running]).toEqual([seed, 0, 0])
    }
  })
})
