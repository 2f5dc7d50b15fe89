import { describe, expect, test } from 'vitest'
import { SkipTickMsg } from '../src/index.ts'
import { collector, Feed, graphOf, input, pass, ticks, until } from './helpers.ts'
import type { Value } from './helpers.ts'

async function run(graph: ReturnType<typeof graphOf>): Promise<Error | undefined> {
  graph.start()
  return graph.closed
}

describe('time', () => {
  test('a chain passes every message in order', async () => {
    const seen: string[] = []
    const graph = graphOf(
      [input('in', ticks(1, 2, 3)), pass('a'), collector('out', seen)],
      [
        ['in', 'a'],
        ['a', 'out'],
      ],
    )
    expect(await run(graph)).toBe(undefined)
    expect(seen).toEqual(['1:1', '2:2', '3:3'])
  })

  test('a join runs at the smallest head, inputs that jump take part with skip markers and lose nothing', async () => {
    const seen: string[] = []
    const graph = graphOf(
      [input('x', ticks(1, 2, 3, 10)), input('y', ticks(2, 7, 10)), collector('out', seen)],
      [
        ['x', 'out'],
        ['y', 'out'],
      ],
    )
    expect(await run(graph)).toBe(undefined)
    expect(seen).toEqual(['1:1,-', '2:2,2', '3:3,-', '7:-,7', '10:10,10'])
  })

  test('a join waits for the input whose next tick is not known', async () => {
    const seen: string[] = []
    const feed = new Feed<Value>()
    const graph = graphOf(
      [input('x', ticks(1, 5)), input('y', feed), collector('out', seen)],
      [
        ['x', 'out'],
        ['y', 'out'],
      ],
    )
    graph.start()
    await until(() => graph.states.nodes.get('x')?.ended === true)
    expect(seen).toEqual([])
    feed.push(...ticks(3))
    await until(() => seen.length === 2)
    expect(seen).toEqual(['1:1,-', '3:-,3'])
    feed.end()
    expect(await graph.closed).toBe(undefined)
    expect(seen).toEqual(['1:1,-', '3:-,3', '5:5,-'])
  })

  test('a skip on one branch of a diamond keeps the join in step', async () => {
    const seen: string[] = []
    const odd = pass('odd', ([msg]) => (msg !== undefined && msg.value % 2 === 1 ? msg : undefined))
    const graph = graphOf(
      [input('in', ticks(1, 2, 3, 4)), odd, pass('all'), collector('out', seen)],
      [
        ['in', 'odd'],
        ['in', 'all'],
        ['odd', 'out'],
        ['all', 'out'],
      ],
    )
    expect(await run(graph)).toBe(undefined)
    expect(seen).toEqual(['1:1,1', '2:-,2', '3:3,3', '4:-,4'])
  })

  test('a tick that all inputs skip passes by without operate, and moves the frontier', async () => {
    const seen: string[] = []
    const graph = graphOf(
      [input('in', [...ticks(1), new SkipTickMsg(2n), { timeTick: 3n, skipThisTick: true }]), pass('a'), collector('out', seen)],
      [
        ['in', 'a'],
        ['a', 'out'],
      ],
    )
    await run(graph)
    expect(seen).toEqual(['1:1'])
    expect(graph.states.frontier).toBe(3n)
    expect(graph.states.nodes.get('a')).toMatchObject({ completed: 1, skipped: 2, frontier: 3n, lastTick: 3n, ended: true })
  })

  test('onFrontier tells each last whole tick, the least over the sinks', async () => {
    const rises: bigint[] = []
    const feed = new Feed<Value>()
    const graph = graphOf(
      [input('x', ticks(1, 2, 9)), input('y', feed), collector('p', []), collector('q', [])],
      [
        ['x', 'p'],
        ['y', 'q'],
      ],
      { onFrontier: (tick) => void rises.push(tick) },
    )
    graph.start()
    await until(() => feed.asked === 1)
    expect(rises).toEqual([])
    feed.push(...ticks(4))
    await until(() => rises.length === 1)
    feed.end()
    await graph.closed
    expect(rises).toEqual([4n, 9n])
  })
})

