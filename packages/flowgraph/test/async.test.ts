import { describe, expect, test } from 'vitest'
import { InputNode } from '../src/index.ts'
import { collector, Feed, graphOf, input, pass, ticks, until } from './helpers.ts'
import type { Value } from './helpers.ts'

interface Gate {
  readonly tick: number
  readonly open: () => void
}

/** An async operator whose promises are settled by hand. */
function gated(name: string, gates: Gate[], maxParallelism: number): ReturnType<typeof pass> {
  return pass(name, ([msg]) => new Promise((resolve) => gates.push({ tick: (msg as Value).value, open: () => resolve(msg) })), {
    maxParallelism,
  })
}

describe('async operators', () => {
  test('at most maxParallelism ticks at once, results leave in the order of ticks', async () => {
    const gates: Gate[] = []
    const seen: string[] = []
    const graph = graphOf(
      [input('in', ticks(1, 2, 3, 4, 5)), gated('slow', gates, 3), collector('out', seen)],
      [
        ['in', 'slow'],
        ['slow', 'out'],
      ],
    )
    graph.start()
    await until(() => gates.length === 3)
    expect(graph.states.numActiveTasks.get('slow')).toBe(3)
    gates[2]?.open()
    gates[1]?.open()
    await until(() => graph.states.nodes.get('slow')?.completed === 2)
    expect(seen).toEqual([])
    // Ticks that wait for an earlier one keep their places.
    expect(gates.length).toBe(3)
    gates[0]?.open()
    await until(() => gates.length === 5)
    expect(seen).toEqual(['1:1', '2:2', '3:3'])
    gates[4]?.open()
    gates[3]?.open()
    expect(await graph.closed).toBe(undefined)
    expect(seen).toEqual(['1:1', '2:2', '3:3', '4:4', '5:5'])
  })

  test('with maxParallelism 1 an operator is never entered twice', async () => {
    let inside = 0
    let most = 0
    const slow = pass('slow', async ([msg]) => {
      most = Math.max(most, ++inside)
      await new Promise((resolve) => setImmediate(resolve))
      inside--
      return msg
    })
    const graph = graphOf([input('in', ticks(1, 2, 3)), slow], [['in', 'slow']])
    graph.start()
    expect(await graph.closed).toBe(undefined)
    expect(most).toBe(1)
  })

  test('sync answers behind a pending one wait for it', async () => {
    const gates: Gate[] = []
    const seen: string[] = []
    const mixed = pass(
      'mixed',
      ([msg]) => (msg?.value === 1 ? new Promise((resolve) => gates.push({ tick: 1, open: () => resolve(msg) })) : msg),
      { maxParallelism: 8 },
    )
    const graph = graphOf(
      [input('in', [...ticks(1, 2), { timeTick: 3n, skipThisTick: true }, ...ticks(4)]), mixed, collector('out', seen)],
      [
        ['in', 'mixed'],
        ['mixed', 'out'],
      ],
    )
    graph.start()
    await until(() => graph.states.nodes.get('mixed')?.completed === 2)
    expect(seen).toEqual([])
    gates[0]?.open()
    await graph.closed
    expect(seen).toEqual(['1:1', '2:2', '4:4'])
  })

  test('busy time counts while promises are out', async () => {
    const gates: Gate[] = []
    const graph = graphOf([input('in', ticks(1)), gated('slow', gates, 1)], [['in', 'slow']])
    graph.start()
    await until(() => gates.length === 1)
    const before = graph.states.nodes.get('slow')?.busyMs ?? 0
    await until(() => (graph.states.nodes.get('slow')?.busyMs ?? 0) > before)
    gates[0]?.open()
    await graph.closed
    expect(graph.states.nodes.get('slow')?.busyMs).toBeGreaterThan(before)
  })
})

