import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { underSignals } from '../../src/internal/under-signals.ts'

const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error)
    else signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })

describe('work under several signals', () => {
  it.each([0, 1])('ends with the reason of the one that aborts (%d)', async (which) => {
    const aborts = [new AbortController(), new AbortController()]
    const work = underSignals(aborts.map(({ signal }) => signal), untilAborted)
    aborts[which]?.abort(new Error(`by ${which}`))
    await expect(work).rejects.toThrow(`by ${which}`)
  })

  it('begins aborted where one was, with the reason of the first', async () => {
    const signals = [new AbortController().signal, AbortSignal.abort(new Error('first')), AbortSignal.abort(new Error('second'))]
    await expect(underSignals(signals, untilAborted)).rejects.toThrow('first')
  })

  it('leaves nothing at a signal that lives on, however it ends', async () => {
    const { signal } = new AbortController()
    for (let i = 0; i < 100; i++) {
      expect(await underSignals([signal, new AbortController().signal], async () => i)).toBe(i)
      await expect(underSignals([signal, AbortSignal.abort(new Error('no'))], untilAborted)).rejects.toThrow('no')
      await expect(underSignals([signal], async () => { throw new Error('failed') })).rejects.toThrow('failed')
    }
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
})
