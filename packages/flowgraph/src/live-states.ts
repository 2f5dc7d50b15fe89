import type { FlowGraphStates, NodeStates } from './states.ts'
import type { Engine } from './engine.ts'
import type { Msg } from './msg.ts'
import type { Node } from './node.ts'
import type { Ring } from './ring.ts'
import type { Vertex } from './vertex.ts'

export const idleStates: NodeStates = {
  active: 0,
  completed: 0,
  skipped: 0,
  failed: 0,
  retried: 0,
  queueDepth: 0,
  queueBytes: 0,
  frontier: -1n,
  lastTick: -1n,
  lagMs: 0,
  busyMs: 0,
  ended: false,
}

/** Reads the running graph when asked, so that counting costs the running graph next to nothing. */
export class LiveStates implements FlowGraphStates {
  readonly #nodes: ReadonlyMap<string, Node>
  #engine: Engine | undefined

  constructor(nodes: ReadonlyMap<string, Node>) {
    this.#nodes = nodes
  }

  attach(engine: Engine): void {
    this.#engine = engine
  }

  get startTick(): bigint {
    return this.#engine?.startTick ?? -1n
  }

  get frontier(): bigint {
    return this.#engine?.frontier ?? -1n
  }

  get inFlight(): number {
    return (this.#engine?.vertices ?? []).reduce((sum, vertex) => sum + queueDepth(vertex) + active(vertex), 0)
  }

  get numActiveTasks(): ReadonlyMap<string, number> {
    return this.#map(({ active }) => active)
  }

  get numCompletedTasks(): ReadonlyMap<string, number> {
    return this.#map(({ completed }) => completed)
  }

  get nodes(): ReadonlyMap<string, NodeStates> {
    return this.#map((states) => states)
  }

  #map<T>(read: (states: NodeStates) => T): ReadonlyMap<string, T> {
    const byName = new Map((this.#engine?.vertices ?? []).map((vertex) => [vertex.node.name, vertex]))
    const now = this.#engine?.clock.monotonic() ?? 0
    const newest = (this.#engine?.vertices ?? []).reduce((most, { source, lastTick }) => (source && lastTick > most ? lastTick : most), -1n)
    return new Map([...this.#nodes.keys()].map((name) => [name, read(statesOf(byName.get(name), now, newest))]))
  }
}

function statesOf(vertex: Vertex | undefined, now: number, newest: bigint): NodeStates {
  if (vertex === undefined) return idleStates
  const { completed, skipped, failed, retried, frontier, lastTick, busyMs, busySince, running, end } = vertex
  return {
    active: active(vertex),
    completed,
    skipped,
    failed,
    retried,
    queueDepth: queueDepth(vertex),
    queueBytes: vertex.inputs.reduce((sum, { queue }) => sum + bytesOf(queue), 0),
    frontier,
    lastTick,
    lagMs: frontier < 0n || newest <= frontier ? 0 : Number((newest >> 18n) - (frontier >> 18n)),
    busyMs: running > 0 ? busyMs + now - busySince : busyMs,
    ended: end !== 'open',
  }
}

function active(vertex: Vertex): number {
  return vertex.running + (vertex.operating ? 1 : 0)
}

/** Summed when asked: counting along would cost every hop. */
function bytesOf(queue: Ring<Msg>): number {
  let bytes = 0
  queue.forEach((msg) => (bytes += msg.byteLength ?? 0))
  return bytes
}

function queueDepth(vertex: Vertex): number {
  return vertex.inputs.reduce((sum, { queue }) => sum + queue.length, 0)
}
