/** A sample graph as a real one. */
import { createTimeTickedFlowGraph } from '../flow-graph.ts'
import type { CheckpointOptions, TimeTickedFlowGraph } from '../graph.ts'
import { InputNode } from '../input-node.ts'
import type { Msg } from '../msg.ts'
import type { Node } from '../node.ts'
import { createNode } from '../operator-node.ts'
import { line } from './model.ts'
import type { Trace } from './model.ts'
import { answer } from './random-dag.ts'
import type { SampleGraph, SampleNode } from './random-dag.ts'
import { mix } from './seeded.ts'
import type { VirtualTime } from './virtual-time.ts'

export interface SampleRunOptions {
  readonly time: VirtualTime
  /** Sources begin above this tick. */
  readonly above?: bigint | undefined
  /** Changes nodes before they are added. */
  readonly wrap?: ((node: Node, sample: SampleNode) => Node) | undefined
  readonly checkpoints?: CheckpointOptions | undefined
  /** Throws here. */
  readonly failAt?: { readonly node: string; readonly timeTick: bigint } | undefined
}

export interface SampleRun {
  readonly graph: TimeTickedFlowGraph
  /** Grows while the graph runs. */
  readonly trace: Trace
  /** Most messages seen on an edge beyond its limit; 0 if queues hold. */
  readonly overflow: () => number
  readonly closedNodes: readonly string[]
}

/** Not started yet. */
export function buildSample(sample: SampleGraph, options: SampleRunOptions): SampleRun {
  const { time, wrap = (node) => node, checkpoints } = options
  const trace = new Map<string, string[]>(sample.nodes.map(({ name }) => [name, []]))
  const closedNodes: string[] = []
  const graph = createTimeTickedFlowGraph({ clock: time.clock, scheduler: time.scheduler, checkpoints })
  let overflow = 0
  for (const node of sample.nodes) {
    const step = (inputs: readonly Msg[]): void => {
      trace.get(node.name)?.push(line(inputs))
      const { failAt } = options
      if (failAt?.node === node.name && failAt.timeTick === inputs[0]?.timeTick) throw new Error('told to fail')
      for (const { name, inputs: edges, maxQueueLength } of sample.nodes) {
        overflow = Math.max(overflow, (graph.states.nodes.get(name)?.queueDepth ?? 0) - edges.length * maxQueueLength)
      }
    }
    const made = node.inputs.length === 0 ? sampleSource(sample, node, options, step) : sampleOperator(sample, node, time, step, closedNodes)
    graph.addNode(wrap(made, node))
    graph.setEdges(node.name, node.inputs, node.outputs)
  }
  return { graph, trace, overflow: () => overflow, closedNodes }
}

function sampleSource(
  sample: SampleGraph,
  node: SampleNode,
  { time, above = -1n }: SampleRunOptions,
  step: (inputs: readonly Msg[]) => void,
): Node {
  const messages = node.messages.filter(({ timeTick }) => timeTick > above)
  const slowly = async function* (): AsyncIterable<Msg> {
    for (const msg of messages) {
      if (mix(sample.seed, node.name, msg.timeTick, 'source') % 3 === 0) await time.sleep(mix(sample.seed, node.name, msg.timeTick) % 20)
      yield msg
    }
  }
  return new (class extends InputNode<Msg> {
    override operate(inputs: readonly Msg[]): Msg | undefined {
      step(inputs)
      return inputs[0]
    }
  })(node.name, node.asyncPercent > 0 ? slowly : messages, (msg) => msg, node)
}

function sampleOperator(
  sample: SampleGraph,
  node: SampleNode,
  time: VirtualTime,
  step: (inputs: readonly Msg[]) => void,
  closedNodes: string[],
): Node {
  const operate: Parameters<typeof createNode>[1] = (inputs) => {
    step(inputs)
    const result = answer(sample, node, inputs)
    const chance = mix(sample.seed, node.name, inputs[0]?.timeTick ?? 0n, 'async')
    if (chance % 100 >= node.asyncPercent) return result
    return time.sleep(chance % 17).then(() => result)
  }
  return createNode(node.name, operate, {
    maxQueueLength: node.maxQueueLength,
    maxParallelism: node.maxParallelism,
    close: () => void closedNodes.push(node.name),
  })
}
