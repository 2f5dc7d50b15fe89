/** The running form of nodes and edges: plain state that `step.ts` moves. */
import { InputNode } from './input-node.ts'
import { isSourceNode } from './node.ts'
import type { Node, SourceNode } from './node.ts'
import type { DeclaredEdges } from './describe.ts'
import type { NodeSnapshot } from './checkpoint.ts'
import type { ErrorPolicy } from './error-policy.ts'
import type { Msg, OperateResult } from './msg.ts'
import { Ring } from './ring.ts'

/**
 * How an edge stands: `ended` is infinity, nothing was left out; `cut` is a close, and what would have come next is unknown, so
 * ticks above it are not whole.
 */
export type EdgeEnd = 'open' | 'ended' | 'cut'

export interface Edge {
  readonly from: Vertex
  readonly to: Vertex
  readonly queue: Ring<Msg>
  readonly limit: number
  readonly limitBytes: number
  /** Counted only where `limitBytes` is finite. */
  bytes: number
  /** Barriers in the queue: steps look for them only where there are some. */
  barriers: number
  end: EdgeEnd
  /** The sender found it full and waits. */
  wanted: boolean
  /** The receiver has finished: what is sent is dropped. */
  shut: boolean
}

/** A tick that was begun and has not left yet: it, or one before it, waits for a promise or for room. */
export interface Task {
  readonly tick: bigint
  readonly inputs: readonly Msg[]
  result: OperateResult
  done: boolean
}

export interface SourceState {
  readonly node: SourceNode
  held: Msg | undefined
  batch: readonly Msg[] | undefined
  at: number
  /** A promise of `next` is out. */
  waiting: boolean
  end: EdgeEnd
  /** A checkpoint wants a barrier behind this tick. */
  barrier: bigint | undefined
  /** `operate` is {@link InputNode}'s: it gives back what it gets, at once. */
  readonly passesOn: boolean
  /** It has brought a tick. */
  begun: boolean
  /** Messages up to this tick are in the checkpoint that the graph began from. */
  above: bigint
}

export interface Vertex {
  readonly index: number
  readonly node: Node
  readonly source: SourceState | undefined
  readonly inputs: Edge[]
  readonly outputs: Edge[]
  readonly maxParallelism: number
  readonly tasks: Ring<Task>
  ready: boolean
  /** Steps between two looks at the clock. */
  burst: number
  lastTick: bigint
  frontier: bigint
  /** Promises of `operate` that are out. */
  running: number
  operating: boolean
  busySince: number
  busyMs: number
  completed: number
  skipped: number
  failed: number
  retried: number
  readonly policy: ErrorPolicy | undefined
  readonly seesSkips: boolean
  /** The snapshot of a node that has ended. */
  final: NodeSnapshot | undefined
  /** Its writes in the checkpoint that is being taken. */
  given: NodeSnapshot['writes']
  /** Its inputs have ended (or were cut) and all has left it. */
  end: EdgeEnd
  closeCalled: boolean
  closing: Promise<void> | undefined
}

/** `order` is topological: every vertex has a higher index than those above it. */
export function createVertices(
  order: readonly string[],
  nodes: ReadonlyMap<string, Node>,
  edges: ReadonlyMap<string, DeclaredEdges>,
): Vertex[] {
  const byName = new Map<string, Vertex>()
  for (const [index, name] of order.entries()) {
    const node = nodes.get(name)
    if (node === undefined) continue
    const vertex = createVertex(index, node)
    byName.set(name, vertex)
    // Its inputs stand before it in the order. Out lists are filled afterwards: their order is the declared one.
    for (const from of edges.get(name)?.inputs ?? []) {
      const sender = byName.get(from)
      if (sender !== undefined)
        vertex.inputs.push({
          from: sender,
          to: vertex,
          queue: new Ring<Msg>(),
          limit: node.maxQueueLength,
          limitBytes: node.maxQueueBytes ?? Infinity,
          bytes: 0,
          barriers: 0,
          end: 'open',
          wanted: false,
          shut: false,
        })
    }
  }
  for (const vertex of byName.values()) {
    for (const to of edges.get(vertex.node.name)?.outputs ?? []) {
      const edge = byName.get(to)?.inputs.find(({ from }) => from === vertex)
      if (edge !== undefined) vertex.outputs.push(edge)
    }
  }
  return [...byName.values()]
}

function createVertex(index: number, node: Node): Vertex {
  const source = isSourceNode(node) ? createSourceState(node) : undefined
  return {
    index,
    node,
    source,
    inputs: [],
    outputs: [],
    maxParallelism: node.maxParallelism,
    tasks: new Ring<Task>(),
    ready: false,
    burst: 1,
    lastTick: -1n,
    frontier: -1n,
    running: 0,
    operating: false,
    busySince: 0,
    busyMs: 0,
    completed: 0,
    skipped: 0,
    failed: 0,
    retried: 0,
    policy: node.onError,
    seesSkips: node.seesSkips === true,
    final: undefined,
    given: undefined,
    end: 'open',
    closeCalled: false,
    closing: undefined,
  }
}

function createSourceState(node: SourceNode): SourceState {
  return {
    node,
    held: undefined,
    batch: undefined,
    at: 0,
    waiting: false,
    end: 'open',
    barrier: undefined,
    passesOn: node.operate === InputNode.prototype.operate,
    begun: false,
    above: -1n,
  }
}
