import { describe, expect, it } from 'vitest'
import { ServiceTime } from '../../src/channel/service-time.ts'

describe('service time', () => {
  it('never falls', () => {
    const time = new ServiceTime()
    time.advance(5n)
    time.advance(3n)
    time.advance(0n)
    expect(time.ts).toBe(5n)
  })

  it('wakes those whose time has come, and only those', async () => {
    const time = new ServiceTime()
    const woken: bigint[] = []
    for (const ts of [10n, 20n, 30n]) void time.wait(ts).then(() => woken.push(ts))
    time.advance(20n)
    await time.wait(20n)
    expect(woken).toEqual([10n, 20n])
  })

  it('rejects with the reason of an abort, before or while waiting', async () => {
    const time = new ServiceTime()
    const reason = new Error('enough')
    await expect(time.wait(1n, AbortSignal.abort(reason))).rejects.toBe(reason)
    const abort = new AbortController()
    const waiting = time.wait(1n, abort.signal)
    abort.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    time.advance(1n)
    await time.wait(1n)
  })
})
