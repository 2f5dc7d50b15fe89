/** Which rows of a segment still live: one byte a row, 1 alive. Grows with its segment. */
export class Tombstones {
  #alive: Uint8Array
  #length: number
  #dead = 0

  constructor(length: number) {
    this.#alive = new Uint8Array(length).fill(1)
    this.#length = length
  }

  get deadCount(): number {
    return this.#dead
  }

  get length(): number {
    return this.#length
  }

  /** Bytes of the first `length` rows: a live view, not a copy. */
  get alive(): Uint8Array {
    return this.#alive.subarray(0, this.#length)
  }

  isAlive(row: number): boolean {
    return this.#alive[row] === 1
  }

  grow(length: number): void {
    if (length > this.#alive.length) {
      const larger = new Uint8Array(Math.max(length, this.#alive.length * 2))
      larger.set(this.#alive.subarray(0, this.#length))
      this.#alive = larger
    }
    this.#alive.fill(1, this.#length, length)
    this.#length = length
  }

  /** @returns whether the row was alive. */
  kill(row: number): boolean {
    if (this.#alive[row] !== 1) return false
    this.#alive[row] = 0
    this.#dead++
    return true
  }
}
