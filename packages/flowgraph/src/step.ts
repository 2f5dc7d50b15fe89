/** One step of one node: synchronous, deterministic, without a clock. */
import type { Core } from './core.ts'
import { BarrierMsg, passBarrier } from './cut.ts'
import { deliverTask, execute, finish, hasRoom } from './execute.ts'
import { SkipTickMsg } from './msg.ts'
import type { Msg } from './msg.ts'
import { stepSource } from './source.ts'
import type { Edge, Vertex } from './vertex.ts'
import { wakeSender } from './wake.ts'

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

function stepSingle(core: Core, vertex: Vertex, edge: Edge): boolean {
  if (edge.barriers > 0 && edge.queue.peek() instanceof BarrierMsg) return stepBarrier(core, vertex)
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
  let barrier = false
  for (let i = 0; i < inputs.length; i++) {
    const edge = inputs[i] as Edge
    const head = edge.queue.peek()
    if (head === undefined) {
      if (edge.end === 'ended') continue
      if (edge.end === 'cut') finish(core, vertex, 'cut')
      return false
    }
    if (edge.barriers > 0 && head instanceof BarrierMsg) barrier = true
    else if (tick === undefined || head.timeTick < tick) tick = head.timeTick
  }
  // A barrier stands behind its own tick and before any higher one, on every edge alike.
  if (barrier && (tick === undefined || tick > (core.cut?.tick ?? -1n))) return stepBarrier(core, vertex)
  if (tick === undefined) {
    finish(core, vertex, 'ended')
    return false
  }
  let skip = true
  let marker: SkipTickMsg | undefined
  const heads: Msg[] = []
  for (let i = 0; i < inputs.length; i++) {
    const edge = inputs[i] as Edge
    const first = edge.queue.peek()
    const isDue = first?.timeTick === tick && !(edge.barriers > 0 && first instanceof BarrierMsg)
    const head = isDue ? take(core, edge) : undefined
    if (head !== undefined && head.skipThisTick !== true) skip = false
    heads.push(head ?? (marker ??= new SkipTickMsg(tick)))
  }
  execute(core, vertex, tick, heads, skip)
  return true
}

/** Everything up to the barrier has left this vertex: keep what it knows, send the barrier on. */
function stepBarrier(core: Core, vertex: Vertex): boolean {
  if (vertex.tasks.length > 0) return false
  for (const edge of vertex.inputs) {
    if (!(edge.queue.peek() instanceof BarrierMsg)) continue
    take(core, edge)
    edge.barriers--
  }
  passBarrier(core, vertex)
  return true
}

function take(core: Core, edge: Edge): Msg | undefined {
  const msg = edge.queue.shift()
  if (edge.limitBytes !== Infinity) edge.bytes -= msg?.byteLength ?? 0
  wakeSender(core, edge)
  return msg
}
