/** Runs vertices in slices of time: whoever is furthest down goes first, so that little waits on edges. */
import type { Clock } from './clock.ts'
import type { Core } from './core.ts'
import type { Cut } from './cut.ts'
import { FlowGraphError } from './errors.ts'
import type { FlowGraphErrorCode } from './errors.ts'
import type { Scheduler } from './scheduler.ts'
import { runLane } from './lane.ts'
import { cutSource } from './source.ts'
import { step } from './step.ts'
import type { TracerLike } from './tracing.ts'
import type { Vertex } from './vertex.ts'

/** Bounds a slice where the clock stands still (simulations). */
const MAX_BURSTS = 4096
const MAX_STEPS = 64
/** A burst is halved when it takes longer than this: the look at the clock must not come too late. */
const BURST_MS = 0.5

export interface EngineOptions {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly sliceMs: number
  readonly onFrontier: ((tick: bigint) => void) | undefined
  readonly tracer: TracerLike | undefined
  /** Everything has ended in band (`undefined`) or failed. Called once. */
  readonly onStop: (error: Error | undefined) => void
  /** Something failed after the stop: only a node's `close` can. */
  readonly onLateError: (error: Error) => void
}

export class Engine implements Core {
  readonly clock: Clock
  readonly vertices: readonly Vertex[]
  readonly sinks: readonly Vertex[]
  readonly signal: AbortSignal
  readonly tracer: TracerLike | undefined
  stopped = false
  running = 0
  startTick = -1n
  frontier = -1n
  cut: Cut | undefined
  readonly #options: EngineOptions
  readonly #abort = new AbortController()
  #highest = -1
  #inRun = false
  #sliceEnd = 0
  #burstsLeft = 0
  #cancelTurn: (() => void) | undefined
  #live: number
  #openCloses = 0
  #onSettled: (() => void) | undefined

  constructor(vertices: readonly Vertex[], options: EngineOptions) {
    this.#options = options
    this.clock = options.clock
    this.vertices = vertices
    this.sinks = vertices.filter(({ outputs }) => outputs.length === 0)
    this.signal = this.#abort.signal
    this.tracer = options.tracer
    this.#live = vertices.length
  }

  /** The first step comes with the next turn. */
  start(): void {
    for (const vertex of this.vertices) if (vertex.source !== undefined) this.mark(vertex)
    this.#burstsLeft = 0
    this.#cancelTurn = this.#options.scheduler.schedule(() => this.#turn())
  }