describe('routing', () => {
  const route = (
    result: (msg: Value) => ReturnType<Parameters<typeof pass>[1] & {}>,
  ): Promise<{ error: Error | undefined; p: string[]; q: string[] }> => {
    const p: string[] = []
    const q: string[] = []
    const graph = graphOf(
      [input('in', ticks(1, 2)), pass('r', ([msg]) => result(msg as Value)), collector('p', p), collector('q', q)],
      [
        ['in', 'r'],
        ['r', 'p'],
        ['r', 'q'],
      ],
    )
    return run(graph).then((error) => ({ error, p, q }))
  }

  test('one message goes to every downstream', async () => {
    expect(await route((msg) => msg)).toEqual({ error: undefined, p: ['1:1', '2:2'], q: ['1:1', '2:2'] })
  })

  test('downStreamNodeIdx sends to one, the others skip', async () => {
    expect(await route((msg) => ({ ...msg, downStreamNodeIdx: msg.value - 1 }))).toEqual({ error: undefined, p: ['1:1'], q: ['2:2'] })
  })

  test('an array is positional, absent elements skip, an index in the array wins', async () => {
    expect(await route((msg) => [undefined, msg])).toEqual({ error: undefined, p: [], q: ['1:1', '2:2'] })
    expect(await route((msg) => [msg])).toEqual({ error: undefined, p: ['1:1', '2:2'], q: [] })
    expect(await route((msg) => [{ ...msg, downStreamNodeIdx: 1 }])).toEqual({ error: undefined, p: [], q: ['1:1', '2:2'] })
    expect(await route(() => [])).toEqual({ error: undefined, p: [], q: [] })
  })

  test('a route holds for one hop: who passes a message on as it came sends it to everyone', async () => {
    const p: string[] = []
    const q: string[] = []
    const nodes = [
      input('in', ticks(1)),
      pass('r', ([msg]) => ({ ...(msg as Value), downStreamNodeIdx: 1 })),
      pass('left'),
      pass('right'),
      collector('p', p),
      collector('q', q),
    ]
    const graph = graphOf(nodes, [
      ['in', 'r'],
      ['r', 'left'],
      ['r', 'right'],
      ['left', 'p'],
      ['right', 'q'],
    ])
    expect(await run(graph)).toBe(undefined)
    expect([p, q]).toEqual([[], ['1:1']])
  })

  test('a source routes by its messages', async () => {
    const p: string[] = []
    const q: string[] = []
    const graph = graphOf(
      [
        input(
          'in',
          ticks(1, 2).map((msg) => ({ ...msg, downStreamNodeIdx: msg.value - 1 })),
        ),
        collector('p', p),
        collector('q', q),
      ],
      [
        ['in', 'p'],
        ['in', 'q'],
      ],
    )
    expect(await run(graph)).toBe(undefined)
    expect([p, q]).toEqual([['1:1'], ['2:2']])
  })

  test.each([
    ['an index out of range', (msg: Value) => ({ ...msg, downStreamNodeIdx: 2 }), 'sent to downstream 2, it has 0..1'],
    ['a negative index', (msg: Value) => ({ ...msg, downStreamNodeIdx: -1 }), 'sent to downstream -1'],
    ['a fraction', (msg: Value) => ({ ...msg, downStreamNodeIdx: 0.5 }), 'sent to downstream 0.5'],
    ['more messages than downstreams', (msg: Value) => [msg, msg, msg], 'sent to downstream 2'],
    ['two messages for one', (msg: Value) => [{ ...msg, downStreamNodeIdx: 1 }, msg], 'sent two messages to downstream 1'],
    ['another tick', () => ({ timeTick: 77n }), 'expected "r" to return a message with timeTick 1n, got one with timeTick 77n'],
  ])('%s stops the graph', async (_, result, message) => {
    const { error } = await route(result)
    expect(error).toMatchObject({ code: 'FLOW_BAD_RESULT', details: { node: 'r', timeTick: 1n } })
    expect(error?.message).toContain(message)
  })

  test.each([
    ['a string', 'x', '"x" (string)'],
    ['a number', 7, '7'],
    ['an empty object', {}, 'undefined'],
  ])('%s as result stops the graph', async (_, result, message) => {
    const { error } = await route(() => result as unknown as Value)
    expect(error).toMatchObject({ code: 'FLOW_BAD_RESULT' })
    expect(error?.message).toContain(message)
  })

  test('what a sink returns is ignored', async () => {
    const graph = graphOf([input('in', ticks(1)), pass('out', () => 'whatever' as unknown as Value)], [['in', 'out']])
    expect(await run(graph)).toBe(undefined)
  })
})
