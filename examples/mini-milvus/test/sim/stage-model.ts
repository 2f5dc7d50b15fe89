/** What the history of clients of rule `flush` is made of. */

/** What is in rows, by key: the version that wrote a row, then what else is in it. */
export type Rows = ReadonlyMap<string, string>
/** By collection. */
export type State = ReadonlyMap<string, Rows>

/** A write that was answered, or may have been done without an answer. */
export interface StageOp {
  readonly collection: string
  /** Place in the order of all that happened. */
  readonly at: number
  readonly apply: (rows: Map<string, string>) => void
  /** Its client went; what it had not flushed is dropped from then on. */
  droppedAt: number
}

export interface Commit {
  readonly state: State
  /** What it takes along, in order. */
  readonly ops: readonly StageOp[]
  readonly sent: number
  /** It emptied a collection, or a part of it. */
  readonly isDefinition?: boolean | undefined
  /** Everybody sees it from then on; Infinity: nobody was told so. */
  done: number
  /** Nobody sees it from then on. */
  void: number
}

export interface Read {
  readonly by: string
  readonly collection: string
  readonly rows: Rows
  readonly start: number
  end: number
  /** Flushes of the reader itself that were sent before it, or are to be seen by it; by their place in its chain. */
  readonly own?: { readonly owner: number; readonly least: () => number; readonly most: number } | undefined
  readonly how: string
}

export const VERSIONS = 1_000_000

export function ownerOf(value: string): number {
  return Math.floor(versionIn(value) / VERSIONS)
}

export function versionIn(value: string): number {
  return Number(value.split('.')[0])
}

export function sameRows(a: Rows, b: Rows | undefined): boolean {
  if (a.size !== (b?.size ?? 0)) return false
  for (const [key, value] of a) if (b?.get(key) !== value) return false
  return true
}
