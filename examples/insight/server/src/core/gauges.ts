/**
 * Gauges: numbers that only count while they are new (lags, queues, beats). The latest by key, and a short history for charts;
 * they are no events and have no sequence.
 */
export type GaugeSample = readonly [ts: number, value: number]

/** 15 minutes of seconds, 24 hours of minutes. */
const FINE = { stepMs: 1000, length: 900 }
const COARSE = { stepMs: 60_000, length: 1440 }
/** So that a source that invents keys cannot fill the memory: the oldest key goes. */
const MAX_KEYS = 2000

class Series {
  readonly #stepMs: number
  readonly #values: Float64Array
  readonly #times: Float64Array

  constructor({ stepMs, length }: { readonly stepMs: number; readonly length: number }) {
    this.#stepMs = stepMs
    this.#values = new Float64Array(length)
    this.#times = new Float64Array(length)
  }

  /** The last value of a step stands for it. */
  put(ts: number, value: number): void {
    const step = Math.floor(ts / this.#stepMs)
    const at = step % this.#times.length
    this.#times[at] = step * this.#stepMs
    this.#values[at] = value
  }

  from(ts: number): GaugeSample[] {
    const samples: GaugeSample[] = []
    for (const [at, time] of this.#times.entries()) if (time > 0 && time >= ts) samples.push([time, this.#values[at] as number])
    return samples.sort(([a], [b]) => a - b)
  }
}

export class GaugeBoard {
  readonly #latest = new Map<string, GaugeSample>()
  readonly #fine = new Map<string, Series>()
  readonly #coarse = new Map<string, Series>()
  readonly #listeners = new Set<(key: string, sample: GaugeSample) => void>()

  put(key: string, value: number, ts: number): void {
    if (!Number.isFinite(value)) return
    const sample: GaugeSample = [ts, value]
    // Written last, so that the first is the one that was not written for the longest time.
    this.#latest.delete(key)
    this.#latest.set(key, sample)
    if (this.#latest.size > MAX_KEYS) this.#forgetOldest()
    seriesOf(this.#fine, key, FINE).put(ts, value)
    seriesOf(this.#coarse, key, COARSE).put(ts, value)
    for (const listener of this.#listeners) listener(key, sample)
  }

  latest(): ReadonlyMap<string, GaugeSample> {
    return this.#latest
  }

  /** In seconds while they are kept, else in minutes. */
  history(key: string, from: number, now: number): GaugeSample[] {
    const isRecent = now - from <= FINE.stepMs * FINE.length
    return ((isRecent ? this.#fine : this.#coarse).get(key)?.from(from) ?? []).slice()
  }

  listen(listener: (key: string, sample: GaugeSample) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #forgetOldest(): void {
    const [oldest] = this.#latest.keys()
    if (oldest === undefined) return
    for (const map of [this.#latest, this.#fine, this.#coarse]) map.delete(oldest)
  }
}

function seriesOf(map: Map<string, Series>, key: string, shape: { readonly stepMs: number; readonly length: number }): Series {
  let series = map.get(key)
  if (series === undefined) map.set(key, (series = new Series(shape)))
  return series
}
