/** One step of one node: synchronous, deterministic, without a clock. */
import type { Core } from './core.ts'
import { deliverTask, execute, finish, hasRoom } from './execute.ts'
import { SkipTickMsg } from './msg.ts'
import type { Msg } from './msg.ts'
import { stepSource } from './source.ts'
import type { Edge, Vertex } from './vertex.ts'

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
  const heads: Msg[] = []
  for (let i = 0; i < inputs.length; i++) {
    const edge = inputs[i] as Edge
    const head = edge.queue.peek()?.timeTick === tick ? take(core, edge) : undefined
    if (head !== undefined && head.skipThisTick !== true) skip = false
    heads.push(head ?? (marker ??= new SkipTickMsg(tick)))
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
