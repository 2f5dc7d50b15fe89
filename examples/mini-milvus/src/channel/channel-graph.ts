/** A flow graph over one log channel: an aligned stream from a position, then a chain of operators. */
import { createTimeTickedFlowGraph, InputNode, type Node, type TimeTickedFlowGraph } from '@timetick/flowgraph'
import { openTtMsgStream, type Mq, type MsgPosition, type TtMsgStream } from '@timetick/msgstream'
import type { NodeClock } from '../edge/system.ts'
import type { TransactionReader } from '../staging/transactions.ts'
import { toDmlPack } from './dml-pack.ts'

export interface ChannelGraphOptions {
  readonly mq: Mq
  readonly channel: string
  /** Role and channel, for states and metrics. */
  readonly subscription: string
  /** Without it: from the channel's first frame. */
  readonly position: MsgPosition | undefined
  /** Operators in order; each gets `DmlPack`s. */
  readonly nodes: readonly Node[]
  readonly clock: NodeClock
  /** Parts of transactions are left out without it. */
  readonly transactions?: TransactionReader | undefined
  /** The graph stopped by itself: a bug or a broken log. Never called after `close`. */
  readonly onFailure: (error: Error) => void
}

export interface ChannelGraph {
  readonly stream: TtMsgStream
  readonly graph: TimeTickedFlowGraph
  close(): Promise<void>
}

export async function openChannelGraph(options: ChannelGraphOptions): Promise<ChannelGraph> {
  const { mq, channel, subscription, position, nodes, clock, transactions, onFailure } = options
  const stream = await openTtMsgStream({ mq, clock })
  await stream.asConsumer([channel], position === undefined ? { subscription, from: 'earliest' } : { subscription, positions: [position] })
  const input = new InputNode(`${subscription}/input`, stream, (pack) => toDmlPack(pack, transactions))
  const chain: readonly Node[] = [input, ...nodes]
  const graph = createTimeTickedFlowGraph({ clock })
  for (const node of chain) graph.addNode(node)
  chain.forEach((node, index) => graph.setEdges(node.name, names(chain[index - 1]), names(chain[index + 1])))
  graph.start()
  let closing = false
  void graph.closed.then((error) => {
    if (!closing) onFailure(error ?? new Error(`the stream of ${channel} ended`))
  })
  return {
    stream,
    graph,
    async close() {
      closing = true
      await stream.close()
      await graph.close({ drain: false })
    },
  }
}

function names(node: Node | undefined): string[] {
  return node === undefined ? [] : [node.name]
}
