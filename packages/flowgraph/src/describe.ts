import { idleStates } from './live-states.ts'
import { isSourceNode } from './node.ts'
import type { Node } from './node.ts'
import type { FlowGraphStates, NodeStates } from './states.ts'

export interface NodeDescription {
  readonly name: string
  readonly kind: 'source' | 'operator' | 'sink'
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly maxQueueLength: number
  readonly maxParallelism: number
  readonly maxQueueBytes: number | undefined
  /** At the moment of the call. */
  readonly states: NodeStates
}

export interface DescribeOptions {
  /** Numbers in the text's labels. @default false */
  readonly counters?: boolean | undefined
}

export interface GraphDescription {
  readonly nodes: readonly NodeDescription[]
  readonly edges: readonly { readonly from: string; readonly to: string }[]
  /** A Mermaid flowchart. */
  readonly mermaid: string
  /** For `JSON.stringify`: the same with ticks as decimal text. */
  toJSON(): unknown
}

export interface DeclaredEdges {
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
}

/** Works on unfinished graphs too: edges are those that out lists name. */
export function describeGraph(
  nodes: ReadonlyMap<string, Node>,
  edges: ReadonlyMap<string, DeclaredEdges>,
  states: FlowGraphStates,
  { counters = false }: DescribeOptions,
): GraphDescription {
  const live = states.nodes
  const described = [...nodes.values()].map((node): NodeDescription => {
    const { inputs, outputs } = edges.get(node.name) ?? { inputs: [], outputs: [] }
    const kind = isSourceNode(node) ? 'source' : outputs.length === 0 ? 'sink' : 'operator'
    const { name, maxQueueLength, maxQueueBytes, maxParallelism } = node
    return { name, kind, inputs, outputs, maxQueueLength, maxParallelism, maxQueueBytes, states: live.get(name) ?? idleStates }
  })
  const pairs = [...edges].flatMap(([from, { outputs }]) => outputs.map((to) => ({ from, to })))
  const mermaid = toMermaid(described, pairs, counters)
  return { nodes: described, edges: pairs, mermaid, toJSON: () => ({ nodes: described.map(withText), edges: pairs, mermaid }) }
}

function withText(node: NodeDescription): unknown {
  const { frontier, lastTick } = node.states
  return { ...node, states: { ...node.states, frontier: String(frontier), lastTick: String(lastTick) } }
}

const shapes = { source: ['([', '])'], operator: ['[', ']'], sink: ['[[', ']]'] } as const

function toMermaid(nodes: readonly NodeDescription[], edges: readonly { from: string; to: string }[], counters: boolean): string {
  // Mermaid's ids are narrow: nodes are numbered, names are labels.
  const ids = new Map(nodes.map(({ name }, i) => [name, `n${i}`]))
  const known = edges.filter(({ from, to }) => ids.has(from) && ids.has(to))
  return [
    'flowchart LR',
    ...nodes.map((node) => `  ${ids.get(node.name)}${shapes[node.kind][0]}"${escapeLabel(node.name)}${counters ? numbers(node.states) : ''}"${shapes[node.kind][1]}`),
    ...known.map(({ from, to }) => `  ${ids.get(from)} --> ${ids.get(to)}`),
  ].join('\n')
}

function numbers({ completed, skipped, failed, queueDepth, frontier }: NodeStates): string {
  const gaveUp = failed > 0 ? `, ${failed} failed` : ''
  return `<br/>${completed} done, ${skipped} skipped${gaveUp}<br/>${queueDepth} waiting, tick ${frontier}`
}

function escapeLabel(name: string): string {
  return name.replaceAll('#', '#35;').replaceAll('"', '#quot;').replaceAll('<', '#lt;').replaceAll(/[\r\n]/g, ' ')
}
