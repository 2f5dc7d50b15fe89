/**
 * The best `k` of what is offered: smallest key first, then smallest row. Kept as a heap with the worst on top, so that most
 * offers cost one comparison. Reused between searches.
 */
export class TopK {
  #keys = new Float32Array(16)
  #rows = new Uint32Array(16)
  #k = 0
  #size = 0
  /** A key above this cannot enter. */
  worst = Infinity

  reset(k: number): void {
    if (this.#keys.length < k) {
      this.#keys = new Float32Array(k)
      this.#rows = new Uint32Array(k)
    }
    this.#k = k
    this.#size = 0
    this.worst = Infinity
  }

  get size(): number {
    return this.#size
  }

  /** `key` must be a float32 (see Math.fround), so that order here is order everywhere. NaN never enters. */
  offer(key: number, row: number): void {
    if (this.#size < this.#k) {
      if (key !== key) return
      this.#up(this.#size++, key, row)
      if (this.#size === this.#k) this.worst = this.#keys[0] ?? Infinity
    } else if (key < this.worst || (key === this.worst && row < (this.#rows[0] ?? 0))) {
      this.#down(key, row, this.#size)
      this.worst = this.#keys[0] ?? Infinity
    }
  }

  /** Moves all to `keys` and `rows` from `at` on, best first, and gives how many. */
  drain(keys: Float32Array, rows: Uint32Array, at: number): number {
    const count = this.#size
    for (let size = count; size > 0; size--) {
      keys[at + size - 1] = this.#keys[0] ?? 0
      rows[at + size - 1] = this.#rows[0] ?? 0
      this.#down(this.#keys[size - 1] ?? 0, this.#rows[size - 1] ?? 0, size - 1)
    }
    this.#size = 0
    return count
  }

  #up(hole: number, key: number, row: number): void {
    const keys = this.#keys
    const rows = this.#rows
    let at = hole
    while (at > 0) {
      const parent = (at - 1) >> 1
      const itsKey = keys[parent] ?? 0
      if (itsKey > key || (itsKey === key && (rows[parent] ?? 0) > row)) break
      keys[at] = itsKey
      rows[at] = rows[parent] ?? 0
      at = parent
    }
    keys[at] = key
    rows[at] = row
  }

  /** Puts an item in the place of the worst among the first `size`. */
  #down(key: number, row: number, size: number): void {
    const keys = this.#keys
    const rows = this.#rows
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= size) break
      let itsKey = keys[child] ?? 0
      if (child + 1 < size) {
        const otherKey = keys[child + 1] ?? 0
        if (otherKey > itsKey || (otherKey === itsKey && (rows[child + 1] ?? 0) > (rows[child] ?? 0))) {
          child++
          itsKey = otherKey
        }
      }
      if (itsKey < key || (itsKey === key && (rows[child] ?? 0) < row)) break
      keys[at] = itsKey
      rows[at] = rows[child] ?? 0
      at = child
    }
    keys[at] = key
    rows[at] = row
  }
}
