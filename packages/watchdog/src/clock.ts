/** Time as the packages take it: real in production, simulated in tests. */
export interface Clock {
  /** Wall time, ms since 1970. May jump. */
  now(): number
  /** Monotonic time in ms from an arbitrary start. */
  monotonic(): number
  /** Call `callback` once after `delayMs`; the result cancels it. Must not keep a process alive. */
  setTimer(callback: () => void, delayMs: number): () => void
}
