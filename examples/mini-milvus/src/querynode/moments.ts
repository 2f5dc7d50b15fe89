/**
 * Moments that a call looks at more than once: from the time that one is kept, deaths are remembered with their timestamps, so that what
 * lived then can be told later. Where nobody keeps a moment this costs nothing.
 */
import type { Moment } from './api.ts'
import { channelsOf } from './load-rules.ts'
import type { LoadedCollection } from './loaded-collection.ts'
import type { ServiceTimes } from './service-times.ts'

export class Moments {
  readonly #open = new Map<bigint, number>()
  readonly #onIdle: () => void
  #count = 0

  /** @param onIdle deaths need not be remembered any more */
  constructor(onIdle: () => void) {
    this.#onIdle = onIdle
  }

  /** Somebody will look at the present again. */
  get isKept(): boolean {
    return this.#count > 0
  }

  has(ts: bigint): boolean {
    return this.#open.has(ts)
  }

  /** From now on deaths are remembered. Who keeps releases. */
  keep(): { at(ts: bigint): Moment; release(): void } {
    this.#count++
    let isOver = false
    let kept: bigint | undefined
    const release = (): void => {
      if (isOver) return
      isOver = true
      if (kept !== undefined) this.#add(kept, -1)
      if (--this.#count === 0) this.#onIdle()
    }
    return {
      release,
      at: (ts) => {
        this.#add((kept = ts), 1)
        return { ts, release }
      },
    }
  }

  #add(ts: bigint, by: number): void {
    const count = (this.#open.get(ts) ?? 0) + by
    if (count === 0) this.#open.delete(ts)
    else this.#open.set(ts, count)
  }
}

/** Whatever died before this call died at or below what its channels have begun: a moment from there on can be told. */
export async function openMoment(loaded: LoadedCollection, serviceTimes: ServiceTimes, atLeast: bigint, signal: AbortSignal): Promise<Moment> {
  const kept = loaded.moments.keep()
  try {
    const channels = channelsOf(loaded)
    const ts = [...channels].map((channel) => serviceTimes.of(channel).entered).reduce((latest, entered) => (entered > latest ? entered : latest), atLeast)
    await serviceTimes.wait(channels, ts, signal)
    return kept.at(ts)
  } catch (error) {
    kept.release()
    throw error
  }
}
