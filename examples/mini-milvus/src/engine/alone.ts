/**
 * Tells searches that come one after the other from those that come together. A search that comes alone is answered soonest in the
 * caller's own thread. Of several each would wait there for those before it, and so would everything else that the thread has to
 * do: workers answer a fifth more of them.
 */
export class Alone {
  readonly #afterTurn: (callback: () => void) => void
  #isTurn = false
  /** So many more have to come alone before one is believed to be alone. */
  #doubts = 0

  constructor(afterTurn: (callback: () => void) => void) {
    this.#afterTurn = afterTurn
  }

  /** Says that a search came, while others were in hand or not; true where it and those before it came alone. */
  came(isIdle: boolean): boolean {
    if (!isIdle || this.#isTurn) this.#doubts = DOUBTS
    else if (this.#doubts > 0) this.#doubts -= 1
    if (!this.#isTurn) {
      this.#isTurn = true
      this.#afterTurn(() => (this.#isTurn = false))
    }
    return this.#doubts === 0
  }
}

/** Of searches that come together so many do not follow each other by chance without two that meet. */
const DOUBTS = 32
