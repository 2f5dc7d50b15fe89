/** Work that is done one after the other per key. Nothing is kept of a key without work. */
export class Turns {
  readonly #last = new Map<bigint, Promise<unknown>>()

  /** How much waits is bounded by who asks: each caller is a task of a bounded queue. */
  run<T>(key: bigint, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve()
    const result = before.then(work)
    const settled = result.then(
      () => undefined,
      () => undefined,
    )
    this.#last.set(key, settled)
    void settled.then(() => {
      if (this.#last.get(key) === settled) this.#last.delete(key)
    })
    return result
  }
}
