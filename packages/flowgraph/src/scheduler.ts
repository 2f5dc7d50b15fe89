/** How a graph gives the event loop a turn: `setImmediate` in production, a queue in tests. */
export interface Scheduler {
  /** Call `callback` once, in a later turn of the event loop; the result cancels it. */
  schedule(callback: () => void): () => void
  /** For tests: which of `count` nodes with something to do goes next, 0 to `count` - 1. Without it the one furthest down does. */
  readonly choose?: ((count: number) => number) | undefined
}
