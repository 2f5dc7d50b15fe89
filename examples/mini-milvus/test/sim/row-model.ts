/**
 * What a collection may hold, key by key, given which writes were answered, are under way, or were never answered. Order is
 * that of a counter, so that "ended before that began" can be asked.
 */
export type Value = number | undefined

export interface Write {
  readonly value: Value
  readonly invoked: number
  ended: number
  /** Of an answered one. */
  ts: bigint | undefined
  state: 'open' | 'acked' | 'doubtful'
}

export class RowModel {
  /** By key: what strong reads choose from. */
  readonly #strong = new Map<number, Write[]>()
  /** By key: the same, but never resolved by what a strong read saw: for reads that may lag. */
  readonly #history = new Map<number, Write[]>()
  readonly #resolvedAt = new Map<number, number>()
  readonly #ordersByTime: boolean
  #order = 0

  /** @param ordersByTime of two writes at once the one with the greater timestamp wins; else either may */
  constructor(ordersByTime = true) {
    this.#ordersByTime = ordersByTime
  }

  /** Places the caller in the order of all that happened. */
  tick(): number {
    return (this.#order += 1)
  }

  get keys(): number[] {
    return [...this.#strong.keys()]
  }

  /** Writes that take one value to all of these keys. */
  begin(keys: readonly number[], value: Value): Write {
    const write: Write = { value, invoked: this.tick(), ended: Infinity, ts: undefined, state: 'open' }
    for (const key of keys) {
      this.#listOf(this.#strong, key).push(write)
      this.#listOf(this.#history, key).push(write)
    }
    return write
  }

  acked(write: Write, ts: bigint): void {
    Object.assign(write, { ended: this.tick(), ts, state: 'acked' })
  }

  doubtful(write: Write): void {
    Object.assign(write, { ended: this.tick(), state: 'doubtful' })
  }

  /** Answered truncation: nothing that was answered before is there. No call is under way then. */
  truncated(): void {
    const at = this.tick()
    for (const [key, writes] of this.#strong) this.#strong.set(key, [{ value: undefined, invoked: at, ended: at, ts: maxTs(writes), state: 'acked' }])
    for (const writes of this.#history.values()) writes.push({ value: undefined, invoked: at, ended: at, ts: undefined, state: 'doubtful' })
  }

  /** Truncation without an answer. */
  maybeTruncated(): void {
    const at = this.tick()
    const write: Write = { value: undefined, invoked: at, ended: at, ts: undefined, state: 'doubtful' }
    for (const key of this.#strong.keys()) {
      this.#listOf(this.#strong, key).push(write)
      this.#listOf(this.#history, key).push(write)
    }
  }

  /** What a read of strong consistency that began at `start` may show of a key. */
  strong(key: number, start: number): Set<Value> {
    // Doubt that was resolved while the read was under way is still its doubt.
    const writes = ((this.#resolvedAt.get(key) ?? 0) > start ? this.#history : this.#strong).get(key) ?? []
    return candidates(writes, latest(writes, (write) => write.ended < start), this.#ordersByTime)
  }

  /** What a read that must see everything at or below `guarantee` may show of a key. */
  weak(key: number, guarantee: bigint): Set<Value> {
    const writes = this.#history.get(key) ?? []
    return candidates(writes, latest(writes, (write) => (write.ts as bigint) <= guarantee), this.#ordersByTime)
  }

  /** A strong read saw this: where no write was under way, all doubt about the key is over. */
  resolve(key: number, start: number, seen: Value): void {
    const writes = this.#strong.get(key)
    if (writes === undefined || writes.some((write) => write.ended >= start)) return
    const last = writes.reduce((a, b) => (a.invoked > b.invoked ? a : b))
    this.#strong.set(key, [{ value: seen, invoked: last.invoked, ended: start, ts: maxTs(writes), state: 'acked' }])
    this.#resolvedAt.set(key, this.tick())
  }

  /** Whether nothing can be there under this key. */
  isFree(key: number): boolean {
    const found = this.strong(key, this.#order + 1)
    return found.size === 1 && found.has(undefined)
  }

  #listOf(map: Map<number, Write[]>, key: number): Write[] {
    let list = map.get(key)
    if (list === undefined) map.set(key, (list = [{ value: undefined, invoked: 0, ended: 0, ts: 0n, state: 'acked' }]))
    return list
  }
}

function latest(writes: readonly Write[], counts: (write: Write) => boolean): Write | undefined {
  let found: Write | undefined
  for (const write of writes) {
    if (write.state !== 'acked' || !counts(write)) continue
    if (found === undefined || (write.ts as bigint) >= (found.ts as bigint)) found = write
  }
  return found
}

/** The last that must be seen, and whatever may have come behind it. */
function candidates(writes: readonly Write[], last: Write | undefined, ordersByTime: boolean): Set<Value> {
  const found = new Set<Value>([last?.value])
  for (const write of writes) {
    const isLater = write.state === 'acked' && (write.ts as bigint) > (last?.ts ?? 0n)
    if (write.state === 'acked' && ordersByTime ? isLater : isLater || write.ended >= (last?.invoked ?? 0)) found.add(write.value)
  }
  return found
}

function maxTs(writes: readonly Write[]): bigint {
  return writes.reduce((max, { ts }) => (ts !== undefined && ts > max ? ts : max), 0n)
}
