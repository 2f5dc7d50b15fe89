/** The saved upper bound of a hybrid logical clock (as CockroachDB's): what is given stays below it, so a later life starts above. */
import type { Clock } from './clock.ts'
import { TsoError } from './errors.ts'
import type { TsoStore } from './store.ts'
import { WindowSaver } from './window-saver.ts'

/** What a clock asks of its bound. */
export interface PhysicalBound {
  /** Everything of the lives before is below. */
  readonly startMs: number
  /** Saved: physical parts stay below. */
  readonly endMs: number
  /** `wallMs`, or the last millisecond below the bound; a save beyond it is under way then. */
  reach(wallMs: number): number
  /** Why `physicalMs` cannot be given; a save beyond it is under way then. */
  refuse(physicalMs: number): TsoError
}

export interface HlcBoundOptions {
  readonly kv: TsoStore
  readonly key: string
  readonly owner: string
  readonly clock: Clock
  readonly saveIntervalMs: number
  /** What a peer may be ahead of the clock: the bound is kept further ahead, so that `observe` has room. */
  readonly maxOffsetMs: number
  readonly saveTimeoutMs: number
  readonly onSaveFailed: ((error: unknown) => void) | undefined
}

const OPEN_ATTEMPTS = 5

export class HlcBound implements PhysicalBound {
  startMs = 0
  endMs = 0
  readonly #options: HlcBoundOptions
  readonly #aheadMs: number
  readonly #saver: WindowSaver
  readonly #closing = new AbortController()
  #saving: Promise<void> | undefined
  #failure: TsoError | undefined
  #cancelTick: (() => void) | undefined

  constructor(options: HlcBoundOptions) {
    this.#options = options
    this.#aheadMs = options.saveIntervalMs + options.maxOffsetMs
    this.#saver = new WindowSaver({ ...options, closing: this.#closing.signal, onRecreate: () => undefined })
  }

  /** @param reach waits until the wall clock is at the end of the life before, and gives the wall time. */
  async open(reach: (endMs: number) => Promise<number>): Promise<void> {
    for (let attempt = 0; attempt < OPEN_ATTEMPTS; attempt++) {
      const record = await this.#saver.loadTimestamp()
      const startMs = record?.endMs ?? 0
      const endMs = (await reach(startMs)) + this.#aheadMs
      if (!(await this.#saver.takeOver(endMs, record))) continue
      this.startMs = startMs
      this.endMs = endMs
      return
    }
    throw new TsoError('TSO_FENCED', `others took \`${this.#options.key}\` over ${OPEN_ATTEMPTS} times`, { retryable: true, outcome: 'unknown' })
  }

  /** From now on the bound is kept ahead of the clock, also when nobody asks for the time. */
  keepAhead(readWall: () => number): void {
    const { clock, saveIntervalMs } = this.#options
    this.#cancelTick = clock.setTimer(() => {
      const wall = readWall()
      if (this.endMs - wall <= this.#aheadMs - saveIntervalMs / 4) this.#save(wall)
      this.keepAhead(readWall)
    }, Math.ceil(saveIntervalMs / 4))
  }

  reach(wallMs: number): number {
    if (wallMs < this.endMs) return wallMs
    this.#save(wallMs)
    return this.endMs - 1
  }

  refuse(physicalMs: number): TsoError {
    this.#save(physicalMs)
    const options = { cause: this.#failure, retryable: this.#failure?.retryable ?? true, details: { boundMs: this.endMs } }
    return new TsoError('TSO_UNAVAILABLE', `the saved bound ${this.endMs} ms is reached, and a greater one is not saved yet`, options)
  }

  async close(): Promise<void> {
    this.#cancelTick?.()
    if (!this.#closing.signal.aborted) this.#closing.abort(new TsoError('TSO_CLOSED', 'the clock was closed'))
    await this.#saving
  }

  /** One save at a time; never rejects. */
  #save(beyondMs: number): void {
    this.#saving ??= this.#extend(beyondMs + this.#aheadMs).finally(() => (this.#saving = undefined))
  }

  async #extend(endMs: number): Promise<void> {
    if (endMs <= this.endMs) return
    try {
      await this.#saver.saveTimestamp(endMs)
      this.endMs = Math.max(this.endMs, endMs)
      this.#failure = undefined
    } catch (error) {
      if (this.#closing.signal.aborted) return
      this.#failure = error instanceof TsoError ? error : new TsoError('TSO_UNAVAILABLE', 'the bound could not be saved', { cause: error })
      try {
        this.#options.onSaveFailed?.(error)
      } catch {
        // A listener's mistake must not stop the clock.
      }
    }
  }
}
