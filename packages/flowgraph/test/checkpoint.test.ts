import { createMemoryKV } from '@timetick/kv/memory'
import { describe, expect, test } from 'vitest'
import { createKVCheckpointStore, createNode, decodeCheckpoint, encodeCheckpoint } from '../src/index.ts'
import type { Checkpoint, CheckpointStore, Node, TimeTickedFlowGraph } from '../src/index.ts'
import { buildSample, mix, randomGraph, VirtualTime } from '../src/testing.ts'
import type { SampleNode } from '../src/testing.ts'
import { Feed, graphOf, input, pass, ticks, until } from './helpers.ts'
import type { Value } from './helpers.ts'

/** Counts what it saw; each tick is an effect under its own key, which must be made once. */
function ledger(name: string): Node {
  let sum = 0
  let writes: Record<string, string> = {}
  return createNode<Value>(
    name,
    (inputs) => {
      for (const msg of inputs) if (msg.skipThisTick !== true) sum += msg.value
      writes[`${name}/${inputs[0]?.timeTick}`] = String(sum)
      return inputs[0]
    },
    {
      snapshot: () => {
        const snapshot = { state: String(sum), writes }
        writes = {}
        return snapshot
      },
      restore: (state) => void (sum = Number(state)),
    },
  )
}

function memoryStore(saved: Checkpoint[], save: () => Promise<void> = async () => {}): CheckpointStore {
  return { load: async () => saved.at(-1), save: (checkpoint) => save().then(() => void saved.push(checkpoint)) }
}

test('a checkpoint is a cut at one tick through joins, though the sources are apart', async () => {
  const [a, b] = [new Feed<Value>(), new Feed<Value>()]
  const graph = graphOf([input('a', a), input('b', b), ledger('one'), ledger('join')], [['a', 'one'], ['one', 'join'], ['b', 'join']])
  graph.start()
  a.push(...ticks(1, 2, 3, 7))
  b.push(...ticks(2))
  await until(() => graph.states.nodes.get('a')?.completed === 4 && graph.states.nodes.get('b')?.completed === 1)
  const taking = graph.checkpoint()
  expect(graph.checkpoint()).toBe(taking)
  a.push(...ticks(8))
  b.push(...ticks(5, 9))
  const { timeTick, states, writes } = await taking
  expect([timeTick, ...states]).toEqual([7n, ['one', '13'], ['join', '20']])
  expect([...writes.keys()]).toEqual(['one/1', 'one/2', 'one/3', 'one/7', 'join/1', 'join/2', 'join/3', 'join/5', 'join/7'])
  a.end()
  b.end()
  expect(await graph.closed).toBe(undefined)
  await expect(graph.checkpoint()).rejects.toMatchObject({ code: 'FLOW_CLOSED' })
})

test('a start from a checkpoint drops what is in it', async () => {
  const seen: string[] = []
  const out = createNode<Value>('out', ([msg]) => void seen.push(String(msg?.value)), { restore: (state) => void seen.push(state) })
  const graph = graphOf([input('in', ticks(1, 2, 3, 4)), out], [['in', 'out']])
  graph.start({ from: { timeTick: 2n, states: new Map([['out', 'restored']]), writes: new Map() } })
  expect(await graph.closed).toBe(undefined)
  expect(seen).toEqual(['restored', '3', '4'])
})

test('promises that are out leave before the barrier passes', async () => {
  const opens: (() => void)[] = []
  let seen = 0
  const slow = createNode<Value>('slow', ([msg]) => new Promise<Value | undefined>((resolve) => opens.push(() => resolve(msg))), {
    maxParallelism: 4,
    snapshot: () => ({ state: `${opens.length}` }),
  })
  const feed = new Feed<Value>()
  const out = createNode('out', () => void seen++, { snapshot: () => ({ state: String(seen) }) })
  const graph = graphOf([input('in', feed), slow, out], [['in', 'slow'], ['slow', 'out']])
  graph.start()
  feed.push(...ticks(1, 2))
  await until(() => opens.length === 2)
  const taking = graph.checkpoint()
  feed.push(...ticks(3))
  opens[1]?.()
  opens[0]?.()
  expect((await taking).states).toEqual(new Map([['slow', '2'], ['out', '2']]))
  await until(() => opens.length === 3)
  opens[2]?.()
  feed.end()
  await graph.closed
})

