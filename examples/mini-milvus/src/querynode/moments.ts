/**
 * Moments that are looked at more than once, by one call or by the pages of an iterator. From the time that one is kept, deaths are
 * remembered with their timestamps, and the segments that it looks at stay, whatever is flushed and compacted: so what lived then can be
 * told later. Where nobody keeps a moment this costs nothing.
 */
import type { NodeClock } from '../edge/system.ts'
import type { Moment, ReadRequest } from './api.ts'
import type { KeptPart } from './kept-parts.ts'
import type { EndableMoment, KeptViews } from './kept-views.ts'
import { channelsOf } from './load-rules.ts'
import type { LoadedCollection } from './loaded-collection.ts'
import type { ServiceTimes } from './service-times.ts'

export interface MomentsOptions {
  readonly clock: Pick<NodeClock, 'setTimer' | 'monotonic'>
  readonly views: KeptViews
  /** Deaths that are older than all moments need not be remembered any more. */
  readonly onEnd: () => void
}

/** Of a collection: one more ends the one that was looked at longest ago. */
const MAX_PAGED = 256

export class Moments {
  readonly #options: MomentsOptions
  readonly #open = new Map<string, OpenMoment>()
  /** Calls that wait for their moment to come. */
  #waiting = 0

  constructor(options: MomentsOptions) {
    this.#options = options
  }

  /** Somebody will look at the present again. */
  get isKept(): boolean {
    return this.#waiting > 0 || this.#open.size > 0
  }

  /** Deaths at or below are of no interest to anybody. Undefined: all may be of interest. */
  get forgettable(): bigint | undefined {
    if (this.#waiting > 0) return undefined
    let oldest: bigint | undefined
    for (const { ts } of this.#open.values()) if (oldest === undefined || ts < oldest) oldest = ts
    return oldest ?? END_OF_TIME
  }

  /** The segments of a moment that is kept. This is a look at it. @param scope what of the moment; '' : all of it */
  look(ts: bigint, scope = ''): readonly KeptPart[] | undefined {
    const moment = this.#open.get(`${ts}/${scope}`)
    moment?.looked()
    return moment?.parts
  }

  /** From now on deaths are remembered. Who waits opens a moment or gives up. */
  wait(): { open(ts: bigint, parts: readonly KeptPart[], keepMs?: number): Moment; giveUp(): void } {
    this.#waiting++
    let isOver = false
    const stop = (): void => {
      if (isOver) return
      isOver = true
      this.#waiting--
    }
    return {
      open: (ts, parts, keepMs) => {
        stop()
        return this.open(ts, '', parts, keepMs)
      },
      giveUp: () => {
        stop()
        this.#forget()
      },
    }
  }

  /** @param keepMs it ends when nobody has looked at it for so long; without it at its release */
  open(ts: bigint, scope: string, parts: readonly KeptPart[], keepMs?: number): Moment {
    const key = `${ts}/${scope}`
    let moment = this.#open.get(key)
    if (moment === undefined) {
      this.#options.views.hold(parts.map(({ view }) => view))
      this.#open.set(key, (moment = new OpenMoment(ts, parts, this.#options, (ended) => this.#ended(key, ended))))
    }
    if (keepMs === undefined) return { ts, release: moment.share() }
    moment.keep(keepMs)
    const paged = [...this.#open.values()].filter(({ isPaged }) => isPaged)
    if (paged.length > MAX_PAGED) paged.reduce((oldest, other) => (other.lookedAt < oldest.lookedAt ? other : oldest)).end()
    return { ts, release: () => undefined }
  }

  /** Nothing of the collection is as it was. */
  endAll(): void {
    for (const moment of this.#open.values()) moment.end()
  }

  #ended(key: string, { parts }: OpenMoment): void {
    this.#open.delete(key)
    this.#options.views.release(parts.map(({ view }) => view))
    this.#forget()
  }

  #forget(): void {
    if (this.#waiting === 0) this.#options.onEnd()
  }
}

const END_OF_TIME = 2n ** 64n

class OpenMoment implements EndableMoment {
  readonly ts: bigint
  readonly parts: readonly KeptPart[]
  /** Monotonic ms. */
  lookedAt = 0
  readonly #options: MomentsOptions
  readonly #onEnd: (moment: OpenMoment) => void
  #calls = 0
  #keepMs: number | undefined
  #cancel: (() => void) | undefined
  #isOver = false

  constructor(ts: bigint, parts: readonly KeptPart[], options: MomentsOptions, onEnd: (moment: OpenMoment) => void) {
    this.ts = ts
    this.parts = parts
    this.#options = options
    this.#onEnd = onEnd
  }

  get isPaged(): boolean {
    return this.#keepMs !== undefined
  }

  share(): () => void {
    this.#calls++
    let isReleased = false
    return () => {
      if (isReleased) return
      isReleased = true
      if (--this.#calls === 0 && this.#keepMs === undefined) this.end()
    }
  }

  keep(keepMs: number): void {
    if (this.#isOver) return
    this.#keepMs = Math.max(keepMs, this.#keepMs ?? 0)
    this.looked()
    this.#cancel ??= this.#options.clock.setTimer(() => this.#onTimer(), keepMs)
  }

  looked(): void {
    if (this.#keepMs === undefined) return
    this.lookedAt = this.#options.clock.monotonic()
    this.#options.views.looked(this)
  }

  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#cancel?.()
    this.#options.views.ended(this)
    this.#onEnd(this)
  }

  /** One timer, however many looks there are. */
  #onTimer(): void {
    const left = this.lookedAt + (this.#keepMs ?? 0) - this.#options.clock.monotonic()
    if (left > 0) {
      this.#cancel = this.#options.clock.setTimer(() => this.#onTimer(), left)
      return
    }
    if (this.#calls === 0) return this.end()
    // A call looks at it still: it ends with it.
    this.#keepMs = undefined
    this.#options.views.ended(this)
  }
}

/** Whatever died before this call died at or below what its channels have begun: a moment from there on can be told. */
export async function openMoment(loaded: LoadedCollection, serviceTimes: ServiceTimes, atLeast: bigint, { signal, keepMs }: Pick<ReadRequest, 'signal' | 'keepMs'>): Promise<Moment> {
  const waiting = loaded.moments.wait()
  try {
    const channels = channelsOf(loaded)
    const ts = [...channels].map((channel) => serviceTimes.of(channel).entered).reduce((latest, entered) => (entered > latest ? entered : latest), atLeast)
    await serviceTimes.wait(channels, ts, signal)
    return waiting.open(ts, loaded.partsAt(ts), keepMs)
  } finally {
    waiting.giveUp()
  }
}
