import { isSourceNode } from './node.ts'
import type { Node } from './node.ts'

export interface NodeDescription {
  readonly name: string
  readonly kind: 'source' | 'operator' | 'sink'
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly maxQueueLength: number
  readonly maxParallelism: number
}

export interface GraphDescription {
  readonly nodes: readonly NodeDescription[]
  readonly edges: readonly { readonly from: string; readonly to: string }[]
  /** A Mermaid flowchart. */
  readonly mermaid: string
}

export interface DeclaredEdges {
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
}

/** Works on unfinished graphs too: edges are those that out lists name. */
export function describeGraph(nodes: ReadonlyMap<string, Node>, edges: ReadonlyMap<string, DeclaredEdges>): GraphDescription {
  const described = [...nodes.values()].map((node): NodeDescription => {
    const { inputs, outputs } = edges.get(node.name) ?? { inputs: [], outputs: [] }
    const kind = isSourceNode(node) ? 'source' : outputs.length === 0 ? 'sink' : 'operator'
    return { name: node.name, kind, inputs, outputs, maxQueueLength: node.maxQueueLength, maxParallelism: node.maxParallelism }
  })
  const pairs = [...edges].flatMap(([from, { outputs }]) => outputs.map((to) => ({ from, to })))
  return { nodes: described, edges: pairs, mermaid: toMermaid(described, pairs) }
}

const shapes = { source: ['([', '])'], operator: ['[', ']'], sink: ['[[', ']]'] } as const

function toMermaid(nodes: readonly NodeDescription[], edges: readonly { from: string; to: string }[]): string {
  // Mermaid's ids are narrow: nodes are numbered, names are labels.
  const ids = new Map(nodes.map(({ name }, i) => [name, `n${i}`]))
  const known = edges.filter(({ from, to }) => ids.has(from) && ids.has(to))
  return [
    'flowchart LR',
    ...nodes.map(({ name, kind }) => `  ${ids.get(name)}${shapes[kind][0]}"${escapeLabel(name)}"${shapes[kind][1]}`),
    ...known.map(({ from, to }) => `  ${ids.get(from)} --> ${ids.get(to)}`),
  ].join('\n')
}

function escapeLabel(name: string): string {
  return name.replaceAll('#', '#35;').replaceAll('"', '#quot;').replaceAll('<', '#lt;').replaceAll(/[\r\n]/g, ' ')
}
