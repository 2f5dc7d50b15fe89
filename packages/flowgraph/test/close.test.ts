import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { createTimeTickedFlowGraph, InputNode } from '../src/index.ts'
import { collector, Feed, graphOf, input, pass, ticks, until } from './helpers.ts'
import type { Node } from '../src/index.ts'
import type { Value } from './helpers.ts'

const boom = new Error('boom')

function* throwing(): Iterable<never> {
  yield* []
  throw boom
}

async function* throwingAsync(): AsyncIterable<never> {
  yield* []
  throw boom
}

describe('failure', () => {
  test.each([
    [
      'a throw',
      (): never => {
        throw boom
      },
    ],
    ['a rejection', () => Promise.reject(boom)],
  ])('%s in operate stops the graph with node, tick, cause and the last whole tick', async (_, act) => {
    const closed: string[] = []
    const graph = graphOf(
      [
        input('in', ticks(1, 2, 3, 4)),
        pass('bad', ([msg]) => (msg?.value === 3 ? act() : msg), { close: () => void closed.push('bad') }),
        pass('out', undefined, { close: () => void closed.push('out') }),
      ],
      [
        ['in', 'bad'],
        ['bad', 'out'],
      ],
    )
    graph.start()
    const error = await graph.closed
    expect(error).toMatchObject({ code: 'FLOW_OPERATOR_FAILED', cause: boom, details: { node: 'bad', timeTick: 3n } })
    expect(error?.message).toBe('"bad" failed at tick 3: boom')
    expect(closed).toEqual(['bad', 'out'])
    expect(graph.states.nodes.get('bad')?.failed).toBe(1)
    await graph.close()
    expect(await graph.closed).toBe(error)
  })

  test('a throw of something that is no Error keeps it as the cause', async () => {
    const graph = graphOf(
      [
        input('in', ticks(1)),
        pass('bad', () => {
          throw 'text'
        }),
      ],
      [['in', 'bad']],
    )
    graph.start()
    expect(await graph.closed).toMatchObject({ code: 'FLOW_OPERATOR_FAILED', cause: 'text' })
  })

  test('siblings are aborted and waited for', async () => {
    let aborted: unknown
    const slow = pass(
      'slow',
      (_, signal) =>
        new Promise((resolve) =>
          signal.addEventListener('abort', () => {
            aborted = signal.reason
            resolve(undefined)
          }),
        ),
    )
    const graph = graphOf(
      [
        input('in', ticks(1, 2)),
        slow,
        pass('bad', ([msg]) => {
          if (msg?.value === 2) throw boom
        }),
      ],
      [
        ['in', 'slow'],
        ['in', 'bad'],
      ],
    )
    graph.start()
    const error = await graph.closed
    expect(error).toMatchObject({ code: 'FLOW_OPERATOR_FAILED', cause: boom })
    expect(aborted).toBe(error)
  })

  test.each<[string, () => Node, string]>([
    ['a source that throws', () => new InputNode('in', throwing(), () => undefined), 'source "in" failed: boom'],
    ['a source that rejects', () => new InputNode('in', throwingAsync(), () => undefined), 'source "in" failed: boom'],
    [
      'a toMsg that throws',
      () =>
        new InputNode('in', [1], () => {
          throw boom
        }),
      'source "in" failed: boom',
    ],
    [
      'an opener that throws',
      () =>
        new InputNode(
          'in',
          () => {
            throw boom
          },
          () => undefined,
        ),
      'source "in" failed: boom',
    ],
    [
      'an opener that gives no iterable',
      () =>
        new InputNode(
          'in',
          () => 7 as unknown as [],
          () => undefined,
        ),
      'expected `source` to give an iterable, got 7',
    ],
    [
      'a message that is none',
      () => new InputNode('in', [7], (item) => item as never),
      'expected source "in" to give messages with a timeTick >= 0n, got 7',
    ],
    [
      'a tick that is no bigint',
      () => new InputNode('in', [7], (item) => ({ timeTick: item as unknown as bigint })),
      'got one with timeTick 7',
    ],
    ['a negative tick', () => new InputNode('in', [-7n], (timeTick) => ({ timeTick })), 'got one with timeTick -7n'],
  ])('%s stops the graph', async (_, source, message) => {
    const graph = graphOf([source(), pass('out')], [['in', 'out']])
    graph.start()
    const error = await graph.closed
    expect(error).toMatchObject({ code: 'FLOW_SOURCE_FAILED', details: { node: 'in' } })
    expect(error?.message).toContain(message)
  })

  test.each([
    ['repeats', [1, 2, 2]],
    ['goes back', [1, 5, 4]],
  ])('a source whose tick %s stops the graph', async (_, list) => {
    const graph = graphOf([input('in', ticks(...list)), pass('out')], [['in', 'out']])
    graph.start()
    expect(await graph.closed).toMatchObject({ code: 'FLOW_TICK_NOT_RISING', details: { node: 'in' } })
  })

  test('a listener that throws stops the graph', async () => {
    const graph = graphOf([input('in', ticks(1)), pass('out')], [['in', 'out']], {
      onFrontier: () => {
        throw boom
      },
    })
    graph.start()
    expect(await graph.closed).toMatchObject({ code: 'FLOW_LISTENER_FAILED', cause: boom })
  })

  test.each([
    [
      'throws',
      (): never => {
        throw boom
      },
    ],
    ['rejects', () => Promise.reject(boom)],
  ])('a node whose close %s is told, the others are closed', async (_, close) => {
    const closed: string[] = []
    const graph = graphOf(
      [input('in', ticks(1)), pass('a', undefined, { close }), pass('out', undefined, { close: () => void closed.push('out') })],
      [
        ['in', 'a'],
        ['a', 'out'],
      ],
    )
    graph.start()
    expect(await graph.closed).toMatchObject({ code: 'FLOW_CLOSE_FAILED', cause: boom, details: { node: 'a' } })
    expect(closed).toEqual(['out'])
  })
})

