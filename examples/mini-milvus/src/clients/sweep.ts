/** A round that comes again while there is something to look at. */
export interface Sweep {
  /** There is something to look at. */
  wake(): void
  stop(): void
}

interface SweepClock {
  monotonic(): number
  setTimer(callback: () => void, delayMs: number): () => void
}

/**
 * A round that is very late follows a process or machine that stood still: signs of life may wait in the sockets' buffers. It is left out,
 * and the next comes after them.
 *
 * @param round gives whether there is something left to look at
 */
export function createSweep(clock: SweepClock, intervalMs: number, round: () => boolean): Sweep {
  let cancel: (() => void) | undefined
  const arm = (): void => {
    const dueAt = clock.monotonic() + intervalMs
    cancel = clock.setTimer(() => {
      cancel = undefined
      const stoodStill = clock.monotonic() - dueAt > intervalMs
      if (stoodStill || round()) arm()
    }, intervalMs)
  }
  return {
    wake() {
      if (cancel === undefined) arm()
    },
    stop() {
      cancel?.()
      cancel = undefined
    },
  }
}
