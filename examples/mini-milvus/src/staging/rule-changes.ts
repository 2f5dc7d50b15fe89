/** Changes of the rule of visibility that are under way: nobody stages anything on their collections meanwhile. */
export class RuleChanges {
  readonly #running = new Map<bigint, Set<Promise<void>>>()

  async whileStill<T>(collectionIds: readonly bigint[], work: () => Promise<T>): Promise<T> {
    const working = work()
    const over = working.then(() => undefined, () => undefined)
    for (const id of collectionIds) this.#running.set(id, (this.#running.get(id) ?? new Set()).add(over))
    try {
      return await working
    } finally {
      for (const id of collectionIds) {
        const changes = this.#running.get(id)
        changes?.delete(over)
        if (changes?.size === 0) this.#running.delete(id)
      }
    }
  }

  settled(collectionId: bigint): Promise<void> | undefined {
    const changes = this.#running.get(collectionId)
    return changes === undefined ? undefined : Promise.all(changes).then(() => undefined)
  }
}
