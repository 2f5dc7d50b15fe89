import { describe, expect, test } from 'vitest'
import { BaseNode, createNode, createTimeTickedFlowGraph, FlowGraphError, InputNode, isFlowGraphError } from '../src/index.ts'
import type { Node } from '../src/index.ts'
import { collector, graphOf, input, pass, ticks } from './helpers.ts'

function failure(act: () => unknown): FlowGraphError {
  try {
    act()
  } catch (error) {
    if (error instanceof FlowGraphError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('validation', () => {
  test('a duplicate name is refused', () => {
    const graph = createTimeTickedFlowGraph()
    graph.addNode(pass('a'))
    expect(failure(() => graph.addNode(pass('a')))).toMatchObject({ code: 'FLOW_DUPLICATE_NODE', details: { nodes: ['a'] } })
  })

  test('edges set twice or named twice are refused', () => {
    const graph = createTimeTickedFlowGraph()
    graph.setEdges('a', ['in'], [])
    expect(failure(() => graph.setEdges('a', [], []))).toMatchObject({ code: 'FLOW_DUPLICATE_EDGE' })
    expect(failure(() => graph.setEdges('b', ['x', 'x'], []))).toMatchObject({
      code: 'FLOW_DUPLICATE_EDGE',
      details: { nodes: ['b', 'x'] },
    })
  })

  test('unknown names are named', () => {
    const graph = createTimeTickedFlowGraph()
    graph.addNode(input('in', []))
    graph.setEdges('in', [], ['ghost'])
    expect(failure(() => graph.start())).toMatchObject({ code: 'FLOW_UNKNOWN_NODE', details: { nodes: ['in', 'ghost'] } })
  })

  test('edges that only one end names are named, all of them', () => {
    const graph = createTimeTickedFlowGraph()
    for (const node of [input('in', []), pass('a'), pass('b')]) graph.addNode(node)
    graph.setEdges('in', [], ['a'])
    graph.setEdges('b', ['in'], [])
    const error = failure(() => graph.start())
    expect(error.code).toBe('FLOW_EDGE_MISMATCH')
    expect(error.message).toContain('"in" has output "a", but "a" has no input "in"')
    expect(error.message).toContain('"b" has input "in", but "in" has no output "b"')
  })

  test('a cycle is told with its path', () => {
    const error = failure(() =>
      graphOf(
        [input('in', []), pass('a'), pass('b'), pass('c')],
        [
          ['in', 'a'],
          ['a', 'b'],
          ['b', 'c'],
          ['c', 'a'],
        ],
      ).start(),
    )
    expect(error.code).toBe('FLOW_CYCLE')
    expect(error.message).toContain('"b" -> "c" -> "a" -> "b"')
    expect(error.details.nodes).toEqual(['b', 'c', 'a'])
  })

  test('a self loop is a cycle', () => {
    expect(
      failure(() =>
        graphOf(
          [input('in', []), pass('a')],
          [
            ['in', 'a'],
            ['a', 'a'],
          ],
        ).start(),
      ),
    ).toMatchObject({ code: 'FLOW_CYCLE', details: { nodes: ['a'] } })
  })

  test.each<[string, readonly Node[], readonly (readonly [string, string])[], string]>([
    ['an empty graph', [], [], 'no node is a source'],
    ['an operator without input', [input('in', []), pass('a'), pass('lost')], [['in', 'a']], '"lost" has no input and is no source'],
    ['a source with an input', [input('in', []), input('in2', [])], [['in', 'in2']], '"in2" is a source and cannot have inputs'],
    ['a source that leads nowhere', [input('in', []), input('idle', []), pass('a')], [['in', 'a']], 'source "idle" leads nowhere'],
  ])('%s is refused', (_, nodes, edges, message) => {
    expect(failure(() => graphOf(nodes, edges).start()).message).toContain(message)
  })

  test('a refused graph can be mended and started', async () => {
    const seen: string[] = []
    const graph = createTimeTickedFlowGraph()
    graph.addNode(input('in', ticks(1)))
    graph.setEdges('in', [], ['out'])
    expect(() => graph.start()).toThrow(FlowGraphError)
    graph.addNode(collector('out', seen))
    graph.setEdges('out', ['in'], [])
    graph.start()
    await graph.closed
    expect(seen).toEqual(['1:1'])
  })

  test('after start nothing can be added, and it starts once', async () => {
    const graph = graphOf([input('in', [])], [])
    graph.start()
    expect(failure(() => graph.start()).code).toBe('FLOW_ALREADY_STARTED')
    expect(failure(() => graph.addNode(pass('a'))).code).toBe('FLOW_ALREADY_STARTED')
    expect(failure(() => graph.setEdges('a', [], [])).code).toBe('FLOW_ALREADY_STARTED')
    await graph.close()
    expect(failure(() => graph.start()).code).toBe('FLOW_CLOSED')
  })
})

describe('bad arguments', () => {
  const junk: unknown[] = [null, undefined, 7, 'x', {}, [], { name: 'x' }]

  test('addNode takes nodes only', () => {
    for (const value of junk) expect(() => createTimeTickedFlowGraph().addNode(value as Node)).toThrow(TypeError)
    for (const maxQueueLength of [0, -1, 1.5, Number.NaN, 2 ** 21]) {
      const node = { name: 'a', maxQueueLength, maxParallelism: 1, setPipelineStates() {}, operate() {} }
      expect(() => createTimeTickedFlowGraph().addNode(node)).toThrow(RangeError)
    }
  })

  test('names are well-formed, not empty, not huge', () => {
    for (const name of ['', '\ud800', 'x'.repeat(257)]) expect(() => pass(name)).toThrow(RangeError)
    expect(() => pass(7 as unknown as string)).toThrow('expected `name` to be a well-formed string of 1..256 characters, got 7')
    expect(() => createTimeTickedFlowGraph().setEdges('a', 'b' as unknown as string[], [])).toThrow(
      'expected `inputs` to be an array of node names, got "b" (string)',
    )
    expect(() => createTimeTickedFlowGraph().setEdges('a', [], [7 as unknown as string])).toThrow('expected `outputs[0]` to be')
    // Names that would trip a plain object are as good as others.
    expect(graphOf([input('__proto__', []), pass('constructor')], [['__proto__', 'constructor']]).describe().edges).toEqual([
      { from: '__proto__', to: 'constructor' },
    ])
  })

  test('options are checked', async () => {
    expect(() => createTimeTickedFlowGraph(null as unknown as object)).toThrow(TypeError)
    expect(() => createTimeTickedFlowGraph({ sliceMs: 11 })).toThrow(RangeError)
    expect(() => createTimeTickedFlowGraph({ sliceMs: Number.NaN })).toThrow(RangeError)
    expect(() => createTimeTickedFlowGraph({ onFrontier: 7 as unknown as () => void })).toThrow(TypeError)
    expect(() => graphOf([input('in', [])], []).start({ signal: {} as AbortSignal })).toThrow(TypeError)
    expect(() => graphOf([input('in', [])], []).close({ timeoutMs: -1 })).toThrow(RangeError)
    expect(() => new InputNode('in', 7 as unknown as [], (msg) => msg)).toThrow(
      'expected `source` to be an iterable or a function that gives one, got 7',
    )
    expect(() => new InputNode('in', [], 7 as unknown as () => undefined)).toThrow(TypeError)
    expect(() => createNode('a', undefined as unknown as () => undefined)).toThrow(TypeError)
  })
})

test('BaseNode has the setters of the appendix and gets the states', async () => {
  class Last extends BaseNode {
    operate(): undefined {}
  }
  const node = new Last('last')
  expect([node.name, node.maxQueueLength, node.maxParallelism, node.graphStates]).toEqual(['last', 1024, 1, undefined])
  node.setMaxQueueLength(3)
  node.setMaxParallelism(2)
  expect([node.maxQueueLength, node.maxParallelism]).toEqual([3, 2])
  expect(() => node.setMaxQueueLength(0)).toThrow('expected `maxQueueLength` to be an integer in 1..1048576, got 0')
  expect(() => node.setMaxParallelism('2' as unknown as number)).toThrow(TypeError)
  const graph = graphOf([input('in', ticks(4, 5)), node], [['in', 'last']])
  graph.start()
  expect(node.graphStates).toBe(graph.states)
  await graph.closed
  expect(graph.states.startTick).toBe(4n)
  expect([...graph.states.numCompletedTasks]).toEqual([
    ['in', 2],
    ['last', 2],
  ])
  expect([...graph.states.numActiveTasks]).toEqual([
    ['in', 0],
    ['last', 0],
  ])
})

test('describe gives nodes, edges and Mermaid text, before and after start', () => {
  const graph = graphOf(
    [input('in', []), pass('a "quoted" one'), collector('out', [])],
    [
      ['in', 'a "quoted" one'],
      ['a "quoted" one', 'out'],
    ],
  )
  const { nodes, edges, mermaid } = graph.describe()
  expect(nodes.map(({ name, kind }) => `${name}: ${kind}`)).toEqual(['in: source', 'a "quoted" one: operator', 'out: sink'])
  expect(edges).toEqual([
    { from: 'in', to: 'a "quoted" one' },
    { from: 'a "quoted" one', to: 'out' },
  ])
  expect(mermaid).toBe('flowchart LR\n  n0(["in"])\n  n1["a #quot;quoted#quot; one"]\n  n2[["out"]]\n  n0 --> n1\n  n1 --> n2')
})

test('errors are recognised across copies and go into JSON', () => {
  const error = new FlowGraphError('FLOW_OPERATOR_FAILED', 'no', { details: { node: 'a', timeTick: 7n }, cause: 1 })
  expect(isFlowGraphError(error, 'FLOW_OPERATOR_FAILED')).toBe(true)
  expect(isFlowGraphError({ name: 'FlowGraphError', code: 'FLOW_CLOSED' })).toBe(true)
  expect(isFlowGraphError(error, 'FLOW_CLOSED')).toBe(false)
  expect(isFlowGraphError(null)).toBe(false)
  expect(JSON.parse(JSON.stringify(error))).toEqual({
    name: 'FlowGraphError',
    code: 'FLOW_OPERATOR_FAILED',
    message: 'no',
    retryable: false,
    details: { node: 'a', timeTick: '7' },
  })
})
