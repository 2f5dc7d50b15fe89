/** A sample graph as a real one. */
import { createTimeTickedFlowGraph } from '../flow-graph.ts'
import type { CheckpointOptions, TimeTickedFlowGraph } from '../graph.ts'
import { InputNode } from '../input-node.ts'
import type { ErrorPolicy } from '../error-policy.ts'
import type { Msg, OperateResult } from '../msg.ts'
import type { Node } from '../node.ts'
import { createNode } from '../operator-node.ts'
import { line } from './model.ts'
import type { Trace } from './model.ts'
import { answer, failuresAt } from './random-dag.ts'
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
  const calls = new Map<bigint, number>()
  const operate: Parameters<typeof createNode>[1] = (inputs) => {
    const timeTick = inputs[0]?.timeTick ?? 0n
    const call = (calls.get(timeTick) ?? 0) + 1
    calls.set(timeTick, call)
    if (call === 1) step(inputs)
    const isFailing = call <= failuresAt(sample, node, timeTick)
    const result = (): OperateResult => {
      if (isFailing) throw new Error('failing now and then')
      calls.delete(timeTick)
      return answer(sample, node, inputs)
    }
    const chance = mix(sample.seed, node.name, timeTick, 'async')
    return chance % 100 >= node.asyncPercent ? result() : time.sleep(chance % 17).then(result)
  }
  const action = node.retries % 2 === 0 ? 'skip' : 'dead-letter'
  const policy: ErrorPolicy = { retries: node.retries, backoffMs: 3, action, deadLetter: ({ timeTick }) => time.sleep(Number(timeTick % 5n)) }
  return createNode(node.name, operate, {
    onError: node.failPercent > 0 ? policy : undefined,
    maxQueueLength: node.maxQueueLength,
    maxParallelism: node.maxParallelism,
    close: () => void closedNodes.push(node.name),
  })
}