describe('close', () => {
  test('draining processes all that the source handed over, then closes nodes from the top down', async () => {
    const feed = new Feed<Value>()
    feed.push(...ticks(1, 2, 3))
    const closed: string[] = []
    const seen: string[] = []
    let release = (): void => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    const slow = pass(
      'slow',
      async ([msg]) => {
        await held
        seen.push(String(msg?.value))
        return msg
      },
      { close: async () => void closed.push('slow') },
    )
    const graph = graphOf(
      [input('in', feed), slow, pass('join', undefined, { close: () => void closed.push('join') })],
      [
        ['in', 'slow'],
        ['in', 'join'],
        ['slow', 'join'],
      ],
    )
    graph.start()
    await until(() => graph.states.nodes.get('slow')?.queueDepth === 2)
    const done = graph.close()
    expect(feed.returned).toBe(1)
    feed.push(...ticks(4))
    release()
    await done
    expect(await graph.closed).toBe(undefined)
    expect(seen).toEqual(['1', '2', '3'])
    expect(closed).toEqual(['slow', 'join'])
    expect(graph.states.frontier).toBe(3n)
  })

  test('draining several sources ends at the last tick that is whole at the join', async () => {
    const x = new Feed<Value>()
    const y = new Feed<Value>()
    const seen: string[] = []
    x.push(...ticks(1, 2, 3, 4))
    y.push(...ticks(2))
    const graph = graphOf(
      [input('x', x), input('y', y), collector('out', seen)],
      [
        ['x', 'out'],
        ['y', 'out'],
      ],
    )
    graph.start()
    await until(() => graph.states.nodes.get('out')?.queueDepth === 2)
    await graph.close()
    expect(seen).toEqual(['1:1,-', '2:2,2'])
    expect(graph.states.frontier).toBe(2n)
    expect(await graph.closed).toBe(undefined)
  })

  test('without draining what waits is dropped and operators are aborted', async () => {
    const seen: string[] = []
    let aborted = false
    const slow = pass(
      'slow',
      ([msg], signal) =>
        new Promise((resolve) =>
          signal.addEventListener('abort', () => {
            aborted = true
            resolve(msg)
          }),
        ),
    )
    const graph = graphOf(
      [input('in', ticks(1, 2, 3)), slow, collector('out', seen)],
      [
        ['in', 'slow'],
        ['slow', 'out'],
      ],
    )
    graph.start()
    await until(() => graph.states.nodes.get('slow')?.active === 1)
    await graph.close({ drain: false })
    expect([aborted, seen, graph.states.inFlight, await graph.closed]).toEqual([true, [], 0, undefined])
  })

  test('a drain that takes too long is cut, and told', async () => {
    const graph = graphOf([input('in', ticks(1)), pass('stuck', () => new Promise(() => {}))], [['in', 'stuck']])
    graph.start()
    await until(() => graph.states.nodes.get('stuck')?.active === 1)
    await graph.close({ timeoutMs: 5 })
    expect(await graph.closed).toMatchObject({ code: 'FLOW_CLOSE_TIMEOUT' })
  })

  test('an operator that ignores its signal is left behind after the timeout, the nodes are closed', async () => {
    let closed = false
    const graph = graphOf(
      [input('in', ticks(1)), pass('stuck', () => new Promise(() => {}), { close: () => void (closed = true) })],
      [['in', 'stuck']],
    )
    graph.start()
    await until(() => graph.states.nodes.get('stuck')?.active === 1)
    await graph.close({ drain: false, timeoutMs: 5 })
    expect(await graph.closed).toMatchObject({ code: 'FLOW_CLOSE_TIMEOUT' })
    expect(closed).toBe(true)
  })

  test('closing without draining cuts a drain short', async () => {
    const stuck = pass('stuck', (_, signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined))))
    const graph = graphOf([input('in', ticks(1)), stuck], [['in', 'stuck']])
    graph.start()
    await until(() => graph.states.nodes.get('stuck')?.active === 1)
    const draining = graph.close()
    await graph.close({ drain: false })
    await draining
    expect(await graph.closed).toBe(undefined)
  })

  test('close before start closes the nodes, and the graph stays closed', async () => {
    let closed = 0
    const graph = graphOf([input('in', []), pass('a', undefined, { close: () => void closed++ })], [['in', 'a']])
    await Promise.all([graph.close(), graph.close(), graph[Symbol.asyncDispose]()])
    expect(closed).toBe(1)
    expect(await graph.closed).toBe(undefined)
    expect(() => graph.start()).toThrow('the graph was closed')
    await createTimeTickedFlowGraph().close()
  })

  test('close from inside an operator', async () => {
    const seen: string[] = []
    const graph = graphOf(
      [
        input('in', ticks(1, 2, 3)),
        pass('a', ([msg]) => {
          void graph.close({ drain: false })
          return msg
        }),
        collector('out', seen),
      ],
      [
        ['in', 'a'],
        ['a', 'out'],
      ],
    )
    graph.start()
    expect(await graph.closed).toBe(undefined)
    expect(seen).toEqual([])
  })

  test('a read that never settles does not hold up a drain whose source can be released', async () => {
    const seen: string[] = []
    const source = (signal: AbortSignal): AsyncIterable<Value> =>
      (async function* () {
        yield* ticks(1)
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
      })()
    const graph = graphOf([new InputNode<Value>('in', source, (msg) => msg), collector('out', seen)], [['in', 'out']])
    graph.start()
    await until(() => seen.length === 1)
    await graph.close()
    expect(await graph.closed).toBe(undefined)
  })
})

