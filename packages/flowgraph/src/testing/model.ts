/** What a graph must do, tick by tick, without queues, time or concurrency. */
import type { Msg, OperateResult } from '../msg.ts'
import { answer, failuresAt, valueOf } from './random-dag.ts'
import type { SampleGraph, SampleNode } from './random-dag.ts'

/** By node name, in the order of ticks: `tick:value,value` for each first call of `operate`, `-` for an input that skips. */
export type Trace = ReadonlyMap<string, readonly string[]>

/** Every call of `operate` in every node, if all sources are read to their ends. */
export function modelTrace(graph: SampleGraph): Trace {
  const trace = new Map<string, string[]>(graph.nodes.map(({ name }) => [name, []]))
  const ticks = [...new Set(graph.nodes.flatMap(({ messages }) => messages.map(({ timeTick }) => timeTick)))].toSorted((a, b) =>
    a < b ? -1 : a > b ? 1 : 0,
  )
  for (const tick of ticks) modelTick(graph, tick, trace)
  return trace
}

function modelTick(graph: SampleGraph, tick: bigint, trace: Map<string, string[]>): void {
  /** What stands on an edge at this tick; edges that time does not pass at this tick are missing. */
  const sent = new Map<string, Msg | undefined>()
  for (const node of graph.nodes) {
    const inputs = node.inputs.length === 0 ? node.messages.filter(({ timeTick }) => timeTick === tick) : inputsOf(node, tick, sent)
    if (inputs.length === 0) continue
    const skips = inputs.every((msg) => msg.skipThisTick === true)
    if (!skips) trace.get(node.name)?.push(line(inputs))
    const isGivenUp = failuresAt(graph, node, tick) > node.retries
    const result = skips || isGivenUp ? undefined : node.inputs.length === 0 ? inputs[0] : answer(graph, node, inputs)
    for (const [i, to] of node.outputs.entries()) sent.set(`${node.name} ${to}`, partFor(i, result))
  }
}

function inputsOf(node: SampleNode, tick: bigint, sent: ReadonlyMap<string, Msg | undefined>): Msg[] {
  const edges = node.inputs.map((from) => `${from} ${node.name}`)
  if (!edges.some((edge) => sent.has(edge))) return []
  return edges.map((edge) => sent.get(edge) ?? { timeTick: tick, skipThisTick: true })
}

function partFor(index: number, result: OperateResult): Msg | undefined {
  if (result === undefined || result === null) return undefined
  if (Array.isArray(result)) return (result as readonly (Msg | undefined)[])[index]
  const msg = result as Msg
  return msg.downStreamNodeIdx === undefined || msg.downStreamNodeIdx === index ? msg : undefined
}

export function line(inputs: readonly Msg[]): string {
  return `${inputs[0]?.timeTick}:${inputs.map(valueOf).join(',')}`
}
