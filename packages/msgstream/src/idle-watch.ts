/** Notices channels that bring nothing although they are read. */
import type { Aligner } from './aligner.ts'
import type { Clock } from './clock.ts'
import type { ChannelStall, IdlePolicy } from './reading.ts'

export interface IdleWatchOptions {
  readonly policy: IdlePolicy
  readonly clock: Clock
  readonly aligner: Aligner
  readonly onStall: ((stall: ChannelStall) => void) | undefined
  /** False for a channel that brings nothing because it is not asked to. */
  readonly isReading: (index: number) => boolean
  /** The frontier may have risen. */
  readonly onMoved: () => void
}

export class IdleWatch {
  readonly #options: IdleWatchOptions
  readonly #heard: number[]
  readonly #told: boolean[]
  #cancel: (() => void) | undefined

  constructor(options: IdleWatchOptions) {
    this.#options = options
    const now = options.clock.monotonic()
    this.#heard = options.aligner.channels.map(() => now)
    this.#told = options.aligner.channels.map(() => false)
  }

  start(): void {
    const now = this.#options.clock.monotonic()
    this.#heard.fill(now)
    this.#next()
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  /** This channel brought something. */
  heard(index: number): void {
    this.#heard[index] = this.#options.clock.monotonic()
    this.#told[index] = false
    this.#options.aligner.exclude(index, false)
  }

  #next(): void {
    this.#cancel = this.#options.clock.setTimer(() => {
      this.#next()
      this.#check()
    }, Math.max(1, this.#options.policy.afterMs / 4))
  }

  #check(): void {
    const { policy, clock, aligner, onStall, isReading, onMoved } = this.#options
    const now = clock.monotonic()
    const silent = this.#heard.map((heard, i) => {
      if (!isReading(i)) this.#heard[i] = now
      return isReading(i) && now - heard >= policy.afterMs
    })
    const stalls = silent.flatMap((isSilent, i) => (isSilent && aligner.isBehind(i) && this.#told[i] !== true ? [i] : []))
    // With everybody silent there is nothing to go on with.
    if (policy.mode === 'exclude' && silent.includes(false)) for (const [i, isSilent] of silent.entries()) if (isSilent) aligner.exclude(i, true)
    for (const i of stalls) {
      const { channel, tick } = aligner.channels[i] as Aligner['channels'][number]
      this.#told[i] = true
      onStall?.({ channel, tick, silentMs: now - (this.#heard[i] as number) })
    }
    onMoved()
  }
}
