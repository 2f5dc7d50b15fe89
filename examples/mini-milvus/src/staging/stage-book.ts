/** Who has staged what, in order, and how much of it: the synchronous part of staging. */
import type { RowBatch } from '../model/column.ts'
import { Code, MilvusError } from '../server/status.ts'
import { columnBytes, type PartitionKeys, type PartitionRows } from '../writer/dml-writer.ts'
import type { SpillFile } from './spill.ts'
import type { ClientStage, StagedWork } from './staging.ts'

export interface StageLimits {
  readonly maxClientBytes: number
  readonly maxBytes: number
}

/** One write of a client. */
export interface Entry {
  readonly collectionId: bigint
  readonly rows: number
  readonly deletes: number
  readonly bytes: number
  /** Wall time in ms. */
  readonly at: number
  /** Without its rows where they lie on disk. */
  work: StagedWork
  /** Rows on disk, one place for each of the work's inserts. */
  spilled: readonly { readonly partitionId: bigint; readonly offset: number; readonly length: number }[] | undefined
}

/** What a client has staged on one collection. The order matters only within it. */
export interface Group {
  /** Only ever appended to, or replaced. */
  entries: Entry[]
  rows: number
  deletes: number
  bytes: number
  spilledBytes: number
}

export interface Stage {
  readonly client: string
  readonly groups: Map<bigint, Group>
  bytes: number
  spilledBytes: number
  file: SpillFile | undefined
  /** Its client has gone. */
  isDiscarded: boolean
  /** Spilling of this client, one step after the other. */
  spilling: Promise<void>
}

/** What an entry costs beside its rows. */
const ENTRY_BYTES = 512

export class StageBook {
  readonly #limits: StageLimits
  readonly #stages = new Map<string, Stage>()
  #bytes = 0

  constructor(limits: StageLimits) {
    this.#limits = limits
  }

  get bytes(): number {
    return this.#bytes
  }

  get size(): number {
    return this.#stages.size
  }

  stages(): Stage[] {
    return [...this.#stages.values()]
  }

  stage(client: string): Stage | undefined {
    return this.#stages.get(client)
  }

  /** Throws MilvusError 8 beyond a bound. */
  add(client: string, work: StagedWork, now: number): Entry {
    const entry = entryOf(work, now)
    const { maxClientBytes, maxBytes } = this.#limits
    const own = this.#stages.get(client)?.bytes ?? 0
    if (own + entry.bytes > maxClientBytes) throw tooMuch('this client has', own, entry.bytes, 'staging.maxClientBytes', maxClientBytes)
    if (this.#bytes + entry.bytes > maxBytes) throw tooMuch('all clients together have', this.#bytes, entry.bytes, 'staging.maxBytes', maxBytes)
    let stage = this.#stages.get(client)
    if (stage === undefined) {
      stage = { client, groups: new Map(), bytes: 0, spilledBytes: 0, file: undefined, isDiscarded: false, spilling: Promise.resolve() }
      this.#stages.set(client, stage)
    }
    let group = stage.groups.get(entry.collectionId)
    if (group === undefined) stage.groups.set(entry.collectionId, (group = { entries: [], rows: 0, deletes: 0, bytes: 0, spilledBytes: 0 }))
    group.entries.push(entry)
    group.rows += entry.rows
    group.deletes += entry.deletes
    group.bytes += entry.bytes
    stage.bytes += entry.bytes
    this.#bytes += entry.bytes
    return entry
  }

  /** Rows of the entry are on disk now. */
  spilled(stage: Stage, entry: Entry, places: NonNullable<Entry['spilled']>): void {
    entry.spilled = places
    entry.work = { ...entry.work, inserts: undefined }
    const bytes = spilledBytes(entry)
    stage.spilledBytes += bytes
    const group = stage.groups.get(entry.collectionId)
    if (group !== undefined) group.spilledBytes += bytes
  }

  /** However much it is, this takes no time: nothing is looked at one by one. @param collectionId undefined: on all */
  drop(client: string, collectionId?: bigint): Dropped {
    const stage = this.#stages.get(client)
    if (stage === undefined) return { rows: 0, file: undefined }
    let rows = 0
    for (const id of collectionId === undefined ? [...stage.groups.keys()] : [collectionId]) {
      const group = stage.groups.get(id)
      if (group === undefined) continue
      rows += group.rows
      this.#put(stage, id, undefined)
    }
    return this.#droppedOf(stage, rows)
  }

  /** What was taken of a collection when the group had so many entries; those that came since stay. */
  dropTaken(client: string, collectionId: bigint, { entries, count }: Omit<Taken, 'rows'>): Dropped {
    const stage = this.#stages.get(client)
    const group = stage?.groups.get(collectionId)
    if (stage === undefined || group === undefined) return { rows: 0, file: undefined }
    if (group.entries === entries && entries.length === count) return this.drop(client, collectionId)
    const taken = new Set(entries.slice(0, count))
    this.#put(stage, collectionId, group.entries.filter((entry) => !taken.has(entry)))
    return this.#droppedOf(stage, 0)
  }

  /** A partition is gone: rows and keys of it are no longer part of what was staged. */
  dropPartition(collectionId: bigint, partitionId: bigint): Dropped[] {
    return this.stages().flatMap((stage) => {
      const group = stage.groups.get(collectionId)
      if (group === undefined) return []
      this.#put(stage, collectionId, group.entries.map((entry) => withoutPartition(entry, partitionId)).filter((entry) => entry !== undefined))
      return [this.#droppedOf(stage, group.rows - (stage.groups.get(collectionId)?.rows ?? 0))]
    })
  }

  #put(stage: Stage, collectionId: bigint, entries: Entry[] | undefined): void {
    const before = stage.groups.get(collectionId)
    const after = entries === undefined || entries.length === 0 ? undefined : groupOf(entries)
    if (after === undefined) stage.groups.delete(collectionId)
    else stage.groups.set(collectionId, after)
    const bytes = (after?.bytes ?? 0) - (before?.bytes ?? 0)
    stage.bytes += bytes
    this.#bytes += bytes
    stage.spilledBytes += (after?.spilledBytes ?? 0) - (before?.spilledBytes ?? 0)
  }

  #droppedOf(stage: Stage, rows: number): Dropped {
    if (stage.groups.size > 0) return { rows, file: undefined }
    this.#stages.delete(stage.client)
    return { rows, file: stage.file }
  }

  describe(): ClientStage[] {
    return [...this.#stages.values()].map(({ client, groups, bytes, spilledBytes }) => {
      const all = [...groups.values()]
      return {
        client,
        collectionIds: [...groups.keys()],
        rows: all.reduce((sum, { rows }) => sum + rows, 0),
        deletes: all.reduce((sum, { deletes }) => sum + deletes, 0),
        bytes,
        spilledBytes,
        since: all.reduce((oldest, { entries }) => Math.min(oldest, entries[0]?.at ?? Infinity), Infinity),
      }
    })
  }
}

