import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { expect, test } from 'vitest'
import { isFlowGraphError } from '../src/index.ts'
import type { FlowGraphStates } from '../src/index.ts'
import { buildSample, failuresAt, mix, modelTrace, randomGraph, VirtualTime } from '../src/testing.ts'
import type { SampleGraph, Trace } from '../src/testing.ts'

const RING = process.env['TIMETICK_RING']
const GRAPHS = RING === 'ci' ? 10_000 : RING === 'soak' ? 500_000 : 600
const LONG = { timeout: 30_000 + GRAPHS * 100 }
/** Every eighth graph is large. */
const sampleOf = (seed: number): SampleGraph => randomGraph(seed, { failing: true, ...(seed % 8 === 0 ? { maxNodes: 30, maxMessages: 25 } : {}) })

function ticksOf(lines: readonly string[]): bigint[] {
  return lines.map((line) => BigInt(line.slice(0, line.indexOf(':'))))
}

function upTo(trace: Trace, tick: bigint): Map<string, string[]> {
  return new Map([...trace].map(([name, lines]) => [name, lines.filter((_, i) => (ticksOf(lines)[i] ?? 0n) <= tick)]))
}

function lastTick(graph: SampleGraph): bigint {
  return graph.nodes.reduce(
    (last, { messages }) => ((messages.at(-1)?.timeTick ?? -1n) > last ? (messages.at(-1)?.timeTick ?? -1n) : last),
    -1n,
  )
}

/** By node: calls again, and ticks that were given up. */
function failuresOf({ nodes }: FlowGraphStates): Map<string, readonly [retried: number, failed: number]> {
  return new Map([...nodes].map(([name, { retried, failed }]) => [name, [retried, failed]]))
}

function expectedFailures(graph: SampleGraph, trace: Trace): Map<string, readonly [retried: number, failed: number]> {
  return new Map(
    graph.nodes.map((node) => {
      const failures = ticksOf(trace.get(node.name) ?? []).map((tick) => failuresAt(graph, node, tick))
      const retried = failures.reduce((sum, times) => sum + Math.min(times, node.retries), 0)
      return [node.name, [retried, failures.filter((times) => times > node.retries).length]]
    }),
  )
}

/** Says which seed failed. */
async function eachSeed(count: number, check: (seed: number) => Promise<void>): Promise<void> {
  for (let seed = 1; seed <= count; seed++) {
    try {
      await check(seed)
    } catch (error) {
      throw new Error(`SEED=${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
  }
}

test(`${GRAPHS} random graphs do what the model does, within their queues, and end`, LONG, async () => {
  await eachSeed(GRAPHS, async (seed) => {
    const sample = sampleOf(seed)
    // Odd seeds draw the interleaving too.
    const time = new VirtualTime({ seed: seed % 2 === 1 ? seed : undefined })
    const run = buildSample(sample, { time })
    run.graph.start()
    expect(await time.run(run.graph.closed)).toBe(undefined)
    expect(run.trace).toEqual(modelTrace(sample))
    expect(failuresOf(run.graph.states)).toEqual(expectedFailures(sample, run.trace))
    expect(run.overflow()).toBeLessThanOrEqual(0)
    expect(run.graph.states).toMatchObject({ inFlight: 0, frontier: lastTick(sample) })
    expect(run.closedNodes.toSorted()).toEqual(
      sample.nodes
        .filter(({ inputs }) => inputs.length > 0)
        .map(({ name }) => name)
        .toSorted(),
    )
    expect(time.timers).toBe(0)
  })
})

test('a graph that is watched goes the general way, and does the same', LONG, async () => {
  const outcome = async (seed: number): Promise<unknown> => {
    const time = new VirtualTime()
    const { graph, trace } = buildSample(sampleOf(seed), { time })
    graph.start()
    const error = await time.run(graph.closed)
    return { error, trace, frontier: graph.states.frontier, nodes: [...graph.states.nodes].map(([name, states]) => [name, { ...states, busyMs: 0 }]) }
  }
  await eachSeed(Math.min(GRAPHS, 1_000) / 4, async (seed) => {
    const alone = await outcome(seed)
    const watch = (): void => undefined
    subscribe('tracing:timetick:flowgraph:operate:start', watch)
    try {
      expect(await outcome(seed)).toEqual(alone)
    } finally {
      unsubscribe('tracing:timetick:flowgraph:operate:start', watch)
    }
  })
})

test('a throw ends the graph with the last whole tick; a restart above it gives what no crash gives', LONG, async () => {
  let crashes = 0
  await eachSeed(GRAPHS / 4, async (seed) => {
    const sample = randomGraph(seed)
    const expected = modelTrace(sample)
    const victims = [...expected].flatMap(([node, lines]) => ticksOf(lines).map((timeTick) => ({ node, timeTick })))
    const failAt = victims[mix(seed, 'victim') % Math.max(1, victims.length)]
    if (failAt === undefined) return
    const time = new VirtualTime()
    const first = buildSample(sample, { time, failAt })
    first.graph.start()
    const error = await time.run(first.graph.closed)
    if (!isFlowGraphError(error, 'FLOW_OPERATOR_FAILED')) throw new Error(`expected the throw, got ${String(error)}`)
    expect(error.details).toMatchObject(failAt)
    const whole = error.details.lastWholeTick ?? -1n
    expect(whole).toBeLessThan(failAt.timeTick)
    const second = buildSample(sample, { time, above: whole })
    second.graph.start()
    expect(await time.run(second.graph.closed)).toBe(undefined)
    // Sinks keep what is whole, and get the rest again.
    const kept = upTo(first.trace, whole)
    for (const { name, outputs } of sample.nodes) {
      if (outputs.length === 0) expect([...(kept.get(name) ?? []), ...(second.trace.get(name) ?? [])]).toEqual(expected.get(name))
    }
    crashes++
  })
  expect(crashes).toBeGreaterThan(GRAPHS / 8)
})

test('a drain at any moment leaves whole ticks only; a start above them gives what no drain gives', LONG, async () => {
  await eachSeed(GRAPHS / 4, async (seed) => {
    const sample = randomGraph(seed)
    const time = new VirtualTime()
    const first = buildSample(sample, { time })
    first.graph.start()
    time.clock.setTimer(() => void first.graph.close(), mix(seed, 'drain') % 60)
    expect(await time.run(first.graph.closed)).toBe(undefined)
    const whole = first.graph.states.frontier
    const second = buildSample(sample, { time, above: whole })
    second.graph.start()
    expect(await time.run(second.graph.closed)).toBe(undefined)
    const expected = modelTrace(sample)
    const kept = upTo(first.trace, whole)
    for (const { name, outputs } of sample.nodes) {
      if (outputs.length === 0) expect([...(kept.get(name) ?? []), ...(second.trace.get(name) ?? [])]).toEqual(expected.get(name))
    }
  })
})

test('virtual time tells a stall', async () => {
  await expect(new VirtualTime().run(new Promise(() => {}))).rejects.toThrow('stalled: nothing is scheduled')
})
