/**
 * Barriers. A checkpoint chooses the highest tick that a source has brought; each source sends a barrier behind that tick and before any
 * higher one. Ticks are aligned by joins anyway, so barriers meet there of themselves: no input has to be held back.
 */
import type { Checkpoint, NodeSnapshot } from './checkpoint.ts'
import type { Core } from './core.ts'
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
  const msg = new BarrierMsg(cut.tick)
  for (const edge of vertex.outputs) {
    if (edge.shut) continue
    edge.barriers++
    send(core, edge, msg)
  }
  complete(core, cut)
}

/** A vertex has ended: what it knows now is its part of every later checkpoint. No tick that it saw is above a running one. */
export function keepFinal(core: Core, vertex: Vertex): void {
  if (core.stopped || vertex.end !== 'ended') return
  vertex.final = takeSnapshot(core, vertex, vertex.lastTick)
  const { cut } = core
  if (cut === undefined || cut.snapshots.has(vertex)) return
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

/** The last checkpoint of a graph whose sources have all ended; `undefined` if some were cut. */
export function finalCheckpoint(core: Core): Checkpoint | undefined {
  if (!core.vertices.every(({ end }) => end === 'ended')) return undefined
  return merge(newestTick(core), new Map(core.vertices.map((vertex) => [vertex, vertex.final])))
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
  for (const vertex of core.vertices) if (cut.snapshots.get(vertex) === vertex.final) vertex.final = stateOnly(vertex.final)
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
