import { describe, expect, test } from 'vitest'
import { isWatchdogError } from '../src/index.ts'
import { FakeComponent, live, registered, rig, seeded, settle } from './helpers.ts'

describe('rule 7: clean, then restart, one at a time', () => {
  test('a running recovery is not begun again', async () => {
    const { clock, beat, a, dog } = registered()
    let done = (): void => {}
    a.onClean = () => new Promise((resolve) => (done = resolve))
    beat('a', 'unhealthy')
    await clock.advance(5000)
    expect(a.calls).toEqual(['clean 1'])
    expect(dog.states.components.get('a')?.phase).toBe('recovering')
    done()
    await settle()
    expect(a.calls).toEqual(['clean 1', 'restart 1'])
  })

  test.each([
    [
      'throws',
      (): never => {
        throw new Error('dirty')
      },
      'dirty',
    ],
    ['says unhealthy', () => 'unhealthy' as const, 'clean of "a" left it unhealthy'],
  ])('a clean that %s is told, the restart follows', async (_, clean, message) => {
    const { clock, beat, a, events } = registered()
    a.onClean = clean
    beat('a', 'unhealthy')
    await clock.advance(100)
    expect(a.calls).toEqual(['clean 1', 'restart 1'])
    expect(events).toContainEqual({ type: 'clean-failed', id: 'a', error: expect.objectContaining({ message }) })
  })

  test('or gives up, if that is the policy', async () => {
    const { clock, beat, a, dog } = registered({ restart: { onCleanFailure: 'give-up' } })
    a.onClean = () => Promise.reject(new Error('dirty'))
    beat('a', 'unhealthy')
    await clock.advance(60_000)
    expect(a.calls).toEqual(['clean 1'])
    expect(dog.states.components.get('a')?.phase).toBe('gave-up')
  })

  test('hanging steps are cut by their timeouts, with their signals aborted', async () => {
    const { clock, beat, a, events } = registered({ restart: { cleanTimeoutMs: 500, restartTimeoutMs: 700, backoffMs: 60_000 } })
    const aborted: string[] = []
    const hang =
      (what: string) =>
      ({ signal }: { signal: AbortSignal }) =>
        new Promise<void>((_, reject) =>
          signal.addEventListener('abort', () => {
            aborted.push(what)
            reject(new Error('late, and nobody listens'))
          }),
        )
    a.onClean = hang('clean')
    a.onRestart = hang('restart')
    beat('a', 'unhealthy')
    await clock.advance(599)
    expect(a.calls).toEqual(['clean 1'])
    await clock.advance(1)
    expect(a.calls).toEqual(['clean 1', 'restart 1'])
    await clock.advance(700)
    expect(aborted).toEqual(['clean', 'restart'])
    const failed = events.find(({ type }) => type === 'restart-failed')
    expect(failed !== undefined && 'error' in failed && isWatchdogError(failed.error, 'WATCHDOG_RECOVERY_TIMEOUT')).toBe(true)
    expect(clock.timers.size).toBe(1)
  })
})

describe('rule 8: intensity', () => {
  const failing = { restart: { maxRestarts: 4, withinMs: 60_000, backoffMs: 1000, maxBackoffMs: 3000 } }

  test('attempts in a row wait exponentially longer; too many give the component up until reset', async () => {
    const { clock, beat, a, dog, events } = registered(failing)
    a.onRestart = () => {
      throw new Error('no')
    }
    beat('a', 'unhealthy')
    await clock.advance(30_000)
    expect(events.flatMap((event) => (event.type === 'fault' ? [event.delayMs] : []))).toEqual([0, 1000, 2000, 3000])
    expect(events.at(-1)).toEqual({ type: 'gave-up', id: 'a', fault: 'restart-failed', restarts: 4 })
    await clock.advance(600_000)
    beat('a', 'unhealthy')
    await clock.advance(600_000)
    expect(a.calls.length).toBe(8)
    expect(dog.states.components.get('a')?.phase).toBe('gave-up')

    a.onRestart = () => {}
    expect(dog.reset('a')).toBe(true)
    expect(dog.states.components.get('a')?.phase).toBe('starting')
    await clock.advance(3200)
    expect(a.calls.length).toBe(10)
  })

  test('jitter takes off a part of the wait, the same for the same seed', async () => {
    const delays = async (seed: number): Promise<number[]> => {
      const { clock, beat, a, events } = registered({ random: seeded(seed), restart: { ...failing.restart, jitter: 0.5 } })
      a.onRestart = () => 'unhealthy'
      beat('a', 'unhealthy')
      await clock.advance(30_000)
      return events.flatMap((event) => (event.type === 'fault' ? [event.delayMs] : []))
    }
    const first = await delays(7)
    expect(first).toEqual(await delays(7))
    expect(first).not.toEqual(await delays(8))
    for (const [i, delay] of first.entries()) {
      const full = [0, 1000, 2000, 3000][i] ?? 0
      expect(delay).toBeGreaterThanOrEqual(full / 2)
      expect(delay).toBeLessThanOrEqual(full)
    }
  })

  test('at most maxConcurrent recoveries run at once', async () => {
    const { clock, dog, beat } = rig({ restart: { maxConcurrent: 3, restartTimeoutMs: 60_000 } })
    const running: (() => void)[] = []
    for (let i = 0; i < 10; i++) {
      const component = new FakeComponent(`c${i}`)
      component.onRestart = () => new Promise((resolve) => running.push(resolve))
      dog.register(component)
      beat(component.id, 'unhealthy')
    }
    await clock.advance(1000)
    expect(running.length).toBe(3)
    running[0]?.()
    await clock.advance(200)
    expect(running.length).toBe(4)
    await dog.close()
  })

  test('no restart at all is possible: faults are only told', async () => {
    const { clock, beat, a, types } = registered({ restart: { maxRestarts: 0 } })
    beat('a', 'unhealthy')
    await clock.advance(1000)
    expect(a.calls).toEqual([])
    expect(types()).toEqual(['registered', 'up', 'gave-up'])
  })
})

