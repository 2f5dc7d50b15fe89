/**
 * The state machine of a data node's channel: what is buffered per shard, when it is sealed, and from where the channel would
 * have to be read again. Synchronous; the flush itself is somebody else's.
 */
import type { MsgPosition } from '@timetick/msgstream'
import type { DmlItem, DmlPack } from '../channel/dml-pack.ts'
import type { MetaReader } from '../coordinator/api.ts'
import type { RowBatch } from '../model/column.ts'
import type { PrimaryKeys } from '../model/primary-keys.ts'
import { StepMeter, type Steps } from '../segment/steps.ts'
import { keysOf, rowsOf } from '../writer/log-messages.ts'
import { ShardBuffer, type SealedBuffer, type ShardKey, rowsThrough } from './shard-buffer.ts'

export interface SealPolicy {
  /** A shard with so many buffered bytes is sealed. */
  readonly sealBytes: number
  /** A shard whose first buffered write is so old is sealed, so that the log can be cut. */
  readonly sealIdleMs: number
}

interface FlushWish {
  readonly ts: bigint
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

const MAX_TS = 2n ** 64n - 1n

export class ChannelBuffers {
  readonly #meta: MetaReader
  readonly #policy: SealPolicy
  readonly #buffers = new Map<string, ShardBuffer>()
  readonly #wishes = new Map<string, { readonly key: ShardKey; waiting: FlushWish[] }>()
  /** Sealed, not yet saved: they hold the checkpoint back. */
  readonly #inFlight = new Set<SealedBuffer>()
  #end: MsgPosition | undefined
  #tick = 0n

  constructor(meta: MetaReader, policy: SealPolicy) {
    this.#meta = meta
    this.#policy = policy
  }

  /** Everything up to here has been buffered. */
  get tick(): bigint {
    return this.#tick
  }

  /** Somebody waits for a flush. */
  get hasWishes(): boolean {
    return this.#wishes.size > 0
  }

