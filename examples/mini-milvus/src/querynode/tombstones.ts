/** Which rows of a segment still live: one byte a row, 1 alive. Grows with its segment. */
export class Tombstones {
  #alive: Uint8Array
  #length: number
  #dead = 0
  /** When the last of the dead died, in about the order of their deaths; kept only where deaths come with a time. */
  readonly #recent = new Map<number, bigint>()
  /** No death that is remembered is later. */
  #latest = 0n
  /** The last answer to who lived when: many reads ask for the same moment while others come to it. */
  #then: { readonly ts: bigint; readonly begin: number; readonly tombstones: Tombstones } | undefined

  constructor(length: number) {
    this.#alive = new Uint8Array(length).fill(1)
    this.#length = length
  }

  get deadCount(): number {
    return this.#dead
  }

  /** So many of them are remembered with their time. */
  get rememberedCount(): number {
    return this.#recent.size
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

  /** Truncated: none of the rows ever lived, whoever looks. */
  killAll(): void {
    this.#alive.fill(0, 0, this.#length)
    this.#dead = this.#length
    this.#recent.clear()
    this.#then = undefined
  }

  /**
   * @param ts when it died, for those who look at an earlier moment; without it the row never lived
   * @returns whether the row was alive.
   */
  kill(row: number, ts?: bigint): boolean {
    const wasAlive = this.#alive[row] === 1
    if (wasAlive) {
      this.#alive[row] = 0
      this.#dead++
    }
    if (this.#then !== undefined && (ts === undefined || ts <= this.#then.ts)) this.#then = undefined
    if (wasAlive && ts !== undefined) {
      this.#recent.set(row, ts)
      if (ts > this.#latest) this.#latest = ts
    } else if (!wasAlive && this.#recent.size > 0) this.#diedBefore(row, ts)
    return wasAlive
  }

  /** Deaths at or below `ts` will not be asked for any more. */
  forget(ts: bigint): void {
    if (ts >= this.#latest) this.#recent.clear()
    // One that was heard of out of its order stays for longer.
    else {
      for (const [row, died] of this.#recent) {
        if (died > ts) break
        this.#recent.delete(row)
      }
    }
    if (this.#then !== undefined && this.#then.ts < ts) this.#then = undefined
  }

  /** Undefined where it lives, or died too long ago to be remembered. */
  diedAt(row: number): bigint | undefined {
    return this.#recent.get(row)
  }

  /** Who of the rows `begin .. end` lived at `ts`; rows before `begin` are dead, those from `end` on are not there. The same object where that is what is now. */
  at(ts: bigint, begin: number, end: number): Tombstones {
    const isNow = this.#recent.size === 0 || this.#latest <= ts
    if (isNow && begin === 0 && end === this.#length) return this
    if (this.#then?.ts === ts && this.#then.begin === begin && this.#then.tombstones.#length === end) return this.#then.tombstones
    const then = new Tombstones(end)
    then.#alive.set(this.#alive.subarray(0, end))
    if (!isNow) for (const [row, died] of this.#recent) if (died > ts && row < end) then.#alive[row] = 1
    then.#alive.fill(0, 0, begin)
    let alive = 0
    for (let row = begin; row < end; row++) alive += then.#alive[row] as number
    then.#dead = end - alive
    this.#then = { ts, begin, tombstones: then }
    return then
  }

  /** An older delete, or a truncation, that was heard of late: nobody looks at moments before it. */
  #diedBefore(row: number, ts: bigint | undefined): void {
    const known = this.#recent.get(row)
    if (known !== undefined && (ts === undefined || ts < known)) this.#recent.delete(row)
  }
}
