/** What a graph tells about itself while it runs (appendix A.4.1). */

/** One node. Counters count ticks since start. */
export interface NodeStates {
  /** Ticks in `operate` now. */
  readonly active: number
  /** Ticks that `operate` answered. */
  readonly completed: number
  /** Ticks that passed by because all inputs skipped. */
  readonly skipped: number
  /** Ticks this node gave up: by its error policy, or by stopping the graph. */
  readonly failed: number
  /** Calls of `operate` again after a failure, by its error policy. */
  readonly retried: number
  /** Messages that wait on this node's input edges. */
  readonly queueDepth: number
  /** The sum of their `byteLength`. */
  readonly queueBytes: number
  /** The last tick that left this node: no message at or below it follows. -1n before the first. */
  readonly frontier: bigint
  /** The last tick this node began. -1n before the first. */
  readonly lastTick: bigint
  /** How far `frontier` is behind the newest tick that a source brought, in ms; ticks are taken as hybrid timestamps (ms << 18). */
  readonly lagMs: number
  /** Milliseconds in which at least one `operate` of this node ran, its own delivery included. */
  readonly busyMs: number
  /** No input will come any more. */
  readonly ended: boolean
}

/** Live: every read of a property gives the state of that moment. The maps are copies, by node name in the order of addNode. */
export interface FlowGraphStates {
  /** The first tick that a source brought; -1n before. */
  readonly startTick: bigint
  readonly numActiveTasks: ReadonlyMap<string, number>
  readonly numCompletedTasks: ReadonlyMap<string, number>
  /** The last whole tick: all ticks up to it have left every sink. -1n before the first. */
  readonly frontier: bigint
  /** Messages on edges and ticks in `operate`, over the whole graph. */
  readonly inFlight: number
  readonly nodes: ReadonlyMap<string, NodeStates>
}
