/** One channel on disk: group commit on one side, readers on the other. */
import type { Clock } from '../clock.ts'
import { yieldToLoop } from '../edge.ts'
import { MsgStreamError } from '../errors.ts'
import type { ChannelLog } from '../log-reader.ts'
import { Signal } from '../signal.ts'
import { TransientRing } from '../transients.ts'
import { Batch, BatchWriter } from './batch.ts'
import { CommitMark } from './commit-mark.ts'
import { asDiskFull, DiskFull, fullError } from './disk-full.ts'
import type { FileSystem, OpenFile } from './file-system.ts'
import { writeFully } from './file-system.ts'
import { Fenced, type Health } from './health.ts'
import type { Manifest } from './manifest.ts'
import { recoverSegment, type DroppedTail } from './recover.ts'
import type { Segment } from './segment.ts'
import { Segments } from './segments.ts'
import { TailCache } from './tail-cache.ts'

export interface FileLogOptions {
  readonly fs: FileSystem
  readonly clock: Clock
  readonly health: Health
  readonly manifest: Manifest
  /** A tail was cut off. */
  readonly onDropped: (dropped: DroppedTail) => void
  readonly segmentBytes: number
  readonly sync: 'commit' | 'interval'
  readonly syncIntervalMs: number
  readonly tailCacheBytes: number
  readonly maxPendingBytes: number
  readonly maxBatchBytes: number
  readonly retentionBytes: number
  readonly retentionMs: number
}

export class FileLog implements ChannelLog {
  readonly channel: string
  readonly backend = 'file'
  readonly transients = new TransientRing()
  readonly changed = new Signal()
  failure: MsgStreamError | undefined
  end = 0
  readonly #options: FileLogOptions
  readonly #segments: Segments
  readonly #cache: TailCache
  readonly #writer = new BatchWriter()
  #batches: Batch[] = []
  #next = 0
  #pendingBytes = 0
  #flushing: Promise<void> | undefined
  #out: OpenFile | undefined
  /** The newest segment was made by this writer: no other one can have it open. */
  #isOwn = false
  /** What a crash left behind the end is gone. */
  #isRecovered = false
  readonly #mark: CommitMark
  #dirty = false
  #syncing: Promise<void> | undefined
  #cancelSync: (() => void) | undefined
  #closing = false

  constructor(channel: string, folder: string, options: FileLogOptions) {
    this.channel = channel
    this.#options = options
    this.#segments = new Segments(options.fs, folder)
    this.#cache = new TailCache(options.tailCacheBytes)
    this.#mark = new CommitMark(options.fs, folder)
  }

  get first(): number {
    return this.#segments.oldest?.base ?? this.end
  }

  /** A new channel: its folder is empty. */
  async create(): Promise<void> {
    await this.#segments.create(0, this.#options.manifest.epoch, this.#options.clock.now())
    this.#isOwn = this.#isRecovered = true
    await this.#mark.open(0)
  }

  /** Bring up what is on disk. Where there is no room to take the folder, the tail is cut before the first write. */
  async open(): Promise<void> {
    await this.#segments.load()
    this.end = this.#next = await this.#recover()
    await this.#mark.open(this.end)
    await this.#retain()
  }

