/** Keys and values in memory: a hash map to find one, a B+ tree in byte order to walk them. */
import BTreeModule from 'sorted-btree'
import { Columns } from '../columns.ts'
import type { EnginePage, Stored, StoredEntry } from '../engine.ts'
import type { Revision } from '../kv.ts'
import { compareKeys, isWide } from '../order.ts'

// A CommonJS module with a `default` of its own: Node gives the module, bundlers and test runners give the class.
const BTree = BTreeModule.default ?? BTreeModule

/** Changed in place by `set`; never handed out without a copy. */
export interface Row extends StoredEntry {
  value: Stored
  revision: Revision
  leaseId: string | undefined
}

export class Table {
  readonly #rows = new Map<string, Row>()
  /** Plain `<` gives byte order as long as no key has surrogates or units above them. */
  #wide = false
  readonly #tree = new BTree<string, Row>(undefined, (a, b) => {
    if (this.#wide) return compareKeys(a, b)
    return a < b ? -1 : a === b ? 0 : 1
  })

  get(key: string): Row | undefined {
    return this.#rows.get(key)
  }

  set(key: string, value: Stored, revision: Revision, leaseId: string | undefined): void {
    const row = this.#rows.get(key)
    if (row !== undefined) {
      row.value = value
      row.revision = revision
      row.leaseId = leaseId
      return
    }
    this.#wide ||= isWide(key)
    const fresh: Row = { key, value, revision, leaseId }
    this.#rows.set(key, fresh)
    this.#tree.set(key, fresh)
  }

  delete(key: string): void {
    if (this.#rows.delete(key)) this.#tree.delete(key)
  }

  clear(): void {
    this.#rows.clear()
    this.#tree.clear()
  }

  *keysWithPrefix(prefix: string): Iterable<string> {
    this.#wide ||= isWide(prefix)
    for (const key of this.#tree.keys(prefix)) {
      if (!key.startsWith(prefix)) return
      yield key
    }
  }

  range(prefix: string, startAfter: string | undefined, limit: number): Pick<EnginePage, 'pairs' | 'more'> {
    this.#wide ||= isWide(prefix) || (startAfter !== undefined && isWide(startAfter))
    const pairs = new Columns()
    const low = startAfter !== undefined && compareKeys(startAfter, prefix) > 0 ? startAfter : prefix
    for (const row of this.#tree.values(low)) {
      if (row.key === startAfter) continue
      if (!row.key.startsWith(prefix)) break
      if (pairs.size >= limit) return { pairs, more: true }
      pairs.add(row.key, row.value, row.revision)
    }
    return { pairs, more: false }
  }
}
