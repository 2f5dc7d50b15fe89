/** Results of operators onto edges. */
import { describeValue } from './arguments.ts'
import type { Core } from './core.ts'
import { SkipTickMsg } from './msg.ts'
import type { Msg, OperateResult } from './msg.ts'
import type { Edge, Vertex } from './vertex.ts'

/** Hand a tick's result to the edges (or, at a sink, count it as whole). `vertex` must have room. */
export function deliver(core: Core, vertex: Vertex, tick: bigint, inputs: readonly Msg[], result: OperateResult): void {
  vertex.frontier = tick
  if (vertex.outputs.length === 0) return riseFrontier(core)
  if (result === undefined || result === null) return sendAll(core, vertex, new SkipTickMsg(tick))
  if (Array.isArray(result)) return sendList(core, vertex, tick, inputs, result as readonly (Msg | undefined)[])
  const msg = result as Msg
  if (!isMessage(core, vertex, tick, msg)) return
  if ((msg.downStreamNodeIdx === undefined && msg.downStreamNodeName === undefined) || passedOn(vertex, inputs, msg)) return sendAll(core, vertex, msg)
  sendList(core, vertex, tick, inputs, [msg])
}

/** The last whole tick: the least over sinks. A sink whose inputs have ended holds nobody back. */
export function riseFrontier(core: Core): void {
  const { sinks } = core
  let least: bigint | undefined
  let most = -1n
  for (let i = 0; i < sinks.length; i++) {
    const sink = sinks[i] as Vertex
    if (sink.frontier > most) most = sink.frontier
    if (sink.end !== 'ended' && (least === undefined || sink.frontier < least)) least = sink.frontier
  }
  const frontier = least ?? most
  if (frontier <= core.frontier) return
  core.frontier = frontier
  core.frontierRose()
}

function sendList(core: Core, vertex: Vertex, tick: bigint, inputs: readonly Msg[], list: readonly (Msg | undefined)[]): void {
  const { outputs } = vertex
  const slots = outputs.map((): Msg | undefined => undefined)
  for (let i = 0; i < list.length; i++) {
    const msg = list[i]
    if (msg === undefined || msg === null) continue
    if (!isMessage(core, vertex, tick, msg)) return
    const index = passedOn(vertex, inputs, msg) ? i : routeOf(vertex, msg, i)
    if (!(index in slots)) {
      return core.fail(
        'FLOW_BAD_RESULT',
        `"${vertex.node.name}" sent to downstream ${describeValue(msg.downStreamNodeIdx ?? msg.downStreamNodeName ?? i)}, it has 0..${outputs.length - 1}: ${outputs.map(({ to }) => to.node.name).join(', ')}`,
        vertex,
        tick,
      )
    }
    if (slots[index] !== undefined) {
      return core.fail(
        'FLOW_BAD_RESULT',
        `"${vertex.node.name}" sent two messages to downstream ${index} at one tick: put them into one message`,
        vertex,
        tick,
      )
    }
    slots[index] = msg
  }
  let skip: SkipTickMsg | undefined
  for (let i = 0; i < outputs.length; i++) send(core, outputs[i] as Edge, slots[i] ?? (skip ??= new SkipTickMsg(tick)))
}

/** -1: no such downstream. */
function routeOf({ outputs }: Vertex, { downStreamNodeIdx, downStreamNodeName }: Msg, otherwise: number): number {
  if (downStreamNodeIdx !== undefined) return downStreamNodeIdx
  return downStreamNodeName === undefined ? otherwise : outputs.findIndex(({ to }) => to.node.name === downStreamNodeName)
}

function sendAll(core: Core, vertex: Vertex, msg: Msg): void {
  const { outputs } = vertex
  for (let i = 0; i < outputs.length; i++) send(core, outputs[i] as Edge, msg)
}

export function send(core: Core, edge: Edge, msg: Msg): void {
  if (edge.shut) return
  edge.queue.push(msg)
  if (edge.limitBytes !== Infinity) edge.bytes += msg.byteLength ?? 0
  core.mark(edge.to)
}

function isMessage(core: Core, vertex: Vertex, tick: bigint, msg: Msg): boolean {
  if (typeof msg === 'object' && msg.timeTick === tick) return true
  const got = typeof msg === 'object' ? `one with timeTick ${describeValue(msg.timeTick)}` : describeValue(msg)
  core.fail('FLOW_BAD_RESULT', `expected "${vertex.node.name}" to return a message with timeTick ${tick}n, got ${got}`, vertex, tick)
  return false
}

/** Its route was meant for the hop that brought it here. A source's own messages are routed by the source. */
function passedOn(vertex: Vertex, inputs: readonly Msg[], msg: Msg): boolean {
  return vertex.source === undefined && inputs.includes(msg)
}
