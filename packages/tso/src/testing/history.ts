/** What a set of oracles gave out, and whether it keeps their promises. Knows nothing of how an oracle works. */
import type { TimestampRange } from '../range.ts'
import { LOGICAL_BITS, MAX_LOGICAL, parseTimestamp } from '../timestamp.ts'

export interface ServedRange {
  readonly oracle: string
  readonly first: bigint
  readonly last: bigint
}

/** A call under way; {@link TimestampHistory.end} closes it. */
export interface OpenCall {
  readonly oracle: string
  /** The greatest timestamp that this oracle had returned when the call started. */
  readonly floor: bigint
}

export class TimestampHistory {
  readonly #served: ServedRange[] = []
  readonly #greatest = new Map<string, bigint>()
  readonly #epochs = new Map<string, number>()
  readonly violations: string[] = []

  get served(): readonly ServedRange[] {
    return this.#served
  }

  /** The oracle serves as the `epoch`th owner of the store: everything that it gives is above every earlier epoch's. */
  opened(oracle: string, epoch: number): void {
    this.#epochs.set(oracle, epoch)
  }

  start(oracle: string): OpenCall {
    return { oracle, floor: this.#greatest.get(oracle) ?? -1n }
  }

  /** @param windowEndMs what the store held at this moment, if it is known: physical parts are below it. */
  end({ oracle, floor }: OpenCall, range: TimestampRange, count: number, windowEndMs?: number): void {
    const { first, last } = range
    if (range.count !== count) this.#fault(`${oracle} gave ${range.count} timestamps instead of ${count}`)
    if (first <= floor) this.#fault(`${oracle} gave ${show(first)} after it had returned ${show(floor)}`)
    const { physicalMs, logical } = parseTimestamp(first)
    if (first >> BigInt(LOGICAL_BITS) !== last >> BigInt(LOGICAL_BITS)) this.#fault(`${oracle} gave a range over two milliseconds`)
    if (logical < 1 || logical + count - 1 > MAX_LOGICAL) this.#fault(`${oracle} gave logical parts from ${logical} on, ${count} of them`)
    if (windowEndMs !== undefined && physicalMs >= windowEndMs) this.#fault(`${oracle} gave ${show(first)}, not below the saved ${windowEndMs}`)
    this.#served.push({ oracle, first, last })
    if (last > (this.#greatest.get(oracle) ?? -1n)) this.#greatest.set(oracle, last)
  }

  /** Every promise that takes the whole history: call it at the end. */
  check(): readonly string[] {
    const byFirst = [...this.#served].sort((a, b) => (a.first < b.first ? -1 : 1))
    for (const [index, range] of byFirst.entries()) {
      const next = byFirst[index + 1]
      if (next !== undefined && next.first <= range.last) this.#fault(`${show(next.first)} was given by ${range.oracle} and by ${next.oracle}`)
    }
    let highest = { epoch: -1, oracle: '', last: -1n }
    for (const { oracle, first, last } of byFirst) {
      const epoch = this.#epochs.get(oracle)
      if (epoch === undefined) continue
      if (epoch < highest.epoch) this.#fault(`${oracle}, fenced by ${highest.oracle}, gave ${show(first)} above its ${show(highest.last)}`)
      else highest = { epoch, oracle, last }
    }
    return this.violations
  }

  #fault(text: string): void {
    if (this.violations.length < 20) this.violations.push(text)
  }
}

function show(ts: bigint): string {
  if (ts < 0n) return 'nothing'
  const { physicalMs, logical } = parseTimestamp(ts)
  return `${physicalMs}+${logical}`
}