/** The entries of a group as they were when they were taken. */
export interface Taken {
  readonly entries: readonly Entry[]
  readonly count: number
  /** To insert, as staged. */
  readonly rows: number
}

export interface Dropped {
  readonly rows: number
  /** To be forgotten: nothing is left. */
  readonly file: SpillFile | undefined
}

function groupOf(entries: Entry[]): Group {
  const sum = (of: (entry: Entry) => number): number => entries.reduce((total, entry) => total + of(entry), 0)
  return { entries, rows: sum(({ rows }) => rows), deletes: sum(({ deletes }) => deletes), bytes: sum(({ bytes }) => bytes), spilledBytes: sum(spilledBytes) }
}

function entryOf(work: StagedWork, at: number): Entry {
  const { collection, inserts = [], deletes = [], predicate, partial } = work
  const bytes = inserts.reduce((sum, { rows }) => sum + batchBytes(rows), 0) + deletes.reduce((sum, { keys }) => sum + columnBytes(keys), 0)
  return {
    collectionId: collection.id,
    rows: inserts.reduce((sum, { keys }) => sum + keys.length, 0) + (partial?.keys.length ?? 0),
    deletes: deletes.reduce((sum, { keys }) => sum + keys.length, 0) + (predicate === undefined ? 0 : 1),
    bytes: ENTRY_BYTES + bytes + (partial === undefined ? 0 : batchBytes(partial.rows)) + (predicate?.filter.length ?? 0) * 2,
    at,
    work,
    spilled: undefined,
  }
}

function withoutPartition(entry: Entry, gone: bigint): Entry | undefined {
  const { work, spilled } = entry
  const { inserts = [], deletes = [], predicate, partial } = work
  const all = [...inserts, ...deletes, ...(spilled ?? []), ...(predicate === undefined ? [] : [predicate]), ...(partial === undefined ? [] : [partial])]
  if (all.every(({ partitionId }) => partitionId !== gone)) return entry
  const isKept = ({ partitionId }: Pick<PartitionKeys | PartitionRows, 'partitionId'>): boolean => partitionId !== gone
  const left: StagedWork = {
    collection: work.collection,
    inserts: inserts.filter(isKept),
    deletes: deletes.filter(isKept),
    predicate: predicate?.partitionId === gone ? undefined : predicate,
    partial: partial?.partitionId === gone ? undefined : partial,
  }
  const places = spilled?.filter(isKept)
  if (left.inserts?.length === 0 && left.deletes?.length === 0 && left.predicate === undefined && left.partial === undefined && (places ?? []).length === 0) return undefined
  // What was spilled keeps its count: its rows are known when they are read again.
  return spilled === undefined ? entryOf(left, entry.at) : { ...entry, work: left, spilled: places }
}

export function spilledBytes({ spilled = [] }: Entry): number {
  return spilled.reduce((sum, { length }) => sum + length, 0)
}

export function batchBytes(rows: RowBatch): number {
  let bytes = 0
  for (const column of rows.columns.values()) bytes += columnBytes(column) + (column.valid === undefined ? 0 : column.length)
  return bytes
}

function tooMuch(who: string, has: number, more: number, parameter: string, limit: number): MilvusError {
  return new MilvusError(Code.RateLimit, `${who} ${has} bytes of writes that wait for a flush, ${more} more are beyond ${parameter}=${limit}: flush, then retry`)
}
