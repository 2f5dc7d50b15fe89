/// <reference lib="esnext.disposable" />
import { checkDuration, checkFunction, checkName, checkNames, checkObject, checkSignal } from './arguments.ts'
import { Checkpointer, checkCheckpoints } from './checkpointer.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { Clock } from './clock.ts'
import { describeGraph } from './describe.ts'
import { restoreFrom } from './cut.ts'
import type { DeclaredEdges, DescribeOptions, GraphDescription } from './describe.ts'
import { systemClock, systemScheduler } from './edge.ts'
import { Engine } from './engine.ts'
import { FlowGraphError } from './errors.ts'
import type { CheckpointOptions, CloseOptions, FlowGraphOptions, StartOptions, TimeTickedFlowGraph } from './graph.ts'
import { LiveStates } from './live-states.ts'
import { checkNode } from './node.ts'
import type { Node } from './node.ts'
import type { Scheduler } from './scheduler.ts'
import { shutDown } from './shutdown.ts'
import type { FlowGraphStates } from './states.ts'
import { planGraph } from './topology.ts'
import type { TracerLike } from './tracing.ts'
import { createVertices } from './vertex.ts'

/** An empty graph. See {@link TimeTickedFlowGraph} for what it promises. */
export function createTimeTickedFlowGraph(options: FlowGraphOptions = {}): TimeTickedFlowGraph {
  return new FlowGraph(options)
}

interface Settings {
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly sliceMs: number
  readonly closeTimeoutMs: number
  readonly onFrontier: ((tick: bigint) => void) | undefined
  readonly checkpoints: CheckpointOptions | undefined
  readonly tracer: TracerLike | undefined
}

class FlowGraph implements TimeTickedFlowGraph {
  readonly closed: Promise<Error | undefined>
  readonly #nodes = new Map<string, Node>()
  readonly #edges = new Map<string, DeclaredEdges>()
  readonly #states = new LiveStates(this.#nodes)
  readonly #options: Settings
  readonly #resolveClosed: (outcome: Error | undefined) => void
  #phase: 'new' | 'running' | 'draining' | 'stopping' = 'new'
  #engine: Engine | undefined
  #checkpointer: Checkpointer | undefined
  #outcome: Error | undefined
  /** When a shutdown gives up waiting; monotonic. */
  #deadline: number | undefined
  #cancelTimer: (() => void) | undefined
  #forgetSignal: (() => void) | undefined

