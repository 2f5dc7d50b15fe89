/** A graph with state whose effects depend on its whole history, and what they must be. Processes that are killed run it. */
import { createKVCheckpointStore, createNode, createTimeTickedFlowGraph, InputNode } from '../src/index.ts'
import type { Checkpoint, CheckpointKV, Msg, Node, TimeTickedFlowGraph } from '../src/index.ts'
import { mix } from '../src/testing.ts'

interface Row extends Msg {
  readonly value: number
}

/** What source `a` (each tick) and source `b` (each third) bring. */
const valueAt = (source: string, tick: number): number => mix(source, tick) % 1_000

/** Keeps a digest of all that it saw and a sum; every tick is an effect: a key of its own with the digest, and the sum under one key. */
function ledger(name: string): Node {
  let state = { digest: 0, sum: 0 }
  let writes: Record<string, string> = {}
  const operate = (inputs: readonly Row[]): Row => {
    const [timeTick, values] = [inputs[0]?.timeTick ?? -1n, inputs.map((msg) => (msg.skipThisTick === true ? '-' : msg.value))]
    state = { digest: mix(state.digest, timeTick, ...values), sum: state.sum + values.reduce<number>((sum, value) => sum + Number(value === '-' ? 0 : value), 0) }
    writes[`effect/${name}/${timeTick}`] = String(state.digest)
    writes[`sum/${name}`] = `${timeTick} ${state.sum}`
    return { timeTick, value: state.digest % 1_000 }
  }
  return createNode<Row>(name, operate, {
    snapshot: () => {
      const snapshot = { state: JSON.stringify(state), writes }
      writes = {}
      return snapshot
    },
    restore: (text) => void (state = JSON.parse(text) as typeof state),
  })
}

export interface LedgerRun {
  readonly graph: TimeTickedFlowGraph
  /** The sources end at their next ticks. */
  end(): void
}

/** `a -> slow (async) -> left`, `b` and `left` to `join`. Started from the store; saves every few milliseconds. */
export async function runLedger(kv: CheckpointKV, rest: () => Promise<void>, onSaved: (checkpoint: Checkpoint) => void): Promise<LedgerRun> {
  const store = createKVCheckpointStore(kv, 'checkpoint')
  const from = await store.load()
  let lastTick = Infinity
  let newest = 0
  const source = (name: string, step: number): InputNode<Row> => {
    const rows = async function* (): AsyncIterable<Row> {
      const first = Number(from?.timeTick ?? 0n) + 1
      for (let tick = Math.ceil(first / step) * step; tick <= lastTick; tick += step) {
        await rest()
        newest = Math.max(newest, tick)
        yield { timeTick: BigInt(tick), value: valueAt(name, tick) }
      }
    }
    return new InputNode(name, rows, (row) => row, { maxQueueLength: 16 })
  }
  const slow = createNode<Row>('slow', async ([row]) => {
    if (row !== undefined && row.timeTick % 7n === 0n) await rest()
    return row
  }, { maxParallelism: 4 })
  const saving = { load: store.load, save: (checkpoint: Checkpoint) => store.save(checkpoint).then(() => onSaved(checkpoint)) }
  const graph = createTimeTickedFlowGraph({ checkpoints: { store: saving, intervalMs: 5 } })
  for (const node of [source('a', 1), source('b', 3), slow, ledger('left'), ledger('join')]) graph.addNode(node)
  graph.setEdges('a', [], ['slow'])
  graph.setEdges('slow', ['a'], ['left'])
  graph.setEdges('left', ['slow'], ['join'])
  graph.setEdges('b', [], ['join'])
  graph.setEdges('join', ['left', 'b'], [])
  graph.start({ from })
  // Both end behind the same tick, so that the last checkpoint holds all.
  return { graph, end: () => void (lastTick = newest + 6 - (newest % 6)) }
}

/** All effects up to `lastTick`, tick by tick. */
export function expectedEffects(lastTick: number): Map<string, string> {
  const effects = new Map<string, string>()
  const nodes = { left: { digest: 0, sum: 0 }, join: { digest: 0, sum: 0 } }
  const see = (name: 'left' | 'join', tick: number, values: readonly (number | '-')[]): number => {
    const { digest, sum } = nodes[name]
    nodes[name] = { digest: mix(digest, BigInt(tick), ...values), sum: sum + values.reduce<number>((all, value) => all + (value === '-' ? 0 : value), 0) }
    effects.set(`effect/${name}/${tick}`, String(nodes[name].digest))
    effects.set(`sum/${name}`, `${tick} ${nodes[name].sum}`)
    return nodes[name].digest % 1_000
  }
  for (let tick = 1; tick <= lastTick; tick++) {
    const left = see('left', tick, [valueAt('a', tick)])
    see('join', tick, [left, tick % 3 === 0 ? valueAt('b', tick) : '-'])
  }
  return effects
}
