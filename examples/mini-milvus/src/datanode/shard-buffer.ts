/** Rows and deletes of one shard that are in the log but not in segments yet. */
import type { MsgPosition } from '@timetick/msgstream'
import type { RowBatch } from '../model/column.ts'
import type { PrimaryKeys } from '../model/primary-keys.ts'

export interface BufferedRows {
  readonly rows: RowBatch
  readonly ts: bigint
}

export interface BufferedDelete {
  /** 0n: in all partitions. */
  readonly partitionId: bigint
  readonly keys: PrimaryKeys
  readonly ts: bigint
}

export interface ShardKey {
  readonly collectionId: bigint
  readonly vchannel: string
}

/** A buffer as it was sealed: everything of the shard with `ts <= endTs` that was not in segments. */
export interface SealedBuffer extends ShardKey {
  readonly endTs: bigint
  readonly partitions: ReadonlyMap<bigint, readonly BufferedRows[]>
  readonly deletes: readonly BufferedDelete[]
  readonly rowCount: number
  readonly bytes: number
  /** Reading the channel again from here gives all of it. Undefined: it is empty. */
  readonly startPosition: MsgPosition | undefined
}

export class ShardBuffer {
  readonly key: ShardKey
  readonly #partitions = new Map<bigint, BufferedRows[]>()
  #deletes: BufferedDelete[] = []
  #rowCount = 0
  #bytes = 0
  #startPosition: MsgPosition | undefined
  #openedAt = 0

  constructor(key: ShardKey) {
    this.key = key
  }

  get rowCount(): number {
    return this.#rowCount
  }

  get bytes(): number {
    return this.#bytes
  }

  get isEmpty(): boolean {
    return this.#startPosition === undefined
  }

  get startPosition(): MsgPosition | undefined {
    return this.#startPosition
  }

  /** Monotonic ms of the first write in it. */
  get openedAt(): number {
    return this.#openedAt
  }

  rowsIn(partitionId: bigint): number {
    return rowsOf(this.#partitions.get(partitionId) ?? [])
  }

  /** At or below `ts`. @param partitionId undefined: in all */
  rowsThrough(ts: bigint, partitionId: bigint | undefined): number {
    return rowsThrough(this.#partitions, ts, partitionId)
  }

  addRows(partitionId: bigint, rows: RowBatch, ts: bigint, bytes: number, position: MsgPosition, now: number): void {
    const list = this.#partitions.get(partitionId)
    if (list === undefined) this.#partitions.set(partitionId, [{ rows, ts }])
    else list.push({ rows, ts })
    this.#rowCount += rows.length
    this.#touch(bytes, position, now)
  }

  addDelete(record: BufferedDelete, bytes: number, position: MsgPosition, now: number): void {
    this.#deletes.push(record)
    this.#touch(bytes, position, now)
  }

  dropPartition(partitionId: bigint): void {
    this.#rowCount -= this.rowsIn(partitionId)
    this.#partitions.delete(partitionId)
  }

  /** What was written at or below `ts` is gone. */
  truncate(ts: bigint): void {
    for (const [partitionId, list] of this.#partitions) {
      const kept = list.filter((part) => part.ts > ts)
      this.#rowCount -= rowsOf(list) - rowsOf(kept)
      if (kept.length === 0) this.#partitions.delete(partitionId)
      else this.#partitions.set(partitionId, kept)
    }
    this.#deletes = this.#deletes.filter((record) => record.ts > ts)
  }

  seal(endTs: bigint): SealedBuffer {
    return {
      ...this.key,
      endTs,
      partitions: this.#partitions,
      deletes: this.#deletes,
      rowCount: this.#rowCount,
      bytes: this.#bytes,
      startPosition: this.#startPosition,
    }
  }

  #touch(bytes: number, position: MsgPosition, now: number): void {
    this.#bytes += bytes
    if (this.#startPosition !== undefined) return
    this.#startPosition = position
    this.#openedAt = now
  }
}

/** How many rows of these, of a partition or of all, are at or below `ts`. */
export function rowsThrough(partitions: SealedBuffer['partitions'], ts: bigint, partitionId: bigint | undefined): number {
  let rows = 0
  for (const [id, parts] of partitions) if (partitionId === undefined || id === partitionId) rows += rowsOf(parts.filter((part) => part.ts <= ts))
  return rows
}

function rowsOf(parts: readonly BufferedRows[]): number {
  return parts.reduce((sum, { rows }) => sum + rows.length, 0)
}
