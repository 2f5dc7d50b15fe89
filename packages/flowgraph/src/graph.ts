/// <reference lib="esnext.disposable" />
/**
 * The contract of a time-ticked flow graph (appendix A.4).
 *
 * A graph is a DAG of nodes. Sources bring in messages with strictly rising ticks; every step of a node sends exactly one
 * message down each of its out edges, so that time moves on every path, also where there is nothing to say.
 *
 * - A join Must run at the smallest tick among the heads of its inputs, once every input has a head or has ended; inputs that
 *   are ahead take part with a skip marker and keep their message. Nothing is discarded, and an input that jumps ticks stalls nobody
 *   (Milvus compares with the largest tick, throws away what is below and panics after 10 s).
 * - A node Must see ticks in rising order, and so Must everything below it, whatever `maxParallelism` is.
 * - An operator that returns nothing Must cost its downstreams nothing but the content: a skip marker travels instead (in Milvus
 *   nothing was sent and joins went out of step).
 * - An edge Must hold no more than its receiver's `maxQueueLength` messages; a full edge stops the sender, up to the source.
 *   Since each step feeds every edge with a rising tick, bounded edges cannot lock each other.
 * - End of stream travels in band, behind the last message. A join goes on with the inputs that are left (an ended input is
 *   at infinity), and ends when all have ended.
 * - A source that is silent holds back the joins below it, and nothing else. Who wants otherwise sends skip markers.
 * - A throw anywhere Must stop the whole graph at once: `closed` tells the node, the tick, the cause and the last whole tick.
 *   Sinks may have seen ticks above the last whole tick: a restart repeats them.
 * - A graph Must not hold the event loop longer than a slice plus one `operate`.
 */
import type { Clock } from './clock.ts'
import type { Checkpoint, CheckpointStore } from './checkpoint.ts'
import type { DescribeOptions, GraphDescription } from './describe.ts'
import type { Node } from './node.ts'
import type { Scheduler } from './scheduler.ts'
import type { FlowGraphStates } from './states.ts'
import type { TracerLike } from './tracing.ts'

export interface FlowGraphOptions {
  /** @default the system's */
  readonly clock?: Clock | undefined
  /** @default setImmediate */
  readonly scheduler?: Scheduler | undefined
  /** How long to run before the event loop gets a turn: 0 to 10 ms. @default 5 */
  readonly sliceMs?: number | undefined
  /** How long a failed or aborted graph waits for running operators and `close` of nodes. @default 30_000 */
  readonly closeTimeoutMs?: number | undefined
  /**
   * Save a checkpoint now and then, and one at the end: when all sources have ended, and after a `close()` that drained if all were cut at the same
   * tick (a graph with one source always is).
   */
  readonly checkpoints?: CheckpointOptions | undefined
  /** A `Tracer` of OpenTelemetry: each call of `operate` is a span, active while it runs. Must not throw. */
  readonly tracer?: TracerLike | undefined
  /** Called synchronously each time the last whole tick rises. A throw stops the graph with `FLOW_LISTENER_FAILED`. */
  readonly onFrontier?: ((tick: bigint) => void) | undefined
}

export interface CheckpointOptions {
  readonly store: CheckpointStore
  /** From the end of one to the begin of the next; 0: only when `checkpoint()` is called, and at the end. @default 10_000 */
  readonly intervalMs?: number | undefined
}

export interface StartOptions {
  /** Begin from this checkpoint: states are restored, messages at or below its tick are dropped at the sources. */
  readonly from?: Checkpoint | undefined
  /** Aborting it closes the graph without draining; `closed` then gives the reason. */
  readonly signal?: AbortSignal | undefined
}

export interface CloseOptions {
  /** Process what the sources have handed over (default), or drop it. */
  readonly drain?: boolean | undefined
  /** When this has passed, what is left is dropped and `closed` gives `FLOW_CLOSE_TIMEOUT`. @default `closeTimeoutMs` */
  readonly timeoutMs?: number | undefined
}

export interface TimeTickedFlowGraph extends AsyncDisposable {
  readonly states: FlowGraphStates
  /**
   * Resolves when the graph has ended and every node is closed: with `undefined` after a close or when all sources ended,
   * with the reason otherwise. Never rejects.
   */
  readonly closed: Promise<Error | undefined>
  /** Before start. Throws `FLOW_DUPLICATE_NODE`. */
  addNode(node: Node): void
  /**
   * Once for each node, before start; both ends name an edge. `inputs` orders the inputs of `operate`, `outputs` is what
   * results and `downStreamNodeIdx` count. A node without edges need not be named. Throws `FLOW_DUPLICATE_EDGE`.
   */
  setEdges(name: string, inputs: readonly string[], outputs: readonly string[]): void
  /**
   * Check the graph, then run it; the first step comes in a later turn of the event loop. A faulty graph throws the code of its first
   * problem, with all of them in the message: `FLOW_UNKNOWN_NODE`, `FLOW_EDGE_MISMATCH`, `FLOW_NO_SOURCE`, `FLOW_CYCLE`,
   * `FLOW_UNREACHABLE`.
   * Several sources are fine; each node must be reached from at least one. An aborted signal throws its reason.
   */
  start(options?: StartOptions): void
  /**
   * Stop reading sources, then let the end run through the graph behind the last message (or, with `drain: false`, drop what waits and
   * abort the operators' signal), close every node. Resolves when `closed` has; never rejects, `closed` tells how it went.
   * A second call waits for the first; `drain: false` cuts a running drain short. Do not await it inside an operator:
   * it waits for you.
   */
  close(options?: CloseOptions): Promise<void>
  /**
   * A consistent cut of the running graph at the newest tick that a source has brought, saved if the graph has a store. Barriers travel
   * to all nodes while the graph runs on; a source that is behind that tick must pass it or end first. Calls at the same time share one.
   * Rejects when the graph ends before it is whole, and while it drains.
   */
  checkpoint(): Promise<Checkpoint>
  /** The graph as data and as Mermaid text; with `counters`, the text has each node's numbers of this moment. */
  describe(options?: DescribeOptions): GraphDescription
}