  constructor(options: FlowGraphOptions) {
    checkObject('options', options)
    if (options.onFrontier !== undefined) checkFunction('onFrontier', options.onFrontier)
    if (options.checkpoints !== undefined) checkCheckpoints(options.checkpoints)
    if (options.tracer !== undefined) checkFunction('tracer.startActiveSpan', Reflect.get(options.tracer, 'startActiveSpan'))
    const sliceMs = checkDuration('sliceMs', options.sliceMs ?? 5)
    if (sliceMs > 10) throw new RangeError(`expected \`sliceMs\` to be at most 10, got ${sliceMs}`)
    this.#options = {
      clock: options.clock ?? systemClock,
      scheduler: options.scheduler ?? systemScheduler,
      sliceMs,
      closeTimeoutMs: checkDuration('closeTimeoutMs', options.closeTimeoutMs ?? 30_000),
      onFrontier: options.onFrontier,
      checkpoints: options.checkpoints,
      tracer: options.tracer,
    }
    let resolveClosed: (outcome: Error | undefined) => void = () => {}
    this.closed = new Promise((resolve) => (resolveClosed = resolve))
    this.#resolveClosed = resolveClosed
  }

  get states(): FlowGraphStates {
    return this.#states
  }

  addNode(node: Node): void {
    this.#checkNew()
    checkNode(node)
    if (this.#nodes.has(node.name))
      throw new FlowGraphError('FLOW_DUPLICATE_NODE', `"${node.name}" is in the graph`, { details: { nodes: [node.name] } })
    this.#nodes.set(node.name, node)
  }

  setEdges(name: string, inputs: readonly string[], outputs: readonly string[]): void {
    this.#checkNew()
    checkName('name', name)
    const edges = { inputs: checkNames('inputs', inputs), outputs: checkNames('outputs', outputs) }
    if (this.#edges.has(name))
      throw new FlowGraphError('FLOW_DUPLICATE_EDGE', `the edges of "${name}" were set before`, { details: { nodes: [name] } })
    for (const [kind, list] of Object.entries(edges)) {
      const twice = list.find((other, i) => list.indexOf(other) !== i)
      if (twice !== undefined)
        throw new FlowGraphError('FLOW_DUPLICATE_EDGE', `the ${kind} of "${name}" name "${twice}" twice`, {
          details: { nodes: [name, twice] },
        })
    }
    this.#edges.set(name, edges)
  }

  start(options: StartOptions = {}): void {
    this.#checkNew()
    checkObject('options', options)
    const { signal, from } = options
    checkSignal(signal)
    if (from !== undefined) checkObject('from', from)
    signal?.throwIfAborted()
    const vertices = createVertices(planGraph(this.#nodes, this.#edges), this.#nodes, this.#edges)
    const { clock, scheduler, sliceMs, onFrontier, checkpoints, tracer } = this.#options
    const engine = new Engine(vertices, {
      clock,
      scheduler,
      sliceMs,
      onFrontier,
      tracer,
      onStop: (error) => this.#onStop(engine, error),
      onLateError: (error) => (this.#outcome ??= error),
    })
    if (from !== undefined) restoreFrom(engine, from)
    this.#states.attach(engine)
    this.#checkpointer = new Checkpointer(engine, checkpoints)
    for (const node of this.#nodes.values()) node.setPipelineStates(this.#states)
    this.#engine = engine
    this.#phase = 'running'
    if (signal !== undefined) this.#listen(signal)
    engine.start()
    this.#checkpointer.start()
  }

  close(options: CloseOptions = {}): Promise<void> {
    checkObject('options', options)
    const timeoutMs = checkDuration('timeoutMs', options.timeoutMs ?? this.#options.closeTimeoutMs)
    this.#close(options.drain ?? true, timeoutMs)
    return this.closed.then(() => {})
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  checkpoint(): Promise<Checkpoint> {
    if (this.#phase !== 'running' && this.#phase !== 'draining')
      return Promise.reject(new FlowGraphError('FLOW_CLOSED', 'the graph does not run'))
    return (this.#checkpointer as Checkpointer).take()
  }

  describe(options: DescribeOptions = {}): GraphDescription {
    return describeGraph(this.#nodes, this.#edges, this.#states, options)
  }

  #checkNew(): void {
    if (this.#phase === 'new') return
    if (this.#phase === 'running') throw new FlowGraphError('FLOW_ALREADY_STARTED', 'the graph has started')
    throw new FlowGraphError('FLOW_CLOSED', 'the graph was closed')
  }

  #listen(signal: AbortSignal): void {
    const onAbort = (): void => {
      const reason: unknown = signal.reason
      const error = reason instanceof Error ? reason : new FlowGraphError('FLOW_ABORTED', `aborted: ${String(reason)}`, { cause: reason })
      this.#engine?.stop(error, error)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    this.#forgetSignal = () => signal.removeEventListener('abort', onAbort)
  }

  #close(drain: boolean, timeoutMs: number): void {
    if (this.#phase === 'stopping' || (this.#phase === 'draining' && drain)) return
    this.#deadline = this.#options.clock.monotonic() + timeoutMs
    if (this.#phase === 'new') {
      // Nodes that never ran are closed like others: whoever added them gave them away.
      const vertices = [...this.#nodes.keys()].flatMap((name) => createVertices([name], this.#nodes, new Map()))
      const { clock, scheduler, sliceMs } = this.#options
      const engine = new Engine(vertices, {
        clock,
        scheduler,
        sliceMs,
        onFrontier: undefined,
        tracer: undefined,
        onStop: () => this.#onStop(engine, undefined),
        onLateError: (error) => (this.#outcome ??= error),
      })
      return engine.stop(undefined)
    }
    if (!drain) return this.#engine?.stop(undefined, new FlowGraphError('FLOW_CLOSED', 'the graph was closed without draining'))
    this.#phase = 'draining'
    const timedOut = (): void =>
      this.#engine?.fail('FLOW_CLOSE_TIMEOUT', `the graph did not drain within ${timeoutMs} ms`, undefined, undefined)
    this.#cancelTimer = this.#options.clock.setTimer(timedOut, timeoutMs)
    this.#engine?.drain()
  }

  /** Everything ends here, once. */
  #onStop(engine: Engine, error: Error | undefined): void {
    this.#phase = 'stopping'
    this.#outcome ??= error
    this.#cancelTimer?.()
    this.#forgetSignal?.()
    const { clock, closeTimeoutMs } = this.#options
    const leftMs = this.#deadline === undefined ? closeTimeoutMs : Math.max(0, this.#deadline - clock.monotonic())
    const saved = (error === undefined ? this.#checkpointer?.finish() : this.#checkpointer?.stop()) ?? Promise.resolve()
    void shutDown(engine, clock, leftMs, saved).then((inTime) => {
      if (!inTime)
        this.#outcome ??= new FlowGraphError('FLOW_CLOSE_TIMEOUT', 'operators or nodes did not end in time; they were left behind')
      this.#resolveClosed(this.#outcome)
    })
  }
}
