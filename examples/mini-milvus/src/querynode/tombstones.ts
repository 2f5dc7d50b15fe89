/** Which rows of a segment still live: one byte a row, 1 alive. Grows with its segment. */
export class Tombstones {
  #alive: Uint8Array
  #length: number
  #dead = 0
  /** Of the last deaths, ascending by when; kept only where deaths come with a time. */
  #recent: Death[] = []

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

  /** Truncated: none of the rows ever lived, whoever looks. */
  killAll(): void {
    this.#alive.fill(0, 0, this.#length)
    this.#dead = this.#length
    this.#recent = []
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
    if (ts !== undefined && wasAlive) this.#remember(row, ts)
    else if (!wasAlive && this.#recent.length > 0) this.#diedBefore(row, ts)
    return wasAlive
  }

  /** Deaths at or below `ts` will not be asked for any more. */
  forget(ts: bigint): void {
    const kept = this.#recent.findIndex((death) => death.ts > ts)
    if (kept !== 0) this.#recent = kept < 0 ? [] : this.#recent.slice(kept)
  }

  /** Undefined where it lives, or died too long ago to be remembered. */
  diedAt(row: number): bigint | undefined {
    return this.#recent.findLast((death) => death.row === row)?.ts
  }

  /** Who of the rows `begin .. end` lived at `ts`; rows before `begin` are dead, those from `end` on are not there. The same object where that is what is now. */
  at(ts: bigint, begin: number, end: number): Tombstones {
    const isNow = (this.#recent.at(-1)?.ts ?? 0n) <= ts
    if (isNow && begin === 0 && end === this.#length) return this
    const then = new Tombstones(end)
    then.#alive.set(this.#alive.subarray(0, end))
    for (let i = this.#recent.length - 1; i >= 0; i--) {
      const { row, ts: died } = this.#recent[i] as Death
      if (died <= ts) break
      if (row < end && row >= 0) then.#alive[row] = 1
    }
    then.#alive.fill(0, 0, begin)
    let alive = 0
    for (let row = begin; row < end; row++) alive += then.#alive[row] as number
    then.#dead = end - alive
    return then
  }

  #remember(row: number, ts: bigint): void {
    let at = this.#recent.length
    while (at > 0 && (this.#recent[at - 1] as Death).ts > ts) at--
    if (at === this.#recent.length) this.#recent.push({ row, ts })
    else this.#recent.splice(at, 0, { row, ts })
  }

  /** An older delete, or a truncation, that was heard of late: nobody looks at moments before it. */
  #diedBefore(row: number, ts: bigint | undefined): void {
    const at = this.#recent.findLastIndex((death) => death.row === row)
    const known = this.#recent[at]
    if (known !== undefined && (ts === undefined || ts < known.ts)) this.#recent[at] = { row: -1, ts: known.ts }
  }
}

interface Death {
  /** -1: of none any more. */
  readonly row: number
  readonly ts: bigint
}
