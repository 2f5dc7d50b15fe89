/** Which keys go with which lease. */
export class LeasedKeys {
  readonly #keys = new Map<string, Set<string>>()
  readonly #leases = new Map<string, string>()

  begin(leaseId: string): void {
    this.#keys.set(leaseId, new Set())
  }

  /** The keys of a lease, which has none from now on; `undefined` when it is not there. */
  end(leaseId: string): Iterable<string> | undefined {
    const keys = this.#keys.get(leaseId)
    this.#keys.delete(leaseId)
    return keys
  }

  /** Takes the key from the lease that it had. */
  move(key: string, leaseId: string | undefined): void {
    if (this.#keys.size === 0 && this.#leases.size === 0) return
    const former = this.#leases.get(key)
    if (former !== undefined) {
      this.#leases.delete(key)
      this.#keys.get(former)?.delete(key)
    }
    if (leaseId === undefined) return
    this.#leases.set(key, leaseId)
    this.#keys.get(leaseId)?.add(key)
  }

  clear(): void {
    this.#keys.clear()
    this.#leases.clear()
  }
}
