/**
 * Substring search over many short texts, each at a place of its own: one long text of them all, and where each begins. Building it
 * costs 10 ms for 100,000, so changes lie beside it and are merged when they are many.
 */
const MAX_CHANGES = 1000
const SEPARATOR = '\n'

export class NameIndex {
  #joined = SEPARATOR
  /** Where each text of the long one begins, and whose it is. */
  #starts = new Uint32Array(0)
  #slots = new Uint32Array(0)
  /** Texts of the long one that no longer count. */
  #stale = new Uint8Array(0)
  #staleCount = 0
  /** Where a slot's text lies among them; -1: nowhere. */
  #places: number[] = []
  readonly #texts: (string | undefined)[] = []
  /** Slots whose text is newer than the long one. */
  readonly #changed = new Set<number>()

  set(slot: number, text: string): void {
    this.#retire(slot)
    this.#changed.add(slot)
    this.#texts[slot] = text.replaceAll(SEPARATOR, ' ')
  }

  delete(slot: number): void {
    this.#retire(slot)
    this.#changed.delete(slot)
    this.#texts[slot] = undefined
  }

  /** Visits the slots of the texts that contain the part, which is in lower case and not empty. */
  find(part: string, visit: (slot: number) => void): void {
    if (part.includes(SEPARATOR)) return
    if (this.#changed.size + this.#staleCount > MAX_CHANGES) this.#rebuild()
    const joined = this.#joined
    const starts = this.#starts
    let place = 0
    for (let at = joined.indexOf(part, 1); at !== -1; ) {
      while (place + 1 < starts.length && (starts[place + 1] as number) <= at) place++
      if (this.#stale[place] === 0) visit(this.#slots[place] as number)
      if (place + 1 >= starts.length) break
      at = joined.indexOf(part, starts[place + 1])
    }
    for (const slot of this.#changed) if (this.#texts[slot]?.includes(part) === true) visit(slot)
  }

  #retire(slot: number): void {
    const place = this.#places[slot] ?? -1
    if (place === -1) return
    this.#stale[place] = 1
    this.#staleCount++
    this.#places[slot] = -1
  }

  #rebuild(): void {
    const slots = this.#texts.flatMap((text, slot) => (text === undefined ? [] : [slot]))
    this.#slots = Uint32Array.from(slots)
    this.#starts = new Uint32Array(slots.length)
    this.#stale = new Uint8Array(slots.length)
    this.#staleCount = 0
    this.#places = []
    let length = 1
    for (const [place, slot] of slots.entries()) {
      this.#starts[place] = length
      this.#places[slot] = place
      length += (this.#texts[slot] as string).length + 1
    }
    this.#joined = SEPARATOR + slots.map((slot) => this.#texts[slot]).join(SEPARATOR)
    this.#changed.clear()
  }
}