  get bufferedBytes(): number {
    let bytes = 0
    for (const buffer of this.#buffers.values()) bytes += buffer.bytes
    for (const sealed of this.#inFlight) bytes += sealed.bytes
    return bytes
  }

  /** Collections with rows that no segment holds yet. */
  *unflushedCollections(): Iterable<bigint> {
    for (const { key, rowCount } of this.#buffers.values()) if (rowCount > 0) yield key.collectionId
    for (const { collectionId } of this.#inFlight) yield collectionId
  }

  /**
   * Rows of a collection that no segment holds yet.
   * @param throughTs rows behind it are left out: other channels may not have theirs of the same commit yet
   */
  unflushedRows(collectionId: bigint, partitionId: bigint | undefined, throughTs?: bigint): number {
    let rows = 0
    for (const buffer of this.#buffers.values()) {
      if (buffer.key.collectionId !== collectionId) continue
      if (throughTs !== undefined) rows += buffer.rowsThrough(throughTs, partitionId)
      else rows += partitionId === undefined ? buffer.rowCount : buffer.rowsIn(partitionId)
    }
    for (const sealed of this.#inFlight) {
      if (sealed.collectionId !== collectionId) continue
      rows += rowsThrough(sealed.partitions, throughTs ?? MAX_TS, partitionId)
    }
    return rows
  }

  /** Decodes what will be kept of a step of the log: a flush of a client may bring more than a turn of the event loop can decode. */
  *decodeSteps({ items }: DmlPack): Steps<DecodedItems> {
    const decoded = new Map<DmlItem, Decoded>()
    const meter = new StepMeter()
    for (const item of items) {
      if (!this.#keeps(item.header)) continue
      decoded.set(item, decode(item))
      if (meter.spend(0, item.message.body.length)) yield
    }
    return decoded
  }

  /**
   * Take a step of the log: what was written at one timestamp is there at once, as who counts rows sees it.
   * @param decoded what was decoded before; the rest is decoded now
   * @returns buffers that are to be flushed now, in order
   */
  take(pack: DmlPack, now: number, decoded?: DecodedItems): SealedBuffer[] {
    for (const item of pack.items) this.#takeItem(item, decoded?.get(item), pack.startPosition, now)
    this.#tick = pack.timeTick
    this.#end = pack.endPosition
    const due: SealedBuffer[] = []
    for (const [name, buffer] of this.#buffers) {
      if (this.#shouldSeal(name, buffer, now)) due.push(this.#seal(name, buffer.key))
    }
    for (const [name, { key, waiting }] of this.#wishes) {
      if (!this.#buffers.has(name) && !this.#isInFlight(key) && waiting.some((wish) => wish.ts <= this.#tick)) due.push(this.#seal(name, key))
    }
    return due
  }

  /** Resolves when the shard is flushed up to `ts`. The caller sees to it that a tick comes. */
  flush(key: ShardKey, ts: bigint): Promise<void> {
    if (this.#meta.flushedTs(key.collectionId, key.vchannel) >= ts) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const name = nameOf(key)
      const wish = { ts, resolve, reject }
      const known = this.#wishes.get(name)
      if (known === undefined) this.#wishes.set(name, { key, waiting: [wish] })
      else known.waiting.push(wish)
    })
  }

  /** The flush of this buffer is in the metadata. */
  saved(sealed: SealedBuffer): void {
    this.#inFlight.delete(sealed)
    this.#settle(sealed, (wish) => wish.ts <= sealed.endTs)
  }

  /** A collection is gone, and so is what was buffered of it. */
  drop(collectionId: bigint): void {
    for (const [name, buffer] of this.#buffers) if (buffer.key.collectionId === collectionId) this.#buffers.delete(name)
    for (const { key } of this.#wishes.values()) if (key.collectionId === collectionId) this.#settle(key, () => true)
  }

  dropPartition(collectionId: bigint, partitionId: bigint): void {
    for (const buffer of this.#buffers.values()) if (buffer.key.collectionId === collectionId) buffer.dropPartition(partitionId)
  }

  truncate(collectionId: bigint, ts: bigint): void {
    for (const buffer of this.#buffers.values()) if (buffer.key.collectionId === collectionId) buffer.truncate(ts)
  }

  fail(error: Error): void {
    for (const { waiting } of this.#wishes.values()) for (const wish of waiting) wish.reject(error)
    this.#wishes.clear()
  }

  /** Reading the channel from here gives all that no segment holds. Undefined before the first step. */
  checkpoint(): MsgPosition | undefined {
    let oldest = this.#end
    const consider = (position: MsgPosition | undefined): void => {
      if (position !== undefined && oldest !== undefined && position.timestamp < oldest.timestamp) oldest = position
    }
    for (const buffer of this.#buffers.values()) consider(buffer.startPosition)
    for (const sealed of this.#inFlight) consider(sealed.startPosition)
    return oldest
  }

  #keeps({ collectionId, partitionId, vchannel, ts }: DmlItem['header']): boolean {
    const collection = this.#meta.collectionById(collectionId)
    if (collection === undefined || ts <= this.#meta.flushedTs(collectionId, vchannel) || ts <= collection.truncatedTs) return false
    return partitionId === 0n || collection.partitions.some(({ id }) => id === partitionId)
  }

  #takeItem(item: DmlItem, decoded: Decoded | undefined, position: MsgPosition, now: number): void {
    const { header, message } = item
    if (!this.#keeps(header)) return
    const { collectionId, partitionId, vchannel, ts } = header
    const buffer = this.#open({ collectionId, vchannel })
    const { rows, keys } = decoded ?? decode(item)
    if (rows !== undefined) buffer.addRows(partitionId, rows, ts, message.body.length, position, now)
    if (keys !== undefined) buffer.addDelete({ partitionId, keys, ts }, message.body.length, position, now)
  }

  #open(key: ShardKey): ShardBuffer {
    const name = nameOf(key)
    let buffer = this.#buffers.get(name)
    if (buffer === undefined) this.#buffers.set(name, (buffer = new ShardBuffer(key)))
    return buffer
  }

  #shouldSeal(name: string, buffer: ShardBuffer, now: number): boolean {
    // One flush of a shard at a time: their time ranges must be saved in order.
    if (this.#isInFlight(buffer.key)) return false
    if (buffer.bytes >= this.#policy.sealBytes || now - buffer.openedAt >= this.#policy.sealIdleMs) return true
    return this.#wishes.get(name)?.waiting.some((wish) => wish.ts <= this.#tick) ?? false
  }

  #seal(name: string, key: ShardKey): SealedBuffer {
    const sealed = (this.#buffers.get(name) ?? new ShardBuffer(key)).seal(this.#tick)
    this.#buffers.delete(name)
    this.#inFlight.add(sealed)
    return sealed
  }

  #isInFlight(key: ShardKey): boolean {
    for (const sealed of this.#inFlight) if (sealed.collectionId === key.collectionId && sealed.vchannel === key.vchannel) return true
    return false
  }

  #settle(key: ShardKey, done: (wish: FlushWish) => boolean): void {
    const entry = this.#wishes.get(nameOf(key))
    if (entry === undefined) return
    for (const wish of entry.waiting) if (done(wish)) wish.resolve()
    entry.waiting = entry.waiting.filter((wish) => !done(wish))
    if (entry.waiting.length === 0) this.#wishes.delete(nameOf(key))
  }
}

interface Decoded {
  readonly rows?: RowBatch
  readonly keys?: PrimaryKeys
}

export type DecodedItems = ReadonlyMap<DmlItem, Decoded>

function decode({ header, message }: DmlItem): Decoded {
  return header.kind === 'insert' ? { rows: rowsOf(message) } : { keys: keysOf(message) }
}

function nameOf({ collectionId, vchannel }: ShardKey): string {
  return `${collectionId}/${vchannel}`
}