  /** Gives the offset behind the last sound frame. */
  async #recover(): Promise<number> {
    const { fs, manifest, onDropped } = this.#options
    const newest = this.#segments.newest
    const cut = manifest.isTaken
    const { end, dropped } = newest === undefined ? { end: 0, dropped: 0 } : await recoverSegment(fs, newest, cut)
    if (newest !== undefined && dropped > 0) onDropped({ channel: this.channel, path: newest.path, from: newest.size, bytes: dropped })
    this.#isRecovered = cut
    return end
  }

  /** Lay frames into the next group; resolves with the first one's offset. */
  append(frames: readonly Uint8Array[]): Promise<number> {
    this.#checkWritable()
    if (frames.length === 0) return Promise.resolve(this.#next)
    let bytes = 0
    for (const frame of frames) bytes += frame.length
    if (this.#pendingBytes > 0 && this.#pendingBytes + bytes > this.#options.maxPendingBytes) {
      throw new MsgStreamError('MSG_FULL', `channel ${this.channel} has ${this.#pendingBytes} bytes waiting for the disk`, { outcome: 'not-applied' })
    }
    let batch = this.#batches[this.#batches.length - 1]
    if (batch === undefined || batch.bytes >= this.#options.maxBatchBytes) this.#batches.push((batch = new Batch(this.#next)))
    const first = this.#next
    for (let i = 0; i < frames.length; i++) this.#writer.add(batch, frames[i] as Uint8Array)
    this.#next += frames.length
    this.#pendingBytes += bytes
    this.#flushing ??= this.#flush()
    const { waiters } = batch
    return new Promise((resolve, reject) => waiters.push({ first, count: frames.length, resolve, reject }))
  }

  handOver(frame: Uint8Array): void {
    this.#checkWritable()
    this.transients.push(frame.slice(), this.#next)
    if (this.#next === this.end) this.changed.notify()
  }

  #checkWritable(): void {
    if (this.failure !== undefined) throw this.failure
    if (this.#closing) throw new MsgStreamError('MSG_CLOSED', 'the queue is closed', { outcome: 'not-applied' })
    if (this.#options.health.failed) throw this.#options.health.error('not-applied')
  }

  async #flush(): Promise<void> {
    while (this.#batches.length > 0) {
      // One turn of the loop: all who were woken by the last commit can join this one.
      await yieldToLoop()
      const batch = this.#batches.shift() as Batch
      if (this.#options.health.failed || this.failure !== undefined) this.#reject(batch, this.failure ?? this.#options.health.error('not-applied'))
      else await this.#commit(batch)
    }
    this.#flushing = undefined
  }

  async #commit(batch: Batch): Promise<void> {
    const { health, manifest } = this.#options
    let segment: Segment
    try {
      segment = await this.#segmentFor()
      this.#out ??= await this.#options.fs.open(segment.path, 'write')
    } catch (error) {
      if (error instanceof DiskFull) return this.#refuse(batch, fullError(`channel ${this.channel}`, error))
      if (error instanceof MsgStreamError && error.retryable) return this.#refuse(batch, error)
      health.fail(error)
      return this.#reject(batch, health.error('not-applied'))
    }
    const begin = segment.size
    try {
      batch.seal(manifest.epoch, begin, (offset, position) => segment.note(offset, position))
      let position = begin
      for (const { buffer, start, end } of batch.parts) {
        await writeFully(this.#out, buffer.subarray(start, end), position).catch(asDiskFull)
        position += end - start
      }
      // Behind the write: who takes over after this finds what was written.
      const held = manifest.isHeld()
      held.catch(() => {})
      if (this.#options.sync === 'commit') await this.#out.datasync()
      else this.#syncLater()
      if (!(await held)) throw new Fenced()
      segment.size = position
    } catch (error) {
      if (error instanceof DiskFull && (await this.#takeBack(segment, begin))) return this.#refuse(batch, fullError(`channel ${this.channel}`, error))
      return this.#failed(batch, error)
    }
    segment.modified = this.#options.clock.now()
    this.end = batch.first + batch.count
    this.#mark.move(this.end)
    this.#cache.add(batch.parts)
    this.#settle(batch)
    for (const { first, resolve } of batch.waiters) resolve(first)
    this.changed.notify()
  }

  /**
   * Remove what a write left that the disk had no room for. Synced: else it could come back with a power cut, behind frames that
   * are written here later.
   */
  async #takeBack(segment: Segment, begin: number): Promise<boolean> {
    try {
      await this.#out?.truncate(begin)
      await this.#out?.datasync()
      segment.forget(this.end)
      return true
    } catch {
      return false
    }
  }

  /** Nothing of these groups is there, and they may be sent again. Those that wait go too: their offsets are behind. */
  #refuse(batch: Batch, error: MsgStreamError): void {
    for (const refused of [batch, ...this.#batches.splice(0)]) this.#reject(refused, error)
    this.#next = this.end
    this.transients.dropBehind(this.end)
    this.changed.notify()
  }

  /** Whatever failed leaves unknown what the disk holds. */
  #failed(batch: Batch, failure: unknown): void {
    const error = failure instanceof DiskFull ? failure.cause : failure
    this.#options.health.fail(error)
    if (error instanceof Fenced) return this.#reject(batch, this.#options.health.error('unknown'))
    const details = { code: (error as { code?: string }).code }
    this.#reject(batch, new MsgStreamError('MSG_STORAGE_FAILED', `writing channel ${this.channel} failed: ${String(error)}`, { cause: error, outcome: 'unknown', details }))
  }

  #settle(batch: Batch): void {
    for (const { start, end, count } of batch.parts) this.#pendingBytes -= end - start - 28 * count
  }

  #reject(batch: Batch, error: unknown): void {
    this.#settle(batch)
    for (const { reject } of batch.waiters) reject(error)
  }

  /** The newest segment, or a new one when that is full. */
  async #segmentFor(): Promise<Segment> {
    const newest = this.#segments.newest
    if (this.#isOwn && newest !== undefined && newest.size < this.#options.segmentBytes) return newest
    await this.#options.manifest.take()
    if (!this.#isRecovered) await this.#recoverLate()
    await this.#checkHeld()
    await this.#syncNow()
    await this.#out?.close()
    this.#out = undefined
    const segment = await this.#segments.create(this.end, this.#options.manifest.epoch, this.#options.clock.now()).catch(asDiskFull)
    this.#isOwn = true
    await this.#retain()
    return segment
  }

  /** The folder is ours only now: what a writer of before acknowledged until then counts. */
  async #recoverLate(): Promise<void> {
    const end = await this.#recover()
    if (end === this.end) return
    if (end < this.end) throw new Error(`channel ${this.channel} ended at ${this.end} and ends at ${end} now`)
    this.end = end
    throw new MsgStreamError('MSG_UNAVAILABLE', `channel ${this.channel} was written by another process until now`, { outcome: 'not-applied' })
  }

  /** Before anything is made or deleted. */
  async #checkHeld(): Promise<void> {
    if (!(await this.#options.manifest.isHeld())) throw new Fenced()
  }

  async #retain(): Promise<void> {
    const { retentionBytes, retentionMs, clock } = this.#options
    const oldest = clock.now() - retentionMs
    if (await this.#segments.dropWhile((segment, _, total) => total > retentionBytes || segment.modified < oldest)) this.changed.notify()
  }

  #syncLater(): void {
    this.#dirty = true
    this.#cancelSync ??= this.#options.clock.setTimer(() => {
      this.#cancelSync = undefined
      this.#syncing = this.#syncNow().catch((error: unknown) => this.#options.health.fail(error))
    }, this.#options.syncIntervalMs)
  }

  async #syncNow(): Promise<void> {
    if (!this.#dirty || this.#options.health.failed) return
    this.#dirty = false
    await this.#out?.datasync()
  }

  collect(from: number, until: number, maxMessages: number, maxBytes: number, out: Uint8Array[]): void | Promise<void> {
    if (this.#cache.collect(from, until, maxMessages, maxBytes, out)) return undefined
    const found = this.#segments.find(from)
    if (found === undefined) throw new MsgStreamError('MSG_CORRUPT', `channel ${this.channel} has no segment for offset ${from}`, { details: { offset: from } })
    this.#segments.limitOpen(found.segment)
    return found.segment.read(from, { until: Math.min(until, found.next), maxMessages, maxBytes }, out)
  }

  async truncate(before: number): Promise<void> {
    await this.#checkHeld().catch((error: unknown) => {
      this.#options.health.fail(error)
      throw this.#options.health.error('not-applied')
    })
    if (await this.#segments.dropWhile((_, next) => next.base <= before)) this.changed.notify()
  }

  /** No more writes; waits for those under way, then ends readers with this error. */
  async close(error: MsgStreamError): Promise<void> {
    this.#closing = true
    await this.#flushing
    this.#cancelSync?.()
    await this.#syncing
    await this.#syncNow().catch((cause: unknown) => this.#options.health.fail(cause))
    this.failure ??= error
    this.changed.notify()
    this.#cache.clear()
    await this.#out?.close().catch(() => {})
    await this.#mark.close()
    await this.#segments.close()
  }
}