describe('the graph saves by itself', () => {
  test('on a timer, and once at the end', async () => {
    const time = new VirtualTime()
    const saved: Checkpoint[] = []
    async function* slowly(): AsyncIterable<Value> {
      for (const msg of ticks(1, 2, 3, 4)) {
        yield msg
        await time.sleep(10)
      }
    }
    const graph = graphOf([input('in', slowly()), ledger('out')], [['in', 'out']], { clock: time.clock, scheduler: time.scheduler, checkpoints: { store: memoryStore(saved), intervalMs: 15 } })
    graph.start()
    expect(await time.run(graph.closed)).toBe(undefined)
    expect(saved.map(({ timeTick, writes }) => [timeTick, [...writes.keys()]])).toEqual([[2n, ['out/1', 'out/2']], [3n, ['out/3']], [4n, ['out/4']]])
    expect(time.timers).toBe(0)
  })

  test('at a close that drains, if all sources stand at one tick', async () => {
    const closeAt = async (...lists: readonly (readonly number[])[]): Promise<readonly unknown[]> => {
      const saved: Checkpoint[] = []
      const feeds = lists.map((list, i) => [`in${i}`, new Feed<Value>(), list] as const)
      const graph = graphOf([...feeds.map(([name, feed]) => input(name, feed)), ledger('out')], feeds.map(([name]) => [name, 'out'] as const), { checkpoints: { store: memoryStore(saved), intervalMs: 0 } })
      graph.start()
      for (const [, feed, list] of feeds) feed.push(...ticks(...list))
      await until(() => feeds.every(([name, , list]) => graph.states.nodes.get(name)?.completed === list.length))
      await graph.close()
      expect(await graph.closed).toBe(undefined)
      return saved.map(({ timeTick, states, writes }) => [timeTick, states.get('out'), writes.size])
    }
    expect(await closeAt([1, 2, 3])).toEqual([[3n, '6', 3]])
    expect(await closeAt([1, 2, 3], [3])).toEqual([[3n, '9', 3]])
    // The second may have had a tick below 3 to come.
    expect(await closeAt([1, 2, 3], [2])).toEqual([])
  })

  test('a save that fails stops the graph', async () => {
    const feed = new Feed<Value>()
    const store = memoryStore([], () => Promise.reject(new Error('disk full')))
    const graph = graphOf([input('in', feed), ledger('out')], [['in', 'out']], { checkpoints: { store, intervalMs: 0 } })
    graph.start()
    feed.push(...ticks(1))
    await until(() => graph.states.frontier === 1n)
    await expect(graph.checkpoint()).rejects.toThrow('disk full')
    expect(await graph.closed).toMatchObject({ code: 'FLOW_CHECKPOINT_FAILED', message: 'the checkpoint at tick 1 was not saved: disk full' })
  })

  test('a snapshot that throws stops the graph', async () => {
    const feed = new Feed<Value>()
    const bad = pass('bad')
    bad.snapshot = () => {
      throw new Error('no')
    }
    const graph = graphOf([input('in', feed), bad], [['in', 'bad']])
    graph.start()
    await expect(graph.checkpoint()).rejects.toMatchObject({ code: 'FLOW_CHECKPOINT_FAILED' })
    expect(await graph.closed).toMatchObject({ code: 'FLOW_CHECKPOINT_FAILED', details: { node: 'bad' } })
  })
})

test('a checkpoint as text', () => {
  const checkpoint = { timeTick: 5n, states: new Map([['a', 'x']]), writes: new Map() }
  expect(decodeCheckpoint(encodeCheckpoint(checkpoint))).toEqual(checkpoint)
  for (const text of ['{}', 'null', '{"version":2}', '{"version":1,"timeTick":"x","states":[]}', '{"version":1,"timeTick":"1","states":[["a"]]}'])
    expect(() => decodeCheckpoint(text)).toThrow('expected a checkpoint')
})

test('a store that is no store is refused', () => {
  expect(() => graphOf([], [], { checkpoints: { store: {} as CheckpointStore } })).toThrow('expected `checkpoints.store.save`')
})

