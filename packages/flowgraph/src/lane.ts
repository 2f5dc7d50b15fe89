/**
 * Many plain steps of a node with one input in one loop: what most nodes of most graphs do nearly always. It does what `step` would do,
 * without asking before every message what cannot change between two of them; whatever is not plain (a promise, a routed result, a byte
 * limit, a barrier, a full edge, an end) is left to the general way.
 */
import type { Core } from './core.ts'
import { answered, threw } from './execute.ts'
import type { Msg, OperateResult } from './msg.ts'
import { SkipTickMsg } from './msg.ts'
import { riseFrontier } from './route.ts'
import { isWatched } from './tracing.ts'
import type { Edge, Vertex } from './vertex.ts'
import { wakeSender } from './wake.ts'

/** Gives how many messages were taken, 0 to `limit`; fewer: what comes next is not plain. */
export function runLane(core: Core, vertex: Vertex, input: Edge, limit: number): number {
  if (core.stopped || vertex.end !== 'open' || vertex.tasks.length > 0) return 0
  if (input.barriers > 0 || input.limitBytes !== Infinity || isWatched(core)) return 0
  const { node, outputs, seesSkips } = vertex
  const { queue } = input
  const most = Math.min(limit, queue.length, roomOf(outputs))
  if (most <= 0) return 0
  for (const { to } of outputs) core.mark(to)
  let taken = 0
  while (taken < most) {
    const msg = queue.shift() as Msg
    const tick = msg.timeTick
    taken++
    vertex.lastTick = tick
    let sent: Msg
    if (msg.skipThisTick === true && !seesSkips) {
      vertex.skipped++
      sent = new SkipTickMsg(tick)
    } else {
      const inputs = [msg]
      let result: OperateResult | Promise<OperateResult>
      vertex.operating = true
      try {
        result = node.operate(inputs, core.signal)
      } catch (error) {
        vertex.operating = false
        threw(core, vertex, tick, inputs, error)
        break
      }
      vertex.operating = false
      // What a sink gives is not sent.
      if (result === undefined || result === null) sent = outputs.length === 0 ? msg : new SkipTickMsg(tick)
      else if (isPlain(result, tick)) sent = result
      else {
        answered(core, vertex, tick, inputs, result)
        if (core.stopped || vertex.tasks.length > 0) break
        continue
      }
      vertex.completed++
      // The operator may have closed the graph.
      if (core.stopped) break
    }
    vertex.frontier = tick
    if (outputs.length === 0) riseFrontier(core)
    else for (let i = 0; i < outputs.length; i++) push(outputs[i] as Edge, sent)
    if (core.stopped) break
  }
  wakeSender(core, input)
  return taken
}

/** Messages that fit on all of them; none where bytes count. */
function roomOf(outputs: readonly Edge[]): number {
  let room = Infinity
  for (let i = 0; i < outputs.length; i++) {
    const edge = outputs[i] as Edge
    if (edge.shut) continue
    if (edge.limitBytes !== Infinity) return 0
    room = Math.min(room, edge.limit - edge.queue.length)
  }
  return room
}

/** A message of this tick for all downstreams. Promises and lists have no tick. */
function isPlain(result: NonNullable<OperateResult> | Promise<OperateResult>, tick: bigint): result is Msg {
  const { timeTick, downStreamNodeIdx, downStreamNodeName } = result as Partial<Msg>
  return timeTick === tick && downStreamNodeIdx === undefined && downStreamNodeName === undefined
}

function push(edge: Edge, msg: Msg): void {
  if (!edge.shut) edge.queue.push(msg)
}
