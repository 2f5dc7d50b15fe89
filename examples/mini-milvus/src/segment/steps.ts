/**
 * Long work in slices: a generator that yields where others may have their turn. A segment is more than one turn of the event
 * loop may take; what is done between two yields is a few milliseconds, and counted in rows and bytes, never in time.
 */

/** Lets other work run. */
export type Pause = () => Promise<void>

/** Work that stops at every `yield`. */
export type Steps<T> = Generator<undefined, T, undefined>

/** Rows between two yields. */
export const STEP_ROWS = 16_384
/** Bytes between two yields, where rows are large. */
export const STEP_BYTES = 4 * 1024 * 1024
/** So many bytes copied cost as much as a row. */
const BYTES_PER_ROW = STEP_BYTES / STEP_ROWS

/** Runs the work, pausing at every yield. Rejects with the signal's reason when it is aborted meanwhile. */
export async function inTurns<T>(steps: Steps<T>, pause: Pause, signal?: AbortSignal): Promise<T> {
  for (;;) {
    signal?.throwIfAborted()
    const step = steps.next()
    if (step.done === true) return step.value
    await pause()
  }
}

/** Runs the work in one go. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/** Says when a step is full. */
export class StepMeter {
  #spent = 0

  /** @returns whether it is time to yield */
  spend(rows: number, bytes = 0): boolean {
    this.#spent += rows + bytes / BYTES_PER_ROW
    if (this.#spent < STEP_ROWS) return false
    this.#spent = 0
    return true
  }
}