const RING = process.env['TIMETICK_RING']
const CRASH_MS = RING === 'ci' ? 20_000 : RING === 'soak' ? 120_000 : 3_000

/** Seeds that found something: they run first. */
const FAILED = [37]

/** What each tick of each node leads to, if every tick is processed once: digests over the node's whole history. */
function withLedger(node: Node, { name }: SampleNode): Node {
  let digest = 0
  let writes: Record<string, string> = {}
  const operate = node.operate.bind(node)
  node.operate = (inputs, signal) => {
    const timeTick = inputs[0]?.timeTick ?? -1n
    const values = inputs.map((msg) => ('value' in msg && msg.skipThisTick !== true ? String(msg.value) : '-'))
    digest = mix(digest, timeTick, ...values)
    writes[`effect/${name}/${timeTick}`] = String(digest)
    return operate(inputs, signal)
  }
  node.snapshot = () => {
    const snapshot = { state: String(digest), writes }
    writes = {}
    return snapshot
  }
  node.restore = (state) => void (digest = Number(state))
  return node
}

test(`crashes at any moment and restarts from the store: every effect once (${CRASH_MS} ms)`, { timeout: CRASH_MS + 60_000 }, async () => {
  const begin = performance.now()
  let [runs, crashes] = [0, 0]
  for (let next = -FAILED.length; next < 0 || performance.now() - begin < CRASH_MS; next++) {
    const seed = next < 0 ? (FAILED.at(next) ?? 0) : next + 1
    try {
      crashes += await crashRun(seed)
    } catch (error) {
      throw new Error(`SEED=${seed}`, { cause: error })
    }
    runs++
  }
  expect(crashes).toBeGreaterThan(runs / 2)
})

async function crashRun(seed: number): Promise<number> {
  const sample = randomGraph(seed)
  const time = new VirtualTime({ seed })
  const kv = createMemoryKV()
  const history = new Map<string, string[]>()
  let crashes = 0
  const attempt = async (mayCrash: boolean): Promise<boolean> => {
    const store = createKVCheckpointStore(kv, 'checkpoint')
    const from = await time.run(store.load())
    let crashed = false
    let drained = false
    const saving: CheckpointStore = {
      load: () => store.load(),
      async save(checkpoint) {
        await time.sleep(mix(seed, crashes, checkpoint.timeTick) % 9)
        // A crash lands before or after the store's transaction, never within.
        if (crashed) throw new Error('crashed')
        await store.save(checkpoint)
        for (const [key, value] of checkpoint.writes) history.set(key, [...(history.get(key) ?? []), value])
      },
    }
    const run = buildSample(sample, { time, wrap: withLedger, checkpoints: { store: saving, intervalMs: 1 + (mix(seed, 'interval') % 10) } })
    const graph: TimeTickedFlowGraph = run.graph
    const cancel = mayCrash
      ? time.clock.setTimer(() => {
          crashes++
          // A close that drains leaves a checkpoint if all sources stand at one tick; what it leaves out is made again.
          if (mix(seed, 'drain', crashes) % 3 === 0) drained = true
          else crashed = true
          void graph.close({ drain: drained })
        }, mix(seed, 'crash', crashes) % 60)
      : () => {}
    graph.start({ from })
    const error = await time.run(graph.closed)
    cancel()
    if (!crashed) expect(error).toBe(undefined)
    return crashed || drained
  }
  for (let i = 0; i < 4; i++) if (!(await attempt(i < 3))) break
  const expected = new Map<string, string[]>()
  // The same graph without a store and without crashes.
  const plain = new VirtualTime()
  const saved: Checkpoint[] = []
  const run = buildSample(sample, { time: plain, wrap: withLedger, checkpoints: { store: memoryStore(saved), intervalMs: 0 } })
  run.graph.start()
  expect(await plain.run(run.graph.closed)).toBe(undefined)
  for (const { writes } of saved) for (const [key, value] of writes) expected.set(key, [value])
  expect(history).toEqual(expected)
  for (const [key, [value]] of expected) expect(await kv.load(key)).toBe(value)
  await kv.close()
  return crashes
}
