import { describe, expect, it } from 'vitest'
import { createHeartbeat, createSupervisor } from '../src/index.ts'
import type { Strategy, Supervised, Supervisor, SupervisorEvent, SupervisorOptions } from '../src/index.ts'
import { FakeComponent, VirtualClock } from './helpers.ts'

class Part extends FakeComponent implements Supervised {
  readonly dependsOn: readonly string[] | undefined

  constructor(id: string, dependsOn?: readonly string[]) {
    super(id)
    this.dependsOn = dependsOn
  }
}

function group(strategy: Strategy, parts: readonly Part[], more: Partial<SupervisorOptions> = {}): { clock: VirtualClock; dog: Supervisor; log: string[]; events: SupervisorEvent[]; live: (ms: number, ids: readonly string[]) => Promise<void> } {
  const clock = more.clock instanceof VirtualClock ? more.clock : new VirtualClock()
  const log: string[] = []
  const events: SupervisorEvent[] = []
  for (const part of parts) {
    part.onClean = () => void log.push(`clean ${part.id}`)
    part.onRestart = () => void log.push(`restart ${part.id}`)
  }
  const dog = createSupervisor({
    id: 'group', strategy, components: parts, clock, checkIntervalMs: 100, timeoutMs: 1000, startupGraceMs: 3000, random: () => 0,
    onEvent: (event) => void events.push(event), ...more,
  })
  const live = async (ms: number, ids: readonly string[]): Promise<void> => {
    for (let t = 0; t < ms; t += 200) {
      for (const id of ids) dog.putHeartbeat(createHeartbeat(id, 'healthy'))
      await clock.advance(200)
    }
  }
  return { clock, dog, log, events, live }
}

const chain = (): Part[] => [new Part('c', ['b']), new Part('b', ['a']), new Part('a'), new Part('z')]

describe('strategies', () => {
  it.each([
    ['one-for-one', ['clean b', 'restart b']],
    ['rest-for-one', ['clean c', 'clean b', 'restart b', 'restart c']],
    ['one-for-all', ['clean z', 'clean c', 'clean b', 'clean a', 'restart a', 'restart b', 'restart c', 'restart z']],
  ] as const)('%s', async (strategy, expected) => {
    const { dog, log, live } = group(strategy, chain())
    await live(1000, ['a', 'b', 'c', 'z'])
    await live(1400, ['a', 'c', 'z'])
    expect(log).toEqual(expected)
    await live(3000, ['a', 'b', 'c', 'z'])
    expect(log).toEqual(expected)
    await dog.close()
  })

  it('rest-for-one goes by the list where nobody names dependencies', async () => {
    const { dog, log, live } = group('rest-for-one', [new Part('a'), new Part('b'), new Part('c')])
    await live(1000, ['a', 'b', 'c'])
    await live(1400, ['a', 'c'])
    expect(log).toEqual(['clean c', 'clean b', 'restart b', 'restart c'])
    await dog.close()
  })

  it('two that fail together are recovered once', async () => {
    const { dog, log, live } = group('one-for-all', [new Part('a'), new Part('b')])
    await live(1000, ['a', 'b'])
    await live(1400, [])
    await live(5000, ['a', 'b'])
    expect(log.filter((entry) => entry === 'restart a')).toHaveLength(1)
    expect(log.filter((entry) => entry === 'restart b')).toHaveLength(1)
    await dog.close()
  })

  it('starts in the order of dependencies and closes in reverse', async () => {
    const { dog, log } = group('one-for-one', chain())
    await dog.start()
    expect(log).toEqual(['restart a', 'restart b', 'restart c', 'restart z'])
    log.length = 0
    await dog.close({ clean: true })
    expect(log).toEqual(['clean z', 'clean c', 'clean b', 'clean a'])
  })

  it('refuses circles, unknown and double ids, and strategies that there are not', () => {
    const make = (parts: Part[], strategy = 'one-for-one'): Supervisor => group(strategy as Strategy, parts).dog
    expect(() => make([new Part('a', ['b']), new Part('b', ['a'])])).toThrow(/circle/)
    expect(() => make([new Part('a', ['x'])])).toThrow(/not among/)
    expect(() => make([new Part('a'), new Part('a')])).toThrow(/differ/)
    expect(() => make([], 'some-for-some')).toThrow(TypeError)
  })
})

describe('a tree', () => {
  it('escalates when a component is given up, and is recovered as a whole from above', async () => {
    const clock = new VirtualClock()
    const sick = new Part('sick')
    const well = new Part('well')
    const inner = group('one-for-one', [sick, well], { id: 'inner', clock, restart: { maxRestarts: 1, backoffMs: 100 } })
    const outer = createSupervisor({ id: 'outer', strategy: 'one-for-one', components: [inner.dog], clock, checkIntervalMs: 100, timeoutMs: 2500, random: () => 0 })
    await inner.live(600, ['sick', 'well'])
    await inner.live(8000, ['well'])
    expect(inner.events.filter(({ type }) => type === 'escalated').length).toBeGreaterThan(0)
    expect(well.calls.some((call) => call.startsWith('restart'))).toBe(true)
    expect(outer.watchdog.states.components.get('inner')?.restarts).toBeGreaterThan(0)
    await inner.live(6000, ['sick', 'well'])
    expect(inner.dog.status()).toBe('healthy')
    await outer.close()
    await inner.dog.close()
    expect(clock.timers.size).toBe(0)
  })
})
