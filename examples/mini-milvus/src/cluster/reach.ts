/**
 * Who answers, of those that are registered. A process renews its lease by itself: that says nothing of whether others can call it,
 * past a firewall or with the wrong certificate. Who has not answered for as long as a lease lasts is away until it answers.
 */
export class Reach {
  readonly #awayAfterMs: number
  /** When the first of the calls failed that nobody answered since. */
  readonly #silentSince = new Map<string, number>()
  readonly #away = new Set<string>()

  constructor(awayAfterMs: number) {
    this.#awayAfterMs = awayAfterMs
  }

  isAway(id: string): boolean {
    return this.#away.has(id)
  }

  /** True when it was away until now. */
  answered(id: string): boolean {
    this.#silentSince.delete(id)
    return this.#away.delete(id)
  }

  /** True when it is away from now on. */
  failed(id: string, now: number): boolean {
    const since = this.#silentSince.get(id) ?? now
    this.#silentSince.set(id, since)
    if (this.#away.has(id) || now - since < this.#awayAfterMs) return false
    this.#away.add(id)
    return true
  }

  /** Silence so far may be our own fault: it is counted anew. Who is away stays so. */
  doubt(): void {
    this.#silentSince.clear()
  }

  /** Only these are registered still. */
  keep(ids: ReadonlySet<string>): void {
    for (const id of this.#silentSince.keys()) if (!ids.has(id)) this.#silentSince.delete(id)
    for (const id of this.#away) if (!ids.has(id)) this.#away.delete(id)
  }
}
