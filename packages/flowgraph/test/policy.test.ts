import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, expect, test } from 'vitest'
import { createNode, graphMetrics } from '../src/index.ts'
import type { DeadLetter, ErrorPolicy, Msg, OperateTrace } from '../src/index.ts'
import { VirtualTime } from '../src/testing.ts'
import { collector, graphOf, input, pass, ticks, until } from './helpers.ts'

/** `in -> bad -> out`, where `bad` fails as `failures` says: how often at which tick. */
async function run(onError: ErrorPolicy, failures: Record<number, number>, isAsync = false, maxParallelism = 1) {
  const time = new VirtualTime()
  const seen: string[] = []
  const left = new Map(Object.entries(failures).map(([tick, times]) => [BigInt(tick), times]))
  const bad = createNode(
    'bad',
    ([msg]) => {
      const tick = msg?.timeTick ?? -1n
      const times = left.get(tick) ?? 0
      left.set(tick, times - 1)
      if (times <= 0) return msg
      if (isAsync) return Promise.reject(new Error(`at ${tick}`))
      throw new Error(`at ${tick}`)
    },
    { onError, maxParallelism },
  )
  const graph = graphOf([input('in', ticks(1, 2, 3, 4)), bad, collector('out', seen)], [['in', 'bad'], ['bad', 'out']], {
    clock: time.clock,
    scheduler: time.scheduler,
  })
  graph.start()
  const error = await time.run(graph.closed)
  expect(time.timers).toBe(0)
  return { error, seen, states: graph.states.nodes.get('bad'), elapsedMs: time.clock.monotonic() }
}

describe.each([['a throw', false], ['a rejection', true]])('error policy after %s', (_, isAsync) => {
  test.each([1, 4])('retries with backoff, then goes on in order (%i at once)', async (maxParallelism) => {
    const { error, seen, states, elapsedMs } = await run({ retries: 5, backoffMs: 10, maxBackoffMs: 30 }, { 2: 4 }, isAsync, maxParallelism)
    expect(error).toBe(undefined)
    expect(seen).toEqual(['1:1', '2:2', '3:3', '4:4'])
    expect(states).toMatchObject({ completed: 4, failed: 0, retried: 4 })
    expect(elapsedMs).toBe(10 + 20 + 30 + 30)
  })

  test('fails when the retries are used up', async () => {
    const { error, seen, states } = await run({ retries: 2, backoffMs: 1 }, { 2: 9 }, isAsync)
    expect(error).toMatchObject({ code: 'FLOW_OPERATOR_FAILED', details: { node: 'bad', timeTick: 2n, lastWholeTick: 1n } })
    expect(seen).toEqual(['1:1'])
    expect(states).toMatchObject({ failed: 1, retried: 2 })
  })

  test('does not retry what is not worth it', async () => {
    const { states } = await run({ retries: 5, isRetryable: () => false, action: 'skip' }, { 2: 1 }, isAsync)
    expect(states).toMatchObject({ completed: 3, failed: 1, retried: 0 })
  })

  test('skips the tick', async () => {
    const { error, seen, states } = await run({ action: 'skip' }, { 2: 1, 3: 1 }, isAsync)
    expect(error).toBe(undefined)
    expect(seen).toEqual(['1:1', '4:4'])
    expect(states).toMatchObject({ completed: 2, failed: 2 })
  })

  test('gives the tick to the dead letters and waits for them', async () => {
    const letters: DeadLetter[] = []
    const deadLetter = async (letter: DeadLetter): Promise<void> => void letters.push(letter)
    const { seen } = await run({ retries: 1, backoffMs: 1, action: 'dead-letter', deadLetter }, { 3: 2 }, isAsync)
    expect(seen).toEqual(['1:1', '2:2', '4:4'])
    expect(letters).toMatchObject([{ node: 'bad', timeTick: 3n, attempts: 2, inputs: [{ timeTick: 3n }], error: { message: 'at 3' } }])
  })

  test('a dead letter that cannot be kept stops the graph', async () => {
    const deadLetter = (): never => {
      throw new Error('full')
    }
    const { error } = await run({ action: 'dead-letter', deadLetter }, { 3: 1 }, isAsync)
    expect(error).toMatchObject({ code: 'FLOW_OPERATOR_FAILED', cause: { message: 'full' } })
  })
})

test('a close without draining ends the wait between retries', async () => {
  const graph = graphOf(
    [input('in', ticks(1)), pass('bad', () => Promise.reject(new Error('no')), undefined), collector('out', [])],
    [['in', 'bad'], ['bad', 'out']],
  )
  const waiting = graphOf(
    [input('in', ticks(1)), createNode('bad', () => Promise.reject(new Error('no')), { onError: { retries: 9, backoffMs: 1e6 } })],
    [['in', 'bad']],
  )
  graph.start()
  expect(await graph.closed).toMatchObject({ code: 'FLOW_OPERATOR_FAILED' })
  waiting.start()
  await until(() => waiting.states.nodes.get('bad')?.active === 1)
  await waiting.close({ drain: false, timeoutMs: 1000 })
  expect(await waiting.closed).toBe(undefined)
})

test.each([
  [{ retries: -1 }, 'onError.retries'],
  [{ backoffMs: -1 }, 'onError.backoffMs'],
  [{ action: 'explode' }, 'onError.action'],
  [{ action: 'dead-letter' }, 'onError.deadLetter'],
])('a faulty policy %o is refused', (onError, name) => {
  expect(() => createNode('n', () => {}, { onError: onError as ErrorPolicy })).toThrow(`expected \`${name}\``)
})

