/** The visible values at one moment. Reads are a `Map.get`; a change makes a new snapshot when somebody holds this one. */
import { compareKeys, normalizeKey } from './check.ts'
import type { Declared, ParamType } from './declaration.ts'
import { Declarations } from './declarations.ts'
import type { LayerKind } from './layers.ts'
import type { ParamValue } from './parsers.ts'
import { ParamReader } from './reader.ts'

export interface Resolved {
  /** In lower case. */
  readonly id: string
  readonly value: string
  /** The parsed value of a declared parameter. */
  readonly typed: ParamValue | undefined
  /** What the schema of the declaration made of it. */
  readonly output: unknown
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

/** A view that never changes, with the getters of the table. Reading an `immutable` parameter here does not fix it in the table. */
export class ParamSnapshot extends ParamReader {
  /** By lower-case key, by the spelling of the declaration, and by earlier names. */
  readonly #index: Map<string, Resolved>
  readonly #declarations: Declarations
  #size: number
  #sorted: string[] | undefined
  /** Grows with every change. */
  readonly version: number

  /** @internal Tables make snapshots. */
  constructor(index: Map<string, Resolved> = new Map(), size: number = 0, version: number = 0, declarations: Declarations = new Declarations()) {
    super()
    this.#declarations = declarations
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
  next(changes: ReadonlyMap<string, Resolved | undefined>, declarations: Declarations, reuse: boolean): ParamSnapshot {
    const index = reuse ? this.#index : new Map(this.#index)
    let size = this.#size
    let sameKeys = true
    for (const [id, resolved] of changes) {
      const had = index.has(id)
      const spellings = declarations.spellingsOf(id)
      if (resolved === undefined) {
        index.delete(id)
        for (const spelling of spellings) index.delete(spelling)
      } else {
        index.set(id, resolved)
        for (const spelling of spellings) index.set(spelling, resolved)
      }
      if (had === (resolved !== undefined)) continue
      sameKeys = false
      size += had ? -1 : 1
    }
    const snapshot = new ParamSnapshot(index, size, this.version + 1, declarations)
    if (sameKeys) snapshot.#sorted = this.#sorted
    return snapshot
  }

  protected override find(key: string): Resolved | undefined {
    return this.get(typeof key === 'string' ? key : normalizeKey(key))
  }

  protected override declaredAs(id: string): Declared | undefined {
    return this.#declarations.of(id)
  }

  protected override sourceOf({ kind }: Resolved): string {
    return kind
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
