/** One step of one node: synchronous, deterministic, without a clock. */
import type { Core } from './core.ts'
import { SkipTickMsg } from './msg.ts'
import type { Msg, OperateResult } from './msg.ts'
import { deliver, riseFrontier } from './route.ts'
import { stepSource } from './source.ts'
import type { Edge, EdgeEnd, Task, Vertex } from './vertex.ts'

/** Do one thing at this vertex; false: there is nothing to do until something else happens. */
export function step(core: Core, vertex: Vertex): boolean {
  if (vertex.end !== 'open') return false
  if (vertex.tasks.length > 0) {
    if (deliverTask(core, vertex)) return true
    if (vertex.tasks.length >= vertex.maxParallelism) return false
  } else if (!hasRoom(vertex)) {
    return false
  }
  if (vertex.source !== undefined) return stepSource(core, vertex, vertex.source)
  return vertex.inputs.length === 1 ? stepSingle(core, vertex, vertex.inputs[0] as Edge) : stepJoin(core, vertex)
}

/** Run `operate` at a tick, or let it pass by, and send what comes of it. */
export function execute(core: Core, vertex: Vertex, tick: bigint, inputs: readonly Msg[], skip: boolean): void {
  vertex.lastTick = tick
  if (skip) {
    vertex.skipped++
    return complete(core, vertex, tick, inputs, undefined)
  }
  let result: OperateResult | Promise<OperateResult>
  vertex.operating = true
  try {
    result = vertex.node.operate(inputs, core.signal)
  } catch (error) {
    return operatorFailed(core, vertex, tick, error)
  } finally {
    vertex.operating = false
  }
  if (isPromise(result)) return startTask(core, vertex, tick, inputs, result)
  vertex.completed++
  // The operator may have closed the graph.
  if (!core.stopped) complete(core, vertex, tick, inputs, result)
}

/** Nothing more comes to this vertex: close its node, then tell its downstreams. */
export function finish(core: Core, vertex: Vertex, end: EdgeEnd): void {
  if (vertex.end !== 'open' || vertex.tasks.length > 0) return
  vertex.end = end
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

function stepSingle(core: Core, vertex: Vertex, edge: Edge): boolean {
  const msg = take(core, edge)
  if (msg === undefined) {
    if (edge.end !== 'open') finish(core, vertex, edge.end)
    return false
  }
  execute(core, vertex, msg.timeTick, [msg], msg.skipThisTick === true)
  return true
}

/** At the least head, once every input has one: nothing below it can come any more. */
function stepJoin(core: Core, vertex: Vertex): boolean {
  const { inputs } = vertex
  let tick: bigint | undefined
  for (let i = 0; i < inputs.length; i++) {
    const edge = inputs[i] as Edge
    const head = edge.queue.peek()
    if (head === undefined) {
      if (edge.end === 'ended') continue
      if (edge.end === 'cut') finish(core, vertex, 'cut')
      return false
    }
    if (tick === undefined || head.timeTick < tick) tick = head.timeTick
  }
  if (tick === undefined) {
    finish(core, vertex, 'ended')
    return false
  }
  let skip = true
  let marker: SkipTickMsg | undefined
  const heads = new Array<Msg>(inputs.length)
  for (let i = 0; i < inputs.length; i++) {
    const edge = inputs[i] as Edge
    const head = edge.queue.peek()?.timeTick === tick ? take(core, edge) : undefined
    if (head !== undefined && head.skipThisTick !== true) skip = false
    heads[i] = head ?? (marker ??= new SkipTickMsg(tick))
  }
  execute(core, vertex, tick, heads, skip)
  return true
}

function take(core: Core, edge: Edge): Msg | undefined {
  const msg = edge.queue.shift()
  // Woken at half: a sender that is woken for each slot would trade bursts for single steps.
  if (edge.wanted && edge.queue.length <= edge.limit >> 1) {
    edge.wanted = false
    core.mark(edge.from)
  }
  return msg
}

export function hasRoom(vertex: Vertex): boolean {
  const { outputs } = vertex
  for (let i = 0; i < outputs.length; i++) {
    const edge = outputs[i] as Edge
    if (edge.queue.length < edge.limit || edge.shut) continue
    edge.wanted = true
    return false
  }
  return true
}

function complete(core: Core, vertex: Vertex, tick: bigint, inputs: readonly Msg[], result: OperateResult): void {
  if (vertex.tasks.length === 0) deliver(core, vertex, tick, inputs, result)
  else vertex.tasks.push({ tick, inputs, result, done: true })
}

function deliverTask(core: Core, vertex: Vertex): boolean {
  const task = vertex.tasks.peek()
  if (task === undefined || !task.done || !hasRoom(vertex)) return false
  vertex.tasks.shift()
  deliver(core, vertex, task.tick, task.inputs, task.result)
  return true
}

function startTask(core: Core, vertex: Vertex, tick: bigint, inputs: readonly Msg[], promise: Promise<OperateResult>): void {
  const task: Task = { tick, inputs, result: undefined, done: false }
  vertex.tasks.push(task)
  core.running++
  if (vertex.running++ === 0) vertex.busySince = core.clock.monotonic()
  promise.then(
    (result) => {
      endTask(core, vertex)
      vertex.completed++
      if (core.stopped) return core.settled()
      task.result = result
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
  vertex.failed = 1
  const reason = cause instanceof Error ? cause.message : String(cause)
  core.fail('FLOW_OPERATOR_FAILED', `"${vertex.node.name}" failed at tick ${tick}: ${reason}`, vertex, tick, cause)
}

function isPromise(result: OperateResult | Promise<OperateResult>): result is Promise<OperateResult> {
  return typeof result === 'object' && result !== null && 'then' in result && typeof result.then === 'function'
}
