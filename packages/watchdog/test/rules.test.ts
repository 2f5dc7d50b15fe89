import { describe, expect, test } from 'vitest'
import { FakeComponent, live, registered, rig } from './helpers.ts'

test('rule 1: an id is registered once', () => {
  const { dog, a } = registered()
  expect(() => dog.register(new FakeComponent('a'))).toThrow('"a" is registered')
  expect(dog.unregister('a')).toBe(true)
  expect(dog.unregister('a')).toBe(false)
  dog.register(a)
  expect([...dog.states.components.keys()]).toEqual(['a'])
})

describe('rule 2: putHeartbeat never blocks and never throws', () => {
  test('whatever it is given', () => {
    const { dog } = registered()
    const bad: unknown[] = [
      null,
      undefined,
      7,
      'a',
      [],
      {},
      { id: 'a' },
      { id: 'a', status: 'fine', serialize: () => '' },
      { id: 'a', status: 'healthy', serialize: 7 },
      { id: 'a', status: 'healthy', seq: -1, serialize: () => '' },
      { id: 'a', status: 'healthy', incarnation: 1.5, serialize: () => '' },
      {
        get id(): string {
          throw new Error('no')
        },
      },
    ]
    for (const beat of bad) expect(dog.putHeartbeat(beat as never)).toBe(undefined)
    expect(dog.states.invalidBeats).toBe(bad.length)
    expect(dog.states.components.get('a')?.beats).toBe(0)
  })

  test('beats of unknown ids are counted, and told once for each id', () => {
    const { dog, beat, types } = rig()
    for (let i = 0; i < 3; i++) beat('ghost')
    beat('other')
    expect(dog.states.orphanBeats).toBe(4)
    expect(types()).toEqual(['orphan', 'orphan'])
    for (let i = 0; i < 5000; i++) beat(`id-${i}`)
    expect(types().length).toBe(1024)
  })
})

test('rule 3: a component never heard of has the start-up grace, not the timeout', async () => {
  const { clock, a, events } = registered()
  await clock.advance(3000)
  expect(a.calls).toEqual([])
  await clock.advance(200)
  expect(a.calls).toEqual(['clean 1', 'restart 1'])
  expect(events).toContainEqual({ type: 'fault', id: 'a', fault: 'never-seen', delayMs: 0 })
  // A restart gives a new grace.
  await clock.advance(2900)
  expect(a.calls.length).toBe(2)
})

describe('rule 4: silence is measured on arrival, over time in which the watchdog ran', () => {
  test('a silent component is recovered within the timeout and one check', async () => {
    const parts = registered()
    await live(parts, 'a', 2000)
    expect(parts.a.calls).toEqual([])
    // The last beat was 200 ms ago.
    await parts.clock.advance(700)
    expect(parts.a.calls).toEqual([])
    await parts.clock.advance(300)
    expect(parts.a.calls).toEqual(['clean 1', 'restart 1'])
    expect(parts.events).toContainEqual({ type: 'fault', id: 'a', fault: 'silent', delayMs: 0 })
  })

  test('a stall of the watchdog is held against nobody, and gives everyone a whole period more', async () => {
    const parts = registered()
    await live(parts, 'a', 2000)
    parts.clock.stall(60_000)
    await parts.clock.advance(900)
    expect(parts.types()).toContain('stalled')
    expect(parts.dog.states.stalls).toBe(1)
    await live(parts, 'a', 2000)
    expect(parts.a.calls).toEqual([])
    // One that died in the stall is found all the same.
    parts.clock.stall(60_000)
    await parts.clock.advance(1300)
    expect(parts.a.calls).toEqual(['clean 1', 'restart 1'])
  })

  test('small stalls do not add up to silence', async () => {
    const parts = registered()
    for (let i = 0; i < 10; i++) {
      parts.beat('a')
      await parts.clock.advance(450)
      // Half of the time nobody runs; no single check is late by half the timeout.
      parts.clock.stall(400)
      await parts.clock.advance(50)
      parts.clock.stall(400)
      await parts.clock.advance(50)
    }
    expect(parts.dog.states.stalls).toBe(0)
    expect(parts.a.calls).toEqual([])
  })
})

describe('rule 5: beats of earlier lives, repeated and reordered ones are ignored', () => {
  test('by sequence', () => {
    const { dog, beat } = registered()
    for (const seq of [5, 5, 4, 6]) beat('a', 'healthy', { seq })
    expect(dog.states.components.get('a')).toMatchObject({ beats: 2, staleBeats: 2 })
  })

  test('by incarnation: a zombie cannot keep its successor alive', async () => {
    const { clock, dog, beat, a } = registered()
    beat('a', 'healthy', { incarnation: 0, seq: 100 })
    await clock.advance(1200)
    expect(a.calls).toEqual(['clean 1', 'restart 1'])
    for (let t = 0; t < 3500; t += 100) {
      beat('a', 'healthy', { incarnation: 0, seq: 101 + t })
      await clock.advance(100)
    }
    expect(dog.states.components.get('a')?.staleBeats).toBe(35)
    await clock.advance(1000)
    expect(a.calls).toContain('restart 2')
  })

  test('a life that a component began by itself is taken over', () => {
    const { dog, beat } = registered()
    beat('a', 'healthy', { incarnation: 0, seq: 9 })
    beat('a', 'healthy', { incarnation: 4, seq: 0 })
    beat('a', 'healthy', { incarnation: 3, seq: 50 })
    expect(dog.states.components.get('a')).toMatchObject({ incarnation: 4, beats: 2, staleBeats: 1 })
  })
})

describe('rule 6: unhealthy and silent are two faults', () => {
  test('by beat', async () => {
    const { clock, beat, a, events } = registered()
    beat('a', 'unhealthy')
    await clock.advance(100)
    expect(a.calls).toEqual(['clean 1', 'restart 1'])
    expect(events).toContainEqual({ type: 'fault', id: 'a', fault: 'unhealthy', delayMs: 0 })
  })

  test('by status(), a throw of it included', async () => {
    for (const status of [
      () => 'unhealthy' as const,
      () => {
        throw new Error('no')
      },
      () => 'junk' as never,
    ]) {
      const { clock, beat, a, events } = registered()
      a.status = status
      beat('a')
      await clock.advance(100)
      expect(events).toContainEqual({ type: 'fault', id: 'a', fault: 'unhealthy', delayMs: 0 })
    }
  })

  test('one that said it is stopping may be silent; one that initializes must beat', async () => {
    const { clock, beat, a } = registered()
    beat('a', 'stopping')
    await clock.advance(60_000)
    expect(a.calls).toEqual([])
    beat('a', 'initializing')
    await clock.advance(1200)
    expect(a.calls).toEqual(['clean 1', 'restart 1'])
  })
})
