/**
 * Barriers. A checkpoint chooses the highest tick that a source has brought; each source sends a barrier behind that tick and before any
 * higher one. Ticks are aligned by joins anyway, so barriers meet there of themselves: no input has to be held back.
 */
import type { Checkpoint, NodeSnapshot } from './checkpoint.ts'
import type { Core } from './core.ts'
import { FlowGraphError } from './errors.ts'
import { SkipTickMsg } from './msg.ts'
import { send } from './route.ts'
import type { Vertex } from './vertex.ts'

export class BarrierMsg extends SkipTickMsg {}

/** A checkpoint on its way through the graph. */
export interface Cut {
  readonly tick: bigint
  readonly snapshots: Map<Vertex, NodeSnapshot | undefined>
  readonly promise: Promise<Checkpoint>
  readonly resolve: (checkpoint: Checkpoint) => void
  readonly reject: (error: Error) => void
}

/** One at a time: a second call gets the first's. `onWhole` is called before anything else can end the graph. */
export function beginCut(core: Core, onWhole: (checkpoint: Checkpoint) => void): Promise<Checkpoint> {
  if (core.cut !== undefined) return core.cut.promise
  if (core.vertices.some(({ source }) => source?.end === 'cut')) {
    return Promise.reject(new FlowGraphError('FLOW_CLOSED', 'the sources were cut, maybe at different ticks: there is no cut at one tick any more'))
  }
  let resolve: Cut['resolve'] = () => {}
  let reject: Cut['reject'] = () => {}
  const promise = new Promise<Checkpoint>((...both) => ([resolve, reject] = both))
  const whole: Cut['resolve'] = (checkpoint) => {
    onWhole(checkpoint)
    resolve(checkpoint)
  }
  const cut: Cut = { tick: newestTick(core), snapshots: new Map(), promise, resolve: whole, reject }
  // Who asked hears of it; a graph that takes checkpoints by itself tells `closed`.
  promise.catch(() => {})
  core.cut = cut
  for (const vertex of core.vertices) {
    if (vertex.end === 'open' && vertex.source !== undefined) {
      vertex.source.barrier = cut.tick
      core.mark(vertex)
    }
    if (vertex.end !== 'open') cut.snapshots.set(vertex, vertex.final)
  }
  complete(core, cut)
  core.run()
  return promise
}

/** This vertex is between two ticks and the barrier is through. */
export function passBarrier(core: Core, vertex: Vertex): void {
  const { cut } = core
  if (cut === undefined) return
  const snapshot = takeSnapshot(core, vertex, cut.tick)
  if (core.stopped) return
  cut.snapshots.set(vertex, snapshot)
  vertex.given = snapshot?.writes
  const msg = new BarrierMsg(cut.tick)
  for (const edge of vertex.outputs) {
    if (edge.shut) continue
    edge.barriers++
    send(core, edge, msg)
  }
  complete(core, cut)
}

/**
 * A vertex has ended: what it knows now is its part of every later checkpoint, since no tick that it saw is above a running one. That of one that
 * was cut is good for the last checkpoint only.
 */
export function keepFinal(core: Core, vertex: Vertex): void {
  if (core.stopped) return
  vertex.final = takeSnapshot(core, vertex, vertex.lastTick)
  const { cut } = core
  if (vertex.end !== 'ended' || cut === undefined || cut.snapshots.has(vertex)) return
  cut.snapshots.set(vertex, vertex.final)
  complete(core, cut)
}

/** Begin where a checkpoint was taken: throws what a `restore` throws. */
export function restoreFrom(core: Core, { timeTick, states }: Checkpoint): void {
  core.frontier = timeTick
  for (const vertex of core.vertices) {
    vertex.lastTick = timeTick
    vertex.frontier = timeTick
    if (vertex.source !== undefined) vertex.source.above = timeTick
    const state = states.get(vertex.node.name)
    if (state !== undefined) vertex.node.restore?.(state, timeTick)
  }
}

/**
 * The last checkpoint of a graph that has drained. `undefined` if sources were cut at different ticks: what one of them would have brought
 * below the newest is not known then.
 */
export function finalCheckpoint(core: Core): Checkpoint | undefined {
  const newest = newestTick(core)
  const isWhole = ({ end, frontier }: Vertex): boolean => end === 'ended' || (end === 'cut' && frontier === newest)
  if (!core.vertices.every(isWhole)) return undefined
  return merge(newest, new Map(core.vertices.map((vertex) => [vertex, withGiven(vertex)])))
}

/** With what it gave to a checkpoint that did not become whole. */
function withGiven({ final, given }: Vertex): NodeSnapshot | undefined {
  return given === undefined ? final : { state: final?.state, writes: { ...given, ...final?.writes } }
}

function newestTick({ vertices }: Core): bigint {
  return vertices.reduce((most, { source, lastTick }) => (source !== undefined && lastTick > most ? lastTick : most), -1n)
}

function takeSnapshot(core: Core, vertex: Vertex, tick: bigint): NodeSnapshot | undefined {
  try {
    return vertex.node.snapshot?.(tick)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    core.fail('FLOW_CHECKPOINT_FAILED', `the snapshot of "${vertex.node.name}" failed: ${reason}`, vertex, tick, error)
    return undefined
  }
}

function complete(core: Core, cut: Cut): void {
  if (core.stopped || cut.snapshots.size < core.vertices.length) return
  core.cut = undefined
  // Writes of ended nodes are given away once; a node that ended behind the barrier keeps them for the next checkpoint.
  for (const vertex of core.vertices) {
    vertex.given = undefined
    if (cut.snapshots.get(vertex) === vertex.final) vertex.final = stateOnly(vertex.final)
  }
  cut.resolve(merge(cut.tick, cut.snapshots))
}

function stateOnly(snapshot: NodeSnapshot | undefined): NodeSnapshot | undefined {
  return snapshot === undefined ? undefined : { state: snapshot.state }
}

function merge(timeTick: bigint, snapshots: ReadonlyMap<Vertex, NodeSnapshot | undefined>): Checkpoint {
  const states = new Map<string, string>()
  const writes = new Map<string, string>()
  for (const [vertex, snapshot] of [...snapshots].toSorted(([a], [b]) => a.index - b.index)) {
    if (snapshot?.state !== undefined) states.set(vertex.node.name, snapshot.state)
    for (const [key, value] of Object.entries(snapshot?.writes ?? {})) writes.set(key, value)
  }
  return { timeTick, states, writes }
}
