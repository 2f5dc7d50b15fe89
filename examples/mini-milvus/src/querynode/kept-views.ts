/**
 * Segments that moments look at. One that its shard has let go, since its rows are in other segments now, stays for as long as a moment
 * that is kept looks at it. What stays for that reason alone is bounded: beyond it the moment that was looked at longest ago ends.
 */
import type { SegmentView } from './segment-view.ts'

export interface KeepableView extends SegmentView {
  /** About. */
  readonly bytes: number
  release(): void
}

/** A moment that can be ended before its time. */
export interface EndableMoment {
  end(): void
}

/** That a row died, and when. */
const BYTES_PER_DEATH = 64

export class KeptViews {
  readonly #maxBytes: number
  readonly #holders = new Map<KeepableView, number>()
  readonly #letGo = new Set<KeepableView>()
  /** Deaths that are remembered for moments, of each collection. */
  readonly #deaths = new Map<object, number>()
  /** The one that was looked at longest ago first. */
  readonly #moments = new Set<EndableMoment>()
  #bytes = 0

  constructor(maxBytes = Infinity) {
    this.#maxBytes = maxBytes
  }

  /** Of what is here for the sake of moments alone. */
  get bytes(): number {
    let deaths = 0
    for (const count of this.#deaths.values()) deaths += count
    return this.#bytes + deaths * BYTES_PER_DEATH
  }

  get moments(): number {
    return this.#moments.size
  }

  hold(views: readonly KeepableView[]): void {
    for (const view of views) this.#holders.set(view, (this.#holders.get(view) ?? 0) + 1)
  }

  release(views: readonly KeepableView[]): void {
    for (const view of views) {
      const left = (this.#holders.get(view) ?? 0) - 1
      if (left > 0) {
        this.#holders.set(view, left)
        continue
      }
      this.#holders.delete(view)
      if (!this.#letGo.delete(view)) continue
      this.#bytes -= view.bytes
      view.release()
    }
  }

  /** Its shard does not need it any more. */
  letGo(view: KeepableView): void {
    if (!this.#holders.has(view)) return view.release()
    if (this.#letGo.has(view)) return
    this.#letGo.add(view)
    this.#bytes += view.bytes
    this.#bound()
  }

  /** So many deaths of a collection are remembered by now. */
  countDeaths(owner: object, count: number): void {
    if (count === 0) this.#deaths.delete(owner)
    else this.#deaths.set(owner, count)
    this.#bound()
  }

  /** It is looked at: of those that may have to end it is the last now. */
  looked(moment: EndableMoment): void {
    this.#moments.delete(moment)
    this.#moments.add(moment)
  }

  ended(moment: EndableMoment): void {
    this.#moments.delete(moment)
  }

  #bound(): void {
    for (const moment of this.#moments) {
      if (this.bytes <= this.#maxBytes) return
      moment.end()
    }
  }
}
