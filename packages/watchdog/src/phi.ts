/**
 * Suspicion as a number that rises with silence (Hayashibara's phi-accrual detector, with the guards of Akka): -log10 of the chance that
 * a beat still comes, if intervals are as they were. 8 means one false alarm in 10^8 beats, if they are normally distributed.
 */
import { checkDuration, checkInteger, checkObject, describeValue } from './arguments.ts'

export interface PhiOptions {
  /** Above it a component is silent. @default 8 */
  readonly threshold?: number | undefined
  /** Intervals that are remembered. @default 200 */
  readonly window?: number | undefined
  /** Regular beats must not make the detector nervous. @default 100 */
  readonly minStdDevMs?: number | undefined
  /** Added to the expected interval: for pauses of the collector, say. @default 0 */
  readonly acceptablePauseMs?: number | undefined
  /** Before so many intervals only `timeoutMs` counts. @default 5 */
  readonly minSamples?: number | undefined
}

export interface PhiSettings {
  readonly threshold: number
  readonly window: number
  readonly minStdDevMs: number
  readonly acceptablePauseMs: number
  readonly minSamples: number
}

export const MAX_PHI = 300

export function readPhi(options: PhiOptions): PhiSettings {
  checkObject('phi', options)
  const threshold = options.threshold ?? 8
  if (typeof threshold !== 'number' || !(threshold > 0 && threshold <= MAX_PHI))
    throw new RangeError(`expected \`phi.threshold\` to be above 0, at most ${MAX_PHI}, got ${describeValue(threshold)}`)
  return {
    threshold,
    window: checkInteger('phi.window', options.window ?? 200, 2, 10_000),
    minStdDevMs: checkDuration('phi.minStdDevMs', options.minStdDevMs ?? 100, 0.001),
    acceptablePauseMs: checkDuration('phi.acceptablePauseMs', options.acceptablePauseMs ?? 0),
    minSamples: checkInteger('phi.minSamples', options.minSamples ?? 5, 1, 10_000),
  }
}

/** The last intervals between beats. */
export class Intervals {
  readonly #settings: PhiSettings
  readonly #values: number[] = []
  #next = 0

  constructor(settings: PhiSettings) {
    this.#settings = settings
  }

  add(ms: number): void {
    this.#values[this.#next] = ms
    this.#next = (this.#next + 1) % this.#settings.window
  }

  /** 0 before there are enough intervals to judge by; at most {@link MAX_PHI}. */
  phi(silentMs: number): number {
    const { minSamples, minStdDevMs, acceptablePauseMs } = this.#settings
    const count = this.#values.length
    if (count < minSamples) return 0
    const mean = this.#values.reduce((sum, value) => sum + value, 0) / count
    const variance = this.#values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count
    return phiOf((silentMs - mean - acceptablePauseMs) / Math.max(Math.sqrt(variance), minStdDevMs))
  }
}

/** The logistic approximation of the normal distribution's tail; it would underflow, so far out it is capped. */
function phiOf(deviations: number): number {
  const e = Math.exp(-deviations * (1.5976 + 0.070566 * deviations * deviations))
  if (deviations > 0) return e === 0 ? MAX_PHI : Math.min(-Math.log10(e / (1 + e)), MAX_PHI)
  return Number.isFinite(e) ? Math.max(0, -Math.log10(1 - 1 / (1 + e))) : 0
}
