import type { FlowGraphStates, NodeStates } from './states.ts'
import type { Engine } from './engine.ts'
import type { Node } from './node.ts'
import type { Vertex } from './vertex.ts'

const idle: NodeStates = {
  active: 0,
  completed: 0,
  skipped: 0,
  failed: 0,
  queueDepth: 0,
  frontier: -1n,
  lastTick: -1n,
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
    return new Map([...this.#nodes.keys()].map((name) => [name, read(statesOf(byName.get(name), now))]))
  }
}

function statesOf(vertex: Vertex | undefined, now: number): NodeStates {
  if (vertex === undefined) return idle
  const { completed, skipped, failed, frontier, lastTick, busyMs, busySince, running, end } = vertex
  return {
    active: active(vertex),
    completed,
    skipped,
    failed,
    queueDepth: queueDepth(vertex),
    frontier,
    lastTick,
    busyMs: running > 0 ? busyMs + now - busySince : busyMs,
    ended: end !== 'open',
  }
}

function active(vertex: Vertex): number {
  return vertex.running + (vertex.operating ? 1 : 0)
}

function queueDepth(vertex: Vertex): number {
  return vertex.inputs.reduce((sum, { queue }) => sum + queue.length, 0)
}
