/** Time as the packages take it: real in production, simulated in tests. */
export interface Clock {
  /** Wall time, ms since 1970. May jump. */
  now(): number
  /** Monotonic time in ms from an arbitrary start. */
  monotonic(): number
  /** Call `callback` once after `delayMs`; the result cancels it. Must not keep a process alive. */
  setTimer(callback: () => void, delayMs: number): () => void
  /**
   * Ms since the machine was started, with what it slept, whatever the wall clock was set to. Optional: without it a sleep that
   * follows a step of the wall clock back at once is not noticed by a leader.
   */
  uptime?(): number
}
