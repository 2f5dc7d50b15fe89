/** Random graphs as plain data, from one seed. */
import type { Msg, OperateResult } from '../msg.ts'
import { mix, seeded } from './seeded.ts'

export interface SampleMsg extends Msg {
  readonly value: number
}

export interface SampleNode {
  readonly name: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly maxQueueLength: number
  readonly maxParallelism: number
  /** Sources only: what they bring. */
  readonly messages: readonly Msg[]
  /** Of 100 ticks: answered by a promise. */
  readonly asyncPercent: number
  /** Of 100 ticks: answered with nothing. */
  readonly silentPercent: number
  /** Of 100 ticks: sent to some downstreams only. */
  readonly routedPercent: number
  /** Of 100 ticks: `operate` fails at first, and maybe at each of `retries` more tries; then the tick is given up. */
  readonly failPercent: number
  readonly retries: number
}

export interface SampleGraph {
  readonly seed: number
  /** In topological order. */
  readonly nodes: readonly SampleNode[]
}

export interface RandomGraphOptions {
  /** @default 8 */
  readonly maxNodes?: number | undefined
  /** Most messages of a source. @default 40 */
  readonly maxMessages?: number | undefined
  /** Some operators fail now and then, and have a policy for it. @default false */
  readonly failing?: boolean | undefined
}

/** One to three sources, joins, fan-outs, jumps in time, skips, tiny queues. */
export function randomGraph(seed: number, options: RandomGraphOptions = {}): SampleGraph {
  const { maxNodes = 8, maxMessages = 40, failing = false } = options
  const random = seeded(seed)
  const pick = (from: number, to: number): number => from + Math.floor(random() * (to - from + 1))
  const sources = pick(1, 3)
  const operators = pick(1, Math.max(1, maxNodes - sources))
  const names = [...Array.from({ length: sources }, (_, i) => `s${i}`), ...Array.from({ length: operators }, (_, i) => `n${i}`)]
  const edges = randomEdges(names, sources, pick)
  const nodes = names.map((name, index): SampleNode => ({
    name,
    inputs: edges.filter(([, to]) => to === name).map(([from]) => from),
    outputs: edges.filter(([from]) => from === name).map(([, to]) => to),
    maxQueueLength: pick(0, 2) === 0 ? 1 : pick(1, 16),
    maxParallelism: pick(0, 1) === 0 ? 1 : pick(2, 6),
    messages: index < sources ? randomMessages(pick, maxMessages) : [],
    asyncPercent: pick(0, 2) === 0 ? pick(1, 100) : 0,
    silentPercent: pick(0, 1) === 0 ? pick(0, 60) : 0,
    routedPercent: pick(0, 1) === 0 ? pick(0, 80) : 0,
    failPercent: failing && index >= sources && pick(0, 2) === 0 ? pick(1, 60) : 0,
    retries: pick(0, 2),
  }))
  return { seed, nodes }
}

function randomEdges(names: readonly string[], sources: number, pick: (from: number, to: number) => number): [string, string][] {
  const edges = new Set<string>()
  for (let to = sources; to < names.length; to++) {
    for (let n = pick(1, 3); n > 0; n--) edges.add(`${names[pick(0, to - 1)]} ${names[to]}`)
  }
  // A source must lead somewhere.
  for (let from = 0; from < sources; from++) {
    if (![...edges].some((edge) => edge.startsWith(`${names[from]} `)))
      edges.add(`${names[from]} ${names[pick(sources, names.length - 1)]}`)
  }
  return [...edges].map((edge) => edge.split(' ') as [string, string])
}

function randomMessages(pick: (from: number, to: number) => number, most: number): Msg[] {
  const messages: Msg[] = []
  const jump = pick(1, 5)
  let tick = 0
  for (let n = pick(0, most); n > 0; n--) {
    tick += pick(1, jump)
    messages.push(pick(0, 9) === 0 ? { timeTick: BigInt(tick), skipThisTick: true } : sample(BigInt(tick), pick(0, 1_000_000)))
  }
  return messages
}

function sample(timeTick: bigint, value: number, downStreamNodeIdx?: number): SampleMsg {
  return downStreamNodeIdx === undefined ? { timeTick, value } : { timeTick, value, downStreamNodeIdx }
}

/** What a sample node answers: a function of its name, the tick and the values of its inputs alone. */
export function answer(graph: SampleGraph, node: SampleNode, inputs: readonly Msg[]): OperateResult {
  const timeTick = inputs[0]?.timeTick ?? 0n
  const chance = (what: string): number => mix(graph.seed, node.name, timeTick, what)
  if (chance('silent') % 100 < node.silentPercent) return undefined
  const value = mix(node.name, ...inputs.map((msg) => valueOf(msg)))
  if (node.outputs.length === 0 || chance('routed') % 100 >= node.routedPercent) return sample(timeTick, value)
  const index = chance('index') % node.outputs.length
  if (chance('form') % 2 === 0) return sample(timeTick, value, index)
  return node.outputs.slice(0, index + 1).map((_, i) => (chance(`hole ${i}`) % 3 === 0 ? undefined : sample(timeTick, value + i)))
}

/** So many calls of `operate` fail at this tick; more than `retries`: the tick is given up. */
export function failuresAt(graph: SampleGraph, node: SampleNode, timeTick: bigint): number {
  const chance = (what: string): number => mix(graph.seed, node.name, timeTick, what)
  return chance('fails') % 100 < node.failPercent ? 1 + (chance('times') % (node.retries + 1)) : 0
}

export function valueOf(msg: Msg): string {
  return 'value' in msg && msg.skipThisTick !== true ? String(msg.value) : '-'
}
