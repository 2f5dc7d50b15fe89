/** What a step needs of the graph it runs in. */
import type { Clock } from './clock.ts'
import type { FlowGraphErrorCode } from './errors.ts'
import type { Cut } from './cut.ts'
import type { TracerLike } from './tracing.ts'
import type { Vertex } from './vertex.ts'

export interface Core {
  readonly clock: Clock
  readonly vertices: readonly Vertex[]
  readonly sinks: readonly Vertex[]
  readonly signal: AbortSignal
  readonly tracer: TracerLike | undefined
  /** Nothing may be begun or sent any more. */
  readonly stopped: boolean
  /** Promises of `operate` that are out, over all nodes. */
  running: number
  startTick: bigint
  /** The checkpoint that is being taken. */
  cut: Cut | undefined
  frontier: bigint
  /** This vertex may have something to do. */
  mark(vertex: Vertex): void
  /** Do what there is to do, unless it is being done. */
  run(): void
  /** Record the first failure and stop. */
  fail(code: FlowGraphErrorCode, message: string, vertex: Vertex | undefined, tick: bigint | undefined, cause?: unknown): void
  /** A promise of `operate` settled after the stop. */
  settled(): void
  /** Call the node's `close` unless it was called; a promise if it gave one. Never rejects. */
  closeNode(vertex: Vertex): Promise<void> | undefined
  /** A vertex has told its downstreams of its end. */
  finished(): void
  frontierRose(): void
}
