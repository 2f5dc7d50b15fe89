/**
 * Substring search over many short texts: one long text of them all, and where each begins. Building it costs 10 ms for 100,000,
 * so changes lie beside it and are merged when they are many.
 */
const MAX_CHANGES = 1000
const SEPARATOR = '\n'

export class NameIndex {
  #joined = SEPARATOR
  #starts = new Uint32Array(0)
  #keys: string[] = []
  /** Where a key lies in `#joined`. */
  #places = new Map<string, number>()
  /** Texts that are newer than the long text, by key. */
  readonly #changed = new Map<string, string>()
  /** Keys whose place in the long text does not count. */
  readonly #stale = new Set<number>()
  #texts = new Map<string, string>()

  set(key: string, text: string): void {
    this.#retire(key)
    const clean = text.replaceAll(SEPARATOR, ' ')
    this.#changed.set(key, clean)
    this.#texts.set(key, clean)
  }

  delete(key: string): void {
    this.#retire(key)
    this.#changed.delete(key)
    this.#texts.delete(key)
  }

  /** Keys of the texts that contain the part, which is in lower case. */
  *find(part: string): Iterable<string> {
    if (part.includes(SEPARATOR)) return
    if (this.#changed.size + this.#stale.size > MAX_CHANGES) this.#rebuild()
    const joined = this.#joined
    for (let at = joined.indexOf(part, 1); at !== -1; ) {
      const place = this.#placeAt(at)
      if (!this.#stale.has(place)) yield this.#keys[place] as string
      const next = this.#starts[place + 1] ?? joined.length
      at = joined.indexOf(part, next)
    }
    for (const [key, text] of this.#changed) if (text.includes(part)) yield key
  }

  #retire(key: string): void {
    const place = this.#places.get(key)
    if (place === undefined) return
    this.#stale.add(place)
    this.#places.delete(key)
  }

  /** The text in which a position lies. */
  #placeAt(position: number): number {
    let low = 0
    let high = this.#starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if ((this.#starts[middle] as number) <= position) low = middle
      else high = middle - 1
    }
    return low
  }

  #rebuild(): void {
    this.#keys = [...this.#texts.keys()]
    this.#starts = new Uint32Array(this.#keys.length)
    this.#places = new Map()
    let length = 1
    let place = 0
    for (const [key, text] of this.#texts) {
      this.#starts[place] = length
      this.#places.set(key, place++)
      length += text.length + 1
    }
    this.#joined = SEPARATOR + [...this.#texts.values()].join(SEPARATOR)
    this.#changed.clear()
    this.#stale.clear()
  }
}
