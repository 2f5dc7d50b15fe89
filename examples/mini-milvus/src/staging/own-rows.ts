/** The rows that a client is about to commit, while its writes are gone through in order: which of them live, and which keys it deletes. */
import { concatColumns } from '../codec/gather.ts'
import type { Column } from '../model/column.ts'
import { primaryKeyAt, type PrimaryKey, type PrimaryKeys } from '../model/primary-keys.ts'
import { gatherSteps } from '../segment/gather-steps.ts'
import { STEP_ROWS, StepMeter, type Steps } from '../segment/steps.ts'
import type { PartitionKeys, PartitionRows } from '../writer/dml-writer.ts'

export interface OwnBatch extends PartitionRows {
  /** One byte a row; undefined: all live. */
  alive: Uint8Array | undefined
  deadCount: number
}

/** A row's place as one number. */
const MAX_ROWS = 2 ** 26

export class OwnRows {
  readonly #batches: OwnBatch[] = []
  readonly #deletes: PartitionKeys[] = []
  /** Made when a first key is looked for: a client that only inserts needs none. */
  #places: Map<PrimaryKey, number | number[]> | undefined
  #indexed = 0
  /** Keys that the client has deleted, by partition (0n: in all). */
  #deleted: Map<bigint, Set<PrimaryKey>> | undefined
  #deletedFrom = 0

  get batches(): readonly OwnBatch[] {
    return this.#batches
  }

  get hasScopedDeletes(): boolean {
    return this.#deletes.some(({ partitionId }) => partitionId !== 0n)
  }

  add(rows: PartitionRows): void {
    if (rows.keys.length === 0) return
    if (rows.keys.length > MAX_ROWS) throw new RangeError(`expected at most ${MAX_ROWS} rows in one write, got ${rows.keys.length}`)
    this.#batches.push({ ...rows, alive: undefined, deadCount: 0 })
  }

