/** Graphs and what passes through them as text. */
import { createTimeTickedFlowGraph } from '../flow-graph.ts'
import type { FlowGraphOptions, TimeTickedFlowGraph } from '../graph.ts'
import { InputNode } from '../input-node.ts'
import { SkipTickMsg } from '../msg.ts'
import type { Msg } from '../msg.ts'
import type { Node } from '../node.ts'
import { createNode } from '../operator-node.ts'

/** What a letter of a marble line is. */
export interface MarbleMsg extends Msg {
  readonly value: string
}

export interface MarbleGraph {
  readonly graph: TimeTickedFlowGraph
  /** What sinks without a node of their own have seen so far: a line for each input, as in the text; `-` is a tick that did not pass. */
  readonly lines: () => Readonly<Record<string, readonly string[]>>
}

/**
 * A graph from text: lines of marbles for sources, chains of names for edges; names that `nodes` does not have pass on their first message
 * that is no skip, or, if nothing is below them, remember what they see. Not started yet.
 *
 *     a: x-y~|
 *     b: -z|
 *     a -> join -> out
 *     b -> join
 *
 * The nth sign of a line is tick n: a letter or digit is a message, `-` is a tick that does not pass, `~` a skip marker, `|` the end, `#` a source
 * that throws. Inputs and outputs of a node are in the order of their lines. Lines that begin with `//` are comments.
 */
export function graphFromMarbles(text: string, nodes: Readonly<Record<string, Node>> = {}, options: FlowGraphOptions = {}): MarbleGraph {
  const { sources, edges, names } = parse(text)
  const graph = createTimeTickedFlowGraph(options)
  const recorders = new Map<string, string[][]>()
  for (const name of names) {
    const marbles = sources.get(name)
    const inputs = edges.filter(([, to]) => to === name).map(([from]) => from)
    const outputs = edges.filter(([from]) => from === name).map(([, to]) => to)
    if (marbles !== undefined) graph.addNode(new InputNode<Msg>(name, readMarbles(name, marbles), (msg) => msg))
    else if (Object.hasOwn(nodes, name)) graph.addNode(nodes[name] as Node)
    else if (outputs.length > 0) graph.addNode(createNode(name, (msgs) => msgs.find((msg) => msg.skipThisTick !== true)))
    else graph.addNode(recorder(name, inputs.length, recorders))
    graph.setEdges(name, inputs, outputs)
  }
  return { graph, lines: () => Object.fromEntries([...recorders].map(([name, lines]) => [name, lines.map((line) => line.join(''))])) }
}


function recorder(name: string, inputs: number, recorders: Map<string, string[][]>): Node {
  const lines = Array.from({ length: inputs }, (): string[] => [])
  recorders.set(name, lines)
  const record = (msgs: readonly Msg[]): void => {
    for (const [i, line] of lines.entries()) {
      const msg = msgs[i]
      while (line.length < Number(msg?.timeTick ?? 0n) - 1) line.push('-')
      line.push(msg === undefined || msg.skipThisTick === true ? '~' : 'value' in msg ? String(msg.value) : '?')
    }
  }
  return createNode(name, record, { seesSkips: true })
}

function* readMarbles(name: string, marbles: string): Iterable<SkipTickMsg | MarbleMsg> {
  let tick = 0n
  for (const sign of marbles) {
    if (sign === '|') return
    if (sign === '#') throw new Error(`"${name}" fails after tick ${tick}`)
    tick++
    if (sign === '~') yield new SkipTickMsg(tick)
    else if (sign !== '-') yield { timeTick: tick, value: sign }
  }
}

interface Parsed {
  readonly sources: ReadonlyMap<string, string>
  readonly edges: readonly (readonly [from: string, to: string])[]
  readonly names: ReadonlySet<string>
}

function parse(text: string): Parsed {
  const sources = new Map<string, string>()
  const edges: [string, string][] = []
  for (const [i, raw] of text.split('\n').entries()) {
    const line = raw.trim()
    if (line === '' || line.startsWith('//')) continue
    const source = /^([^\s:>]+)\s*:\s*([\p{L}\p{N}~-]*[|#]?)$/u.exec(line)
    const chain = line.split('->').map((name) => name.trim())
    if (source?.[1] !== undefined && source[2] !== undefined) sources.set(source[1], source[2])
    else if (chain.length > 1 && chain.every((name) => /^[^\s:>]+$/.test(name)))
      for (let at = 1; at < chain.length; at++) edges.push([chain[at - 1] as string, chain[at] as string])
    else throw new SyntaxError(`expected line ${i + 1} to be \`name: marbles\` or \`name -> name\`, got ${JSON.stringify(line)}`)
  }
  return { sources, edges, names: new Set([...sources.keys(), ...edges.flat()]) }
}
