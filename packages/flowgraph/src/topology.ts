/** Is what was declared a graph that can run? Pure; every problem is named. */
import { FlowGraphError } from './errors.ts'
import type { FlowGraphErrorCode } from './errors.ts'
import { isSourceNode } from './node.ts'
import type { Node } from './node.ts'
import type { DeclaredEdges } from './describe.ts'

interface Problem {
  readonly code: FlowGraphErrorCode
  readonly message: string
  readonly nodes: readonly string[]
}

type Nodes = ReadonlyMap<string, Node>
type Edges = ReadonlyMap<string, DeclaredEdges>

const none: DeclaredEdges = { inputs: [], outputs: [] }

/** Node names in topological order (ties in the order of addNode), or the problems. */
export function planGraph(nodes: Nodes, edges: Edges): readonly string[] {
  const problems = [...unknownNodes(nodes, edges), ...mismatches(nodes, edges), ...sourceProblems(nodes, edges)]
  const order = topologicalOrder(nodes, edges)
  // A faulty edge list makes later findings noise: cycles and reach are judged on consistent lists only.
  if (problems.length === 0) problems.push(...cycles(nodes, edges, order), ...unreachable(nodes, edges))
  const first = problems[0]
  if (first === undefined) return order
  const messages = problems.map(({ message }) => message)
  const named = [...new Set(problems.flatMap((problem) => problem.nodes))]
  throw new FlowGraphError(first.code, `the graph cannot run: ${messages.join('; ')}`, { details: { nodes: named, problems: messages } })
}

function* unknownNodes(nodes: Nodes, edges: Edges): Iterable<Problem> {
  for (const [name, { inputs, outputs }] of edges) {
    if (!nodes.has(name)) yield { code: 'FLOW_UNKNOWN_NODE', message: `edges were set for "${name}", which was not added`, nodes: [name] }
    for (const other of [...inputs, ...outputs]) {
      if (!nodes.has(other))
        yield { code: 'FLOW_UNKNOWN_NODE', message: `the edges of "${name}" name "${other}", which was not added`, nodes: [name, other] }
    }
  }
}

function* mismatches(nodes: Nodes, edges: Edges): Iterable<Problem> {
  for (const [name, { inputs, outputs }] of edges) {
    for (const to of outputs) {
      if (nodes.has(to) && !edges.get(to)?.inputs.includes(name))
        yield { code: 'FLOW_EDGE_MISMATCH', message: `"${name}" has output "${to}", but "${to}" has no input "${name}"`, nodes: [name, to] }
    }
    for (const from of inputs) {
      if (nodes.has(from) && !edges.get(from)?.outputs.includes(name))
        yield {
          code: 'FLOW_EDGE_MISMATCH',
          message: `"${name}" has input "${from}", but "${from}" has no output "${name}"`,
          nodes: [from, name],
        }
    }
  }
}

function* sourceProblems(nodes: Nodes, edges: Edges): Iterable<Problem> {
  let sources = 0
  for (const node of nodes.values()) {
    const { inputs, outputs } = edges.get(node.name) ?? none
    const isSource = isSourceNode(node)
    if (isSource) sources++
    if (isSource && inputs.length > 0)
      yield { code: 'FLOW_NO_SOURCE', message: `"${node.name}" is a source and cannot have inputs`, nodes: [node.name] }
    if (!isSource && inputs.length === 0)
      yield { code: 'FLOW_NO_SOURCE', message: `"${node.name}" has no input and is no source`, nodes: [node.name] }
    if (isSource && outputs.length === 0 && nodes.size > 1)
      yield { code: 'FLOW_UNREACHABLE', message: `source "${node.name}" leads nowhere`, nodes: [node.name] }
  }
  if (sources === 0) yield { code: 'FLOW_NO_SOURCE', message: 'no node is a source', nodes: [...nodes.keys()] }
}

/** Kahn's algorithm; nodes on or behind a cycle are missing from the result. */
function topologicalOrder(nodes: Nodes, edges: Edges): string[] {
  const missing = new Map([...nodes.keys()].map((name) => [name, (edges.get(name) ?? none).inputs.length]))
  const order = [...nodes.keys()].filter((name) => missing.get(name) === 0)
  for (const name of order) {
    for (const to of (edges.get(name) ?? none).outputs) {
      const left = (missing.get(to) ?? 0) - 1
      missing.set(to, left)
      if (left === 0) order.push(to)
    }
  }
  return order
}

function* cycles(nodes: Nodes, edges: Edges, order: readonly string[]): Iterable<Problem> {
  if (order.length === nodes.size) return
  const ordered = new Set(order)
  // Every node left has an input among those left, so walking up inputs must meet a node again.
  const path: string[] = []
  let at = [...nodes.keys()].find((name) => !ordered.has(name))
  while (at !== undefined && !path.includes(at)) {
    path.push(at)
    at = (edges.get(at) ?? none).inputs.find((name) => !ordered.has(name))
  }
  const cycle = at === undefined ? path : path.slice(path.indexOf(at)).reverse()
  yield { code: 'FLOW_CYCLE', message: `a cycle: ${[...cycle, cycle[0]].map((name) => `"${name}"`).join(' -> ')}`, nodes: cycle }
}

function* unreachable(nodes: Nodes, edges: Edges): Iterable<Problem> {
  const reached = new Set([...nodes.values()].filter(isSourceNode).map(({ name }) => name))
  for (const name of reached) for (const to of (edges.get(name) ?? none).outputs) reached.add(to)
  for (const name of nodes.keys()) {
    if (!reached.has(name)) yield { code: 'FLOW_UNREACHABLE', message: `no source leads to "${name}"`, nodes: [name] }
  }
}