  /** Kills own rows of these keys, and keeps the keys for the rows that are committed already. */
  *delete({ partitionId, keys }: PartitionKeys): Steps<void> {
    if (keys.length === 0) return
    this.#deletes.push({ partitionId, keys })
    if (this.#batches.length === 0) return
    const places = yield* this.#indexSteps()
    for (let at = 0; at < keys.length; at++) {
      for (const place of list(places.get(primaryKeyAt(keys, at)))) this.#kill(place, partitionId)
      if ((at + 1) % STEP_ROWS === 0) yield
    }
  }

  /** Whether a committed row of this key in this partition is one that the client has deleted. */
  *deletedSteps(): Steps<(key: PrimaryKey, partitionId: bigint) => boolean> {
    const deleted = (this.#deleted ??= new Map<bigint, Set<PrimaryKey>>())
    for (; this.#deletedFrom < this.#deletes.length; this.#deletedFrom++) {
      const { partitionId, keys } = this.#deletes[this.#deletedFrom] as PartitionKeys
      let set = deleted.get(partitionId)
      if (set === undefined) deleted.set(partitionId, (set = new Set<PrimaryKey>()))
      for (let at = 0; at < keys.length; at++) {
        set.add(primaryKeyAt(keys, at))
        if ((at + 1) % STEP_ROWS === 0) yield
      }
    }
    return (key, partitionId) => deleted.get(0n)?.has(key) === true || deleted.get(partitionId)?.has(key) === true
  }

  /** The last living own row of a key in a partition (0n: in any), as batch and row. */
  *lastSteps(): Steps<(key: PrimaryKey, partitionId: bigint) => { readonly batch: number; readonly row: number } | undefined> {
    const places = yield* this.#indexSteps()
    return (key, partitionId) => {
      const found = list(places.get(key))
      for (let at = found.length - 1; at >= 0; at--) {
        const { batch, row } = split(found[at] as number)
        const rows = this.#batches[batch] as OwnBatch
        if (rows.alive?.[row] !== 0 && (partitionId === 0n || rows.partitionId === partitionId)) return { batch, row }
      }
      return undefined
    }
  }

  /** What is left of it all. */
  *netSteps(): Steps<{ readonly deletes: readonly PartitionKeys[]; readonly inserts: readonly PartitionRows[] }> {
    const inserts: PartitionRows[] = []
    const meter = new StepMeter()
    let small: PartitionRows[] = []
    let smallRows = 0
    const join = (): void => {
      if (small.length > 0) inserts.push(joined(small))
      small = []
      smallRows = 0
    }
    for (const { partitionId, rows, keys, alive, deadCount } of this.#batches) {
      if (meter.spend(ROWS_PER_BATCH)) yield
      if (deadCount === keys.length) continue
      const living = alive === undefined ? { partitionId, rows, keys } : yield* livingSteps({ partitionId, rows, keys }, alive)
      if (small[0] !== undefined && !isAlike(small[0], living)) join()
      small.push(living)
      if ((smallRows += living.keys.length) >= JOINED_ROWS) join()
    }
    join()
    return { deletes: this.#deletes, inserts }
  }

  #kill(place: number, partitionId: bigint): void {
    const { batch, row } = split(place)
    const rows = this.#batches[batch] as OwnBatch
    if (partitionId !== 0n && rows.partitionId !== partitionId) return
    rows.alive ??= new Uint8Array(rows.keys.length).fill(1)
    if (rows.alive[row] === 0) return
    rows.alive[row] = 0
    rows.deadCount++
  }

  *#indexSteps(): Steps<ReadonlyMap<PrimaryKey, number | number[]>> {
    const places = (this.#places ??= new Map<PrimaryKey, number | number[]>())
    for (; this.#indexed < this.#batches.length; this.#indexed++) {
      const { keys } = this.#batches[this.#indexed] as OwnBatch
      const first = this.#indexed * MAX_ROWS
      for (let row = 0; row < keys.length; row++) {
        const key = primaryKeyAt(keys, row)
        const known = places.get(key)
        if (known === undefined) places.set(key, first + row)
        else if (typeof known === 'number') places.set(key, [known, first + row])
        else known.push(first + row)
        if ((row + 1) % STEP_ROWS === 0) yield
      }
    }
    return places
  }
}

/** What a batch costs beside its rows, in rows. */
const ROWS_PER_BATCH = 16
/** Many small writes become few messages of about so many rows. */
const JOINED_ROWS = 1024

/** Of one partition and with the same fields: rows from before a field was added have one less. */
function isAlike(a: PartitionRows, b: PartitionRows): boolean {
  if (a.partitionId !== b.partitionId || a.rows.columns.size !== b.rows.columns.size) return false
  for (const id of a.rows.columns.keys()) if (!b.rows.columns.has(id)) return false
  return true
}

function joined(parts: readonly PartitionRows[]): PartitionRows {
  const [first] = parts as readonly [PartitionRows]
  if (parts.length === 1) return first
  const columns = new Map<number, Column>()
  for (const id of first.rows.columns.keys()) columns.set(id, concatColumns(parts.map(({ rows }) => rows.columns.get(id) as Column)))
  const keys = concatColumns<PrimaryKeys>(parts.map((part) => part.keys))
  return { partitionId: first.partitionId, rows: { length: keys.length, columns }, keys }
}

const NONE: readonly number[] = []

function list(found: number | number[] | undefined): readonly number[] {
  return found === undefined ? NONE : typeof found === 'number' ? [found] : found
}

function split(place: number): { readonly batch: number; readonly row: number } {
  return { batch: Math.floor(place / MAX_ROWS), row: place % MAX_ROWS }
}

function* livingSteps({ partitionId, rows, keys }: PartitionRows, alive: Uint8Array): Steps<PartitionRows> {
  const picked = new Uint32Array(alive.reduce((sum, byte) => sum + byte, 0))
  let at = 0
  alive.forEach((byte, row) => {
    if (byte === 1) picked[at++] = row
  })
  yield
  const columns = new Map<number, Column>()
  for (const [fieldId, column] of rows.columns) columns.set(fieldId, yield* gatherSteps(column, picked))
  return { partitionId, rows: { length: picked.length, columns }, keys: (yield* gatherSteps(keys, picked)) as PrimaryKeys }
}