describe('signal', () => {
  test('an abort stops without draining and gives its reason; its listener is removed', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const feed = new Feed<Value>()
    const graph = graphOf([input('in', feed), pass('out')], [['in', 'out']])
    graph.start({ signal: controller.signal })
    expect(getEventListeners(controller.signal, 'abort').length).toBe(1)
    await until(() => feed.asked === 1)
    controller.abort(reason)
    expect(await graph.closed).toBe(reason)
    expect(feed.returned).toBe(1)
    expect(getEventListeners(controller.signal, 'abort').length).toBe(0)
  })

  test('a reason that is no Error is wrapped, since closed gives errors', async () => {
    const controller = new AbortController()
    const graph = graphOf([input('in', new Feed<Value>()), pass('out')], [['in', 'out']])
    graph.start({ signal: controller.signal })
    controller.abort('enough')
    expect(await graph.closed).toMatchObject({ code: 'FLOW_ABORTED', cause: 'enough' })
  })

  test('an aborted signal throws its reason and leaves the graph unstarted', () => {
    const reason = new Error('enough')
    const graph = graphOf([input('in', ticks(1)), pass('out')], [['in', 'out']])
    expect(() => graph.start({ signal: AbortSignal.abort(reason) })).toThrow(reason)
    expect(graph.states.startTick).toBe(-1n)
  })

  test('the listener is gone after a normal end too', async () => {
    const controller = new AbortController()
    const graph = graphOf([input('in', ticks(1)), pass('out')], [['in', 'out']])
    graph.start({ signal: controller.signal })
    expect(await graph.closed).toBe(undefined)
    expect(getEventListeners(controller.signal, 'abort').length).toBe(0)
  })
})