describe('backpressure', () => {
  test('a stuck operator fills the edges up to the source, which is asked no more', async () => {
    const gates: Gate[] = []
    const feed = new Feed<Value>()
    feed.push(...ticks(...Array.from({ length: 100 }, (_, i) => i + 1)))
    feed.end()
    const seen: string[] = []
    const graph = graphOf(
      [
        input('in', feed),
        pass('a', undefined, { maxQueueLength: 2 }),
        pass('b', ([msg]) => new Promise((resolve) => gates.push({ tick: 0, open: () => resolve(msg) })), { maxQueueLength: 3 }),
        collector('out', seen),
      ],
      [
        ['in', 'a'],
        ['a', 'b'],
        ['b', 'out'],
      ],
    )
    graph.start()
    await until(() => graph.states.nodes.get('a')?.queueDepth === 2)
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect([...graph.states.nodes].map(([name, { queueDepth }]) => [name, queueDepth])).toEqual([
      ['in', 0],
      ['a', 2],
      ['b', 3],
      ['out', 0],
    ])
    expect(graph.states.inFlight).toBe(6)
    expect(feed.asked).toBe(6)
    for (let i = 0; i < 100; i++) {
      await until(() => gates.length > i)
      gates[i]?.open()
    }
    expect(await graph.closed).toBe(undefined)
    expect(seen.length).toBe(100)
  })

  test('a slow branch of a fan-out holds back its sibling, and nothing locks with queues of 1', async () => {
    const seen: string[] = []
    const slow = pass('slow', ([msg]) => Promise.resolve(msg), { maxQueueLength: 1 })
    const graph = graphOf(
      [
        input('in', ticks(...Array.from({ length: 50 }, (_, i) => i + 1))),
        slow,
        pass('fast', undefined, { maxQueueLength: 1 }),
        collector('out', seen, { maxQueueLength: 1 }),
      ],
      [
        ['in', 'slow'],
        ['in', 'fast'],
        ['slow', 'out'],
        ['fast', 'out'],
      ],
    )
    graph.start()
    expect(await graph.closed).toBe(undefined)
    expect(seen.length).toBe(50)
    expect(seen[49]).toBe('50:50,50')
  })
})

describe('fair slices', () => {
  function* endless(): Iterable<Value> {
    for (let tick = 1; ; tick++) yield { timeTick: BigInt(tick), value: tick }
  }

  async function* endlessAsync(): AsyncIterable<Value> {
    yield* endless()
  }

  test.each([
    ['sync', endless],
    ['async', endlessAsync],
  ])('an endless %s source lets timers run', async (_, source) => {
    const graph = graphOf(
      [new InputNode<Value>('in', source(), (msg) => msg), pass('a'), pass('out')],
      [
        ['in', 'a'],
        ['a', 'out'],
      ],
    )
    graph.start()
    let longest = 0
    for (let turn = 0; turn < 10; turn++) {
      const before = performance.now()
      await new Promise((resolve) => setTimeout(resolve, 1))
      longest = Math.max(longest, performance.now() - before)
    }
    expect(graph.states.frontier).toBeGreaterThan(100n)
    await graph.close()
    // 5 ms slices; the rest is room for a busy machine.
    expect(longest).toBeLessThan(100)
  })

  test('items that make no message keep the slices too', async () => {
    const graph = graphOf([new InputNode<Value>('in', endless(), () => undefined), pass('out')], [['in', 'out']])
    graph.start()
    await new Promise((resolve) => setTimeout(resolve, 1))
    await graph.close()
    expect(graph.states.startTick).toBe(-1n)
  })
})

test('toMsg may make several messages of an item, or none', async () => {
  const seen: string[] = []
  const graph = graphOf(
    [new InputNode<number>('in', [1, 2, 3], (n) => (n === 2 ? [] : ticks(n * 10, n * 10 + 1))), collector('out', seen)],
    [['in', 'out']],
  )
  graph.start()
  await graph.closed
  expect(seen).toEqual(['10:10', '11:11', '30:30', '31:31'])
})
