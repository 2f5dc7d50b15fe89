/** Keys and values in memory: a hash map to find one, the sorted keys to walk them. */
import { Columns } from '../columns.ts'
import type { Change, EnginePage, Stored } from '../engine.ts'
import { compareKeys } from '../order.ts'
import { SortedKeys } from './sorted-keys.ts'

/** The change that made it what it is. Never changed once others can see it: it is handed out as it is, and is in the history. */
export interface Row extends Change {
  readonly value: Stored
}

export class Table {
  readonly #rows = new Map<string, Row>()
  readonly #keys = new SortedKeys()

  get(key: string): Row | undefined {
    return this.#rows.get(key)
  }

  /** True when the key is new. */
  set(row: Row): boolean {
    // One look into the map tells both; a second one is a good part of a save.
    const { size } = this.#rows
    this.#rows.set(row.key, row)
    if (this.#rows.size === size) return false
    this.#keys.add(row.key)
    return true
  }

  delete(key: string): void {
    if (this.#rows.delete(key)) this.#keys.remove(key)
  }

  clear(): void {
    this.#rows.clear()
    this.#keys.clear()
  }

  keysWithPrefix(prefix: string): readonly string[] {
    const found: string[] = []
    this.#keys.walk(prefix, (key) => {
      if (!key.startsWith(prefix)) return false
      found.push(key)
      return true
    })
    return found
  }

  range(prefix: string, startAfter: string | undefined, limit: number): Pick<EnginePage, 'pairs' | 'more'> {
    const pairs = new Columns()
    let more = false
    const low = startAfter !== undefined && compareKeys(startAfter, prefix) > 0 ? startAfter : prefix
    this.#keys.walk(low, (key) => {
      if (key === startAfter) return true
      if (!key.startsWith(prefix)) return false
      more = pairs.size >= limit
      const row = this.#rows.get(key)
      if (more || row === undefined) return false
      pairs.add(key, row.value, row.revision)
      return true
    })
    return { pairs, more }
  }
}
