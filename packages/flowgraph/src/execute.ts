/** Running `operate` and what follows from it: results in the order of ticks, promises, the end of a node. */
import type { Core } from './core.ts'
import { keepFinal } from './cut.ts'
import { GIVEN_UP, recover } from './recover.ts'
import type { Msg, OperateResult } from './msg.ts'
import { deliver, riseFrontier } from './route.ts'
import { callOperate, isWatched } from './tracing.ts'
import type { EdgeEnd, Task, Vertex, Edge } from './vertex.ts'

/** Run `operate` at a tick, or let it pass by, and send what comes of it. */
export function execute(core: Core, vertex: Vertex, tick: bigint, inputs: readonly Msg[], skip: boolean): void {
  vertex.lastTick = tick
  if (skip && !vertex.seesSkips) {
    vertex.skipped++
    return complete(core, vertex, tick, inputs, undefined)
  }
  let result: OperateResult | Promise<OperateResult>
  vertex.operating = true
  try {
    result = isWatched(core) ? callOperate(core, vertex, tick, inputs) : vertex.node.operate(inputs, core.signal)
  } catch (error) {
    vertex.operating = false
    return threw(core, vertex, tick, inputs, error)
  }
  vertex.operating = false
  answered(core, vertex, tick, inputs, result)
}

/** What `operate` gave, in whatever form. */
export function answered(core: Core, vertex: Vertex, tick: bigint, inputs: readonly Msg[], result: OperateResult | Promise<OperateResult>): void {
  if (isPromise(result)) {
    const { policy } = vertex
    const again = (error: unknown): ReturnType<typeof recover> => recover(core, vertex, policy ?? {}, tick, inputs, error)
    return startTask(core, vertex, tick, inputs, policy === undefined ? result : result.catch(again))
  }
  vertex.completed++
  // The operator may have closed the graph.
  if (!core.stopped) complete(core, vertex, tick, inputs, result)
}

export function threw(core: Core, vertex: Vertex, tick: bigint, inputs: readonly Msg[], error: unknown): void {
  if (vertex.policy === undefined || core.stopped) return operatorFailed(core, vertex, tick, error)
  startTask(core, vertex, tick, inputs, recover(core, vertex, vertex.policy, tick, inputs, error))
}

/** Nothing more comes to this vertex: close its node, then tell its downstreams. */
export function finish(core: Core, vertex: Vertex, end: EdgeEnd): void {
  if (vertex.end !== 'open' || vertex.tasks.length > 0) return
  vertex.end = end
  keepFinal(core, vertex)
  for (const edge of vertex.inputs) {
    edge.shut = true
    edge.queue.clear()
    core.mark(edge.from)
  }
  if (vertex.outputs.length === 0) riseFrontier(core)
  const closing = core.closeNode(vertex)
  // A source may be stuck in a read that only the far side can end; its stream is over all the same.
  if (closing === undefined || vertex.source !== undefined) return endEdges(core, vertex, end)
  void closing.then(() => {
    if (core.stopped) return
    endEdges(core, vertex, end)
    core.run()
  })
}

function endEdges(core: Core, vertex: Vertex, end: EdgeEnd): void {
  for (const edge of vertex.outputs) {
    edge.end = end
    core.mark(edge.to)
  }
  core.finished()
}

export function hasRoom(vertex: Vertex): boolean {
  const { outputs } = vertex
  for (let i = 0; i < outputs.length; i++) {
    const edge = outputs[i] as Edge
    if ((edge.queue.length < edge.limit && edge.bytes < edge.limitBytes) || edge.shut) continue
    edge.wanted = true
    return false
  }
  return true
}

function complete(core: Core, vertex: Vertex, tick: bigint, inputs: readonly Msg[], result: OperateResult): void {
  if (vertex.tasks.length === 0) deliver(core, vertex, tick, inputs, result)
  else vertex.tasks.push({ tick, inputs, result, done: true })
}

/** Send the oldest begun tick, if it is done and there is room. */
export function deliverTask(core: Core, vertex: Vertex): boolean {
  const task = vertex.tasks.peek()
  if (task === undefined || !task.done || !hasRoom(vertex)) return false
  vertex.tasks.shift()
  deliver(core, vertex, task.tick, task.inputs, task.result)
  return true
}

function startTask(core: Core, vertex: Vertex, tick: bigint, inputs: readonly Msg[], promise: Promise<OperateResult | typeof GIVEN_UP>): void {
  const task: Task = { tick, inputs, result: undefined, done: false }
  vertex.tasks.push(task)
  core.running++
  if (vertex.running++ === 0) vertex.busySince = core.clock.monotonic()
  promise.then(
    (result) => {
      endTask(core, vertex)
      if (result !== GIVEN_UP) vertex.completed++
      if (core.stopped) return core.settled()
      task.result = result === GIVEN_UP ? undefined : result
      task.done = true
      if (vertex.tasks.peek() !== task) return
      core.mark(vertex)
      core.run()
    },
    (error: unknown) => {
      endTask(core, vertex)
      if (core.stopped) core.settled()
      else operatorFailed(core, vertex, tick, error)
    },
  )
}

function endTask(core: Core, vertex: Vertex): void {
  core.running--
  if (--vertex.running === 0) vertex.busyMs += core.clock.monotonic() - vertex.busySince
}

function operatorFailed(core: Core, vertex: Vertex, tick: bigint, cause: unknown): void {
  const reason = cause instanceof Error ? cause.message : String(cause)
  core.fail('FLOW_OPERATOR_FAILED', `"${vertex.node.name}" failed at tick ${tick}: ${reason}`, vertex, tick, cause)
}

function isPromise(result: OperateResult | Promise<OperateResult>): result is Promise<OperateResult> {
  return typeof result === 'object' && result !== null && 'then' in result && typeof result.then === 'function'
}
