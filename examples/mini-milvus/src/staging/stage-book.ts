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

export interface Stage {
  readonly client: string
  entries: Entry[]
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
      stage = { client, entries: [], bytes: 0, spilledBytes: 0, file: undefined, isDiscarded: false, spilling: Promise.resolve() }
      this.#stages.set(client, stage)
    }
    stage.entries.push(entry)
    stage.bytes += entry.bytes
    this.#bytes += entry.bytes
    return entry
  }

  /** @returns what is left without an entry and is to be forgotten with its file */
  drop(client: string, gone: (entry: Entry) => boolean): { readonly rows: number; readonly file: SpillFile | undefined } {
    const stage = this.#stages.get(client)
    if (stage === undefined) return { rows: 0, file: undefined }
    let rows = 0
    stage.entries = stage.entries.filter((entry) => {
      if (!gone(entry)) return true
      rows += entry.rows
      stage.bytes -= entry.bytes
      if (entry.spilled !== undefined) stage.spilledBytes -= spilledBytes(entry)
      this.#bytes -= entry.bytes
      return false
    })
    if (stage.entries.length > 0) return { rows, file: undefined }
    this.#stages.delete(client)
    return { rows, file: stage.file }
  }

  /** A partition is gone: rows and keys of it are no longer part of what was staged. */
  dropPartition(collectionId: bigint, partitionId: bigint): number {
    let dropped = 0
    for (const { client, entries } of this.stages()) {
      const before = entries.filter((entry) => entry.collectionId === collectionId)
      if (before.length === 0) continue
      const kept = new Map(before.map((entry) => [entry, withoutPartition(entry, partitionId)]))
      dropped += before.reduce((sum, entry) => sum + entry.rows - (kept.get(entry)?.rows ?? 0), 0)
      const stage = this.#stages.get(client) as Stage
      for (const [entry, left] of kept) {
        stage.bytes -= entry.bytes - (left?.bytes ?? 0)
        this.#bytes -= entry.bytes - (left?.bytes ?? 0)
      }
      stage.entries = stage.entries.map((entry) => (kept.has(entry) ? kept.get(entry) : entry)).filter((entry) => entry !== undefined)
    }
    return dropped
  }

  describe(): ClientStage[] {
    return [...this.#stages.values()].map(({ client, entries, bytes, spilledBytes }) => ({
      client,
      collectionIds: [...new Set(entries.map(({ collectionId }) => collectionId))],
      rows: entries.reduce((sum, { rows }) => sum + rows, 0),
      deletes: entries.reduce((sum, { deletes }) => sum + deletes, 0),
      bytes,
      spilledBytes,
      since: entries.reduce((oldest, { at }) => Math.min(oldest, at), Infinity),
    }))
  }
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
