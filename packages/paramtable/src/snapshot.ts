/** The visible values at one moment. Reads are a `Map.get`; a change makes a new snapshot when somebody holds this one. */
import { compareKeys } from './check.ts'
import type { Declared, ParamType } from './declaration.ts'
import type { LayerKind } from './layers.ts'
import type { ParamValue } from './parsers.ts'

export interface Resolved {
  /** In lower case. */
  readonly id: string
  readonly value: string
  /** The parsed value of a declared parameter. */
  readonly typed: ParamValue | undefined
  readonly declared: Declared | undefined
  /** Of the declaration, one step nearer for the getters. */
  readonly type: ParamType | undefined
  readonly isImmutable: boolean
  readonly kind: LayerKind
  /** The type as which an undeclared parameter was last read, and what that gave: the next read need not parse. */
  readAs?: ParamType | undefined
  readValue?: ParamValue | undefined
}

/** What the appendix calls `LoadRange` gives: `keys[i]` belongs to `values[i]`. */
export interface ParamRange {
  readonly keys: readonly string[]
  readonly values: readonly string[]
}

export class ParamSnapshot {
  /** By lower-case key, and by the spelling of the declaration. */
  readonly #index: Map<string, Resolved>
  #size: number
  #sorted: string[] | undefined
  /** Grows with every change. */
  readonly version: number

  constructor(index: Map<string, Resolved> = new Map(), size: number = 0, version: number = 0) {
    this.#index = index
    this.#size = size
    this.version = version
  }

  get size(): number {
    return this.#size
  }

  get(key: string): Resolved | undefined {
    return this.#index.get(key) ?? this.#index.get(key.toLowerCase())
  }

  load(key: string): string | undefined {
    return this.get(key)?.value
  }

  /** Lower-case keys in the order of their UTF-8 bytes. */
  keys(): readonly string[] {
    if (this.#sorted !== undefined) return this.#sorted
    const keys: string[] = []
    for (const [key, resolved] of this.#index) if (key === resolved.id) keys.push(key)
    return (this.#sorted = keys.sort(compareKeys))
  }

  /** Keys from `start` (inclusive) to `end` (exclusive). */
  range(start: string, end: string, limit: number): ParamRange {
    const sorted = this.keys()
    const from = lowerBound(sorted, start)
    const keys = sorted.slice(from, Math.min(Math.max(from, lowerBound(sorted, end)), from + limit))
    return { keys, values: keys.map((key) => this.#index.get(key)?.value ?? '') }
  }

  /** The snapshot after some keys changed; takes this one's index over when `reuse`. */
  next(changes: ReadonlyMap<string, Resolved | undefined>, spelling: (id: string) => string | undefined, reuse: boolean): ParamSnapshot {
    const index = reuse ? this.#index : new Map(this.#index)
    let size = this.#size
    let sameKeys = true
    for (const [id, resolved] of changes) {
      const had = index.has(id)
      const alias = spelling(id)
      if (resolved === undefined) {
        index.delete(id)
        if (alias !== undefined) index.delete(alias)
      } else {
        index.set(id, resolved)
        if (alias !== undefined) index.set(alias, resolved)
      }
      if (had === (resolved !== undefined)) continue
      sameKeys = false
      size += had ? -1 : 1
    }
    const snapshot = new ParamSnapshot(index, size, this.version + 1)
    if (sameKeys) snapshot.#sorted = this.#sorted
    return snapshot
  }
}

function lowerBound(sorted: readonly string[], key: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareKeys(sorted[middle] ?? '', key) < 0) low = middle + 1
    else high = middle
  }
  return low
}