  mark(vertex: Vertex): void {
    vertex.ready = true
    if (vertex.index > this.#highest) this.#highest = vertex.index
  }

  run(): void {
    if (this.#inRun || this.stopped) return
    if (this.#cancelTurn === undefined) {
      // One turn is asked for with every slice: promises that settle within it share its time, or they would starve the event loop.
      this.#cancelTurn = this.#options.scheduler.schedule(() => this.#turn())
      this.#sliceEnd = this.clock.monotonic() + this.#options.sliceMs
      this.#burstsLeft = MAX_BURSTS
    }
    this.#inRun = true
    let now = this.clock.monotonic()
    while (this.#burstsLeft > 0 && !this.stopped) {
      const vertex = this.#next()
      if (vertex === undefined) break
      now = this.#burst(vertex, now)
      this.#burstsLeft = now >= this.#sliceEnd ? 0 : this.#burstsLeft - 1
    }
    this.#inRun = false
  }

  /** Sources hand over no more; the end travels behind what they gave. */
  drain(): void {
    for (const vertex of this.vertices) if (vertex.source !== undefined) cutSource(this, vertex, vertex.source)
    this.run()
  }

  /** Nothing more is begun or sent; what waits is dropped. A `reason` aborts the operators' signal. */
  stop(error: Error | undefined, reason?: unknown): void {
    if (this.stopped) return
    this.stopped = true
    this.#cancelTurn?.()
    this.#cancelTurn = undefined
    for (const vertex of this.vertices) {
      vertex.tasks.clear()
      for (const edge of vertex.inputs) edge.queue.clear()
    }
    if (reason !== undefined) this.#abort.abort(reason)
    this.cut?.reject(error ?? new FlowGraphError('FLOW_CLOSED', 'the graph ended before the checkpoint was whole'))
    this.cut = undefined
    this.#options.onStop(error)
  }

  fail(code: FlowGraphErrorCode, message: string, vertex: Vertex | undefined, tick: bigint | undefined, cause?: unknown): void {
    const lastWholeTick = this.frontier < 0n ? undefined : this.frontier
    const error = new FlowGraphError(code, message, { cause, details: { node: vertex?.node.name, timeTick: tick, lastWholeTick } })
    if (vertex !== undefined) vertex.failed++
    if (this.stopped) this.#options.onLateError(error)
    else this.stop(error, error)
  }

  settled(): void {
    if (this.running === 0) this.#onSettled?.()
  }

  /** Resolves when no `operate` is out. */
  idle(): Promise<void> {
    return this.running === 0 ? Promise.resolve() : new Promise((resolve) => (this.#onSettled = resolve))
  }

  closeNode(vertex: Vertex): Promise<void> | undefined {
    if (vertex.closeCalled) return vertex.closing
    vertex.closeCalled = true
    const failed = (error: unknown): void => {
      const reason = error instanceof Error ? error.message : String(error)
      this.fail('FLOW_CLOSE_FAILED', `closing "${vertex.node.name}" failed: ${reason}`, vertex, undefined, error)
    }
    let closing: void | Promise<void> = undefined
    try {
      closing = vertex.node.close?.()
    } catch (error) {
      failed(error)
    }
    if (closing === undefined) return undefined
    this.#openCloses++
    vertex.closing = Promise.resolve(closing).catch(failed).then(() => {
      this.#openCloses--
      vertex.closing = undefined
      this.#checkEnd()
    })
    return vertex.closing
  }

  finished(): void {
    this.#live--
    this.#checkEnd()
  }

  frontierRose(): void {
    const { onFrontier } = this.#options
    if (onFrontier === undefined || this.stopped) return
    try {
      onFrontier(this.frontier)
    } catch (error) {
      this.fail('FLOW_LISTENER_FAILED', 'onFrontier threw', undefined, this.frontier, error)
    }
  }

  #checkEnd(): void {
    if (this.#live === 0 && this.#openCloses === 0) this.stop(undefined)
  }

  #turn(): void {
    this.#cancelTurn = undefined
    if (this.#highest >= 0) this.run()
  }

  /** The ready vertex that is furthest down. */
  #next(): Vertex | undefined {
    if (this.#options.scheduler.choose !== undefined) return this.#chosen(this.#options.scheduler.choose)
    for (let i = this.#highest; i >= 0; i--) {
      const vertex = this.vertices[i] as Vertex
      if (!vertex.ready) continue
      this.#highest = i
      return vertex
    }
    this.#highest = -1
    return undefined
  }

  /** Any ready vertex: what a graph does must not depend on it. */
  #chosen(choose: (count: number) => number): Vertex | undefined {
    const ready = this.vertices.filter((vertex) => vertex.ready)
    if (ready.length === 0) this.#highest = -1
    return ready[choose(ready.length)]
  }

  /** Some steps of one vertex; gives the time after them. */
  #burst(vertex: Vertex, before: number): number {
    const limit = vertex.burst
    vertex.ready = false
    const lane = vertex.source === undefined && vertex.inputs.length === 1 ? vertex.inputs[0] : undefined
    let steps = 0
    while (steps < limit && !this.stopped) {
      const taken = lane === undefined ? 0 : runLane(this, vertex, lane, limit - steps)
      steps += taken
      if (taken > 0) continue
      if (!step(this, vertex)) break
      steps++
    }
    if (steps === limit && !this.stopped) this.mark(vertex)
    const now = this.clock.monotonic()
    const elapsedMs = now - before
    if (vertex.running === 0) vertex.busyMs += elapsedMs
    if (elapsedMs > BURST_MS) vertex.burst = Math.max(1, limit >> 1)
    else if (steps === limit && elapsedMs < BURST_MS / 4) vertex.burst = Math.min(MAX_STEPS, limit * 2)
    return now
  }
}
