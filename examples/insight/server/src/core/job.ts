/**
 * The job that keeps a layer up to date: rounds that never overlap, with a pause of their own, and longer pauses after failures.
 * No cron: a tick that is not awaited overlaps, and a throw in it ends the process.
 */
import type { Clock } from './model.ts'

const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 60_000
const STOP_MS = 5000

export interface JobOptions {
  readonly clock: Clock
  /** In [0, 1): spreads the rounds of many jobs. */
  readonly random: () => number
  readonly intervalMs: number
  readonly run: (signal: AbortSignal) => Promise<void>
  readonly onSuccess: () => void
  readonly onFailure: (error: unknown) => void
}

export class RefreshJob {
  readonly #options: JobOptions
  readonly #abort = new AbortController()
  #running: Promise<void> | undefined
  #cancelTimer: (() => void) | undefined
  #failures = 0
  #wantsMore = false

  constructor(options: JobOptions) {
    this.#options = options
  }

  /** A round now, or after the one that runs. Resolves when it ended, well or not. */
  poke(): Promise<void> {
    if (this.#abort.signal.aborted) return Promise.resolve()
    if (this.#running !== undefined) {
      this.#wantsMore = true
      return this.#running
    }
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#running = this.#round()
    return this.#running
  }

  /** No round after this; resolves when the running one ended, or 5 s after it was aborted. */
  async stop(): Promise<void> {
    this.#abort.abort(new Error('the job was stopped'))
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    const running = this.#running
    if (running === undefined) return
    let cancel = (): void => undefined
    const tooLong = new Promise<void>((resolve) => {
      cancel = this.#options.clock.setTimer(resolve, STOP_MS)
    })
    await Promise.race([running, tooLong])
    cancel()
  }

  async #round(): Promise<void> {
    const { run, onSuccess, onFailure } = this.#options
    const { signal } = this.#abort
    try {
      await run(signal)
      this.#failures = 0
      if (!signal.aborted) onSuccess()
    } catch (error) {
      this.#failures++
      if (!signal.aborted) onFailure(error)
    } finally {
      this.#running = undefined
      if (!signal.aborted) this.#rest()
    }
  }

  #rest(): void {
    const { clock, random, intervalMs } = this.#options
    const backOff = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.#failures - 1))
    const pause = this.#failures > 0 ? Math.max(backOff, Math.min(intervalMs, LONGEST_PAUSE_MS)) : this.#wantsMore ? 0 : intervalMs
    this.#wantsMore = false
    this.#cancelTimer = clock.setTimer(() => void this.poke(), pause * (0.9 + 0.2 * random()))
  }
}