describe('byte limits', () => {
  const sized = (...sizes: number[]): Msg[] => sizes.map((byteLength, i) => ({ timeTick: BigInt(i + 1), byteLength }))

  test('an edge takes messages while it is below its limit, and one of any size', async () => {
    const opens: (() => void)[] = []
    const slow = createNode('slow', ([msg]) => new Promise<Msg | undefined>((resolve) => opens.push(() => resolve(msg))), { maxQueueBytes: 100 })
    const graph = graphOf([input('in', sized(1, 60, 60, 1000, 1, 1, 1)), slow], [['in', 'slow']])
    graph.start()
    await until(() => opens.length === 1)
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(graph.states.nodes.get('slow')).toMatchObject({ queueDepth: 2, queueBytes: 120 })
    for (let i = 0; i < 7; i++) {
      await until(() => opens.length > i)
      expect(graph.states.nodes.get('slow')?.queueBytes).toBeLessThan(1100)
      opens[i]?.()
    }
    expect(await graph.closed).toBe(undefined)
    expect(graph.states.nodes.get('slow')).toMatchObject({ completed: 7, queueBytes: 0 })
  })

  test.each([0, -1, 1.5, Infinity])('a limit of %d is refused', (maxQueueBytes) => {
    expect(() => createNode('n', () => {}, { maxQueueBytes })).toThrow('expected `maxQueueBytes`')
  })
})

describe('routing by name', () => {
  const fanOut = (name: string, seen: string[][]) =>
    graphOf(
      [
        input('in', ticks(1)),
        pass('split', ([msg]) => ({ ...msg, timeTick: 1n, downStreamNodeName: name })),
        ...seen.map((list, i) => collector(`out${i}`, list)),
      ],
      [['in', 'split'], ['split', 'out0'], ['split', 'out1']],
    )

  test('one takes it, the others get a marker', async () => {
    const seen: string[][] = [[], []]
    const graph = fanOut('out1', seen)
    graph.start()
    expect(await graph.closed).toBe(undefined)
    expect(seen).toEqual([[], ['1:1']])
  })

  test('an unknown name stops the graph and names the downstreams', async () => {
    const graph = fanOut('out7', [[], []])
    graph.start()
    const error = await graph.closed
    expect(error).toMatchObject({ code: 'FLOW_BAD_RESULT' })
    expect(error?.message).toBe('"split" sent to downstream "out7" (string), it has 0..1: out0, out1')
  })
})

test('metrics in the text format, a description with numbers, and lag', async () => {
  const at = (ms: number): Msg => ({ timeTick: BigInt(ms) << 18n, byteLength: 10 })
  const opens: (() => void)[] = []
  const slow = createNode('slow "1"', ([msg]) => new Promise<Msg | undefined>((resolve) => opens.push(() => resolve(msg))))
  const graph = graphOf([input('in', [at(1000), at(1500), at(2000)]), slow], [['in', 'slow "1"']])
  graph.start()
  await until(() => opens.length === 1)
  opens[0]?.()
  await until(() => opens.length === 2)
  const text = graphMetrics(graph, { graph: 'g\n' })
  expect(text).toContain('# TYPE timetick_flowgraph_completed_total counter\ntimetick_flowgraph_completed_total{graph="g\\n",node="in"} 3\n')
  expect(text).toContain('timetick_flowgraph_tt_lag_ms{graph="g\\n",node="slow \\"1\\""} 1000\n')
  expect(text).toContain('timetick_flowgraph_queue_bytes{graph="g\\n",node="slow \\"1\\""} 10\n')
  for (const line of text.trimEnd().split('\n')) expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+\{graph="g\\n",node=".+"\} -?\d+(\.\d+)?)$/)
  expect(graph.describe({ counters: true }).mermaid).toContain('in<br/>3 done, 0 skipped<br/>0 waiting, tick')
  expect(JSON.parse(JSON.stringify(graph.describe()))).toMatchObject({
    nodes: [{ name: 'in', kind: 'source', states: { completed: 3, lastTick: String(2000n << 18n) } }, { kind: 'sink', states: { active: 1, lastTick: String(1500n << 18n) } }],
    edges: [{ from: 'in', to: 'slow "1"' }],
  })
  expect(graph.describe().nodes[1]?.states).toMatchObject({ completed: 1, active: 1, queueDepth: 1, queueBytes: 10 })
  for (let i = 1; i < 3; i++) {
    await until(() => opens.length > i)
    opens[i]?.()
  }
  await graph.closed
})

test('operate can be traced', async () => {
  const events: string[] = []
  const listeners = ['start', 'end', 'asyncEnd', 'error'].map((event) => {
    const listener = (context: unknown): void => void events.push(`${event} ${(context as OperateTrace).node} ${(context as OperateTrace).timeTick}`)
    const name = `tracing:timetick:flowgraph:operate:${event}`
    subscribe(name, listener)
    return () => unsubscribe(name, listener)
  })
  const graph = graphOf([input('in', ticks(1, 2)), pass('slow', ([msg]) => (msg?.value === 2 ? Promise.reject(new Error('no')) : Promise.resolve(msg)))], [['in', 'slow']])
  graph.start()
  await graph.closed
  for (const stop of listeners) stop()
  expect(events.filter((event) => event.includes('slow'))).toEqual([
    'start slow 1', 'end slow 1', 'asyncEnd slow 1', 'start slow 2', 'end slow 2', 'error slow 2', 'asyncEnd slow 2',
  ])
})
