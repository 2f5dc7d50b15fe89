/** Pauses between attempts that can be cut short, when there is nothing to try any more. */
import type { NodeClock } from '../edge/system.ts'

export class Pauses {
  readonly #clock: Pick<NodeClock, 'setTimer'>
  readonly #wakes = new Set<() => void>()

  constructor(clock: Pick<NodeClock, 'setTimer'>) {
    this.#clock = clock
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel()
        this.#wakes.delete(wake)
        resolve()
      }
      const cancel = this.#clock.setTimer(wake, ms)
      this.#wakes.add(wake)
    })
  }

  /** Ends those that are under way. */
  wake(): void {
    for (const wake of this.#wakes) wake()
  }
}

/** Whether a write was surely not done: only an error that says so is believed. */
export function isNotApplied(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'outcome' in error && error.outcome === 'not-applied'
}