describe('rule 9: beats and recovery', () => {
  test('a beat during a recovery does not cancel it', async () => {
    const { clock, beat, a } = registered()
    a.onClean = () => beat('a', 'healthy')
    beat('a', 'unhealthy')
    await clock.advance(100)
    expect(a.calls).toEqual(['clean 1', 'restart 1'])
  })

  test('a recovery that waits is called off when the component is well again', async () => {
    const { clock, beat, a, types } = registered({ restart: { backoffMs: 5000 } })
    a.onRestart = () => {
      throw new Error('no')
    }
    beat('a', 'unhealthy')
    await clock.advance(1000)
    expect(a.calls.length).toBe(2)
    beat('a', 'healthy')
    await clock.advance(500)
    expect(types()).toContain('recovered')
    await live({ clock, beat } as ReturnType<typeof rig>, 'a', 10_000)
    expect(a.calls.length).toBe(2)
  })

  test('health for stableMs forgets earlier restarts', async () => {
    const parts = registered({ restart: { maxRestarts: 1, stableMs: 5000 } })
    parts.beat('a', 'unhealthy')
    await parts.clock.advance(200)
    await live(parts, 'a', 6000)
    expect(parts.types()).toContain('stable')
    parts.beat('a', 'unhealthy')
    await parts.clock.advance(200)
    expect(parts.a.calls).toEqual(['clean 1', 'restart 1', 'clean 2', 'restart 2'])
    // Not stable in between: given up.
    await live(parts, 'a', 2000)
    parts.beat('a', 'unhealthy')
    await parts.clock.advance(200)
    expect(parts.dog.states.components.get('a')?.phase).toBe('gave-up')
  })

  test('a beat of the new life may come before restart is done', async () => {
    const { clock, beat, a, dog } = registered()
    a.onRestart = ({ incarnation }) => beat('a', 'healthy', { incarnation, seq: 0 })
    beat('a', 'unhealthy', { incarnation: 0, seq: 3 })
    await clock.advance(100)
    expect(dog.states.components.get('a')).toMatchObject({ phase: 'up', status: 'healthy', incarnation: 1 })
  })
})

describe('rule 10: close stops everything', () => {
  test('no timer is left, nothing is restarted, methods refuse or do nothing', async () => {
    const { clock, dog, beat, a } = registered()
    await dog.close()
    await dog.close()
    expect(clock.timers.size).toBe(0)
    beat('a', 'unhealthy')
    await clock.advance(60_000)
    expect(a.calls).toEqual([])
    expect(() => dog.register(new FakeComponent('b'))).toThrow('the watchdog was closed')
    expect(dog.reset('a')).toBe(false)
    expect(dog.states.components.get('a')?.beats).toBe(0)
  })

  test('a recovery between clean and restart goes no further; its signal aborts', async () => {
    const { clock, dog, beat, a, types } = registered()
    let finish = (): void => {}
    let reason: unknown
    a.onClean = ({ signal }) =>
      new Promise((resolve) => {
        finish = resolve
        signal.addEventListener('abort', () => (reason = signal.reason))
      })
    beat('a', 'unhealthy')
    await clock.advance(100)
    await dog[Symbol.asyncDispose]()
    expect(isWatchdogError(reason, 'WATCHDOG_CLOSED')).toBe(true)
    finish()
    await clock.advance(60_000)
    expect(a.calls).toEqual(['clean 1'])
    expect(types()).toEqual(['registered', 'up', 'fault'])
    expect(clock.timers.size).toBe(0)
  })

  test('unregister aborts a recovery too', async () => {
    const { clock, dog, beat, a } = registered()
    let reason: unknown
    a.onRestart = ({ signal }) => new Promise(() => signal.addEventListener('abort', () => (reason = signal.reason)))
    beat('a', 'unhealthy')
    await clock.advance(100)
    dog.unregister('a')
    await settle()
    expect(isWatchdogError(reason, 'WATCHDOG_UNREGISTERED')).toBe(true)
    await clock.advance(60_000)
    expect(a.calls).toEqual(['clean 1', 'restart 1'])
  })
})

test('handlers that throw are counted, and may change the watchdog', async () => {
  const parts = rig({
    onEvent: (event) => {
      if (event.type === 'fault') parts.dog.unregister(event.id)
      throw new Error('no')
    },
  })
  const a = new FakeComponent('a')
  parts.dog.register(a)
  parts.beat('a', 'unhealthy')
  await parts.clock.advance(1000)
  expect(a.calls).toEqual([])
  expect(parts.dog.states.handlerErrors).toBe(4)
})
