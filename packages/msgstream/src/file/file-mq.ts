/** The folder: its lock, its manifest, its channels. */
import { checkChannel, checkFrames, checkStart, throwIfAborted } from '../check.ts'
import { MsgStreamError } from '../errors.ts'
import type { MqFeatures } from '../features.ts'
import type { FileMq } from '../file.ts'
import { LogReader } from '../log-reader.ts'
import type { CallOptions, MessageId, MqProducer, MqReader, StartPosition } from '../mq.ts'
import { OffsetId, offsetOf } from '../offset-id.ts'
import { orAborted } from '../signal.ts'
import { DiskFull, orFull } from './disk-full.ts'
import { FileLog, type FileLogOptions } from './file-log.ts'
import type { FolderLock, LockFolder } from './file-system.ts'
import { Health } from './health.ts'
import { Manifest } from './manifest.ts'
import type { DroppedTail } from './recover.ts'

export interface FileMqConfig extends Omit<FileLogOptions, 'health' | 'manifest' | 'onDropped'> {
  readonly path: string
  readonly lock: LockFolder
}

const backend = 'file'

export class FileMqImpl implements FileMq {
  readonly features: MqFeatures
  readonly droppedTails: DroppedTail[] = []
  readonly #config: FileMqConfig
  readonly #lock: FolderLock
  readonly #health = new Health()
  readonly #logs = new Map<string, Promise<FileLog>>()
  readonly #deleting = new Map<string, Promise<void>>()
  readonly #readers = new Set<LogReader>()
  readonly #manifest: Manifest
  #closed: Promise<void> | undefined

  private constructor(config: FileMqConfig, lock: FolderLock, manifest: Manifest) {
    this.#config = config
    this.#lock = lock
    this.#manifest = manifest
    this.features = Object.freeze({
      backend,
      durability: config.sync === 'commit' ? 'power' : 'process',
      transient: true,
      truncate: true,
      atomicBroadcast: false,
      sharing: 'readers',
      maxFrameBytes: 64 << 20,
    })
  }

  static async open(config: FileMqConfig): Promise<FileMqImpl> {
    const { fs, path } = config
    const parent = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) || '/' : '.'
    await orFull(`the folder ${path}`, fs.mkdir(`${path}/channels`))
    await fs.syncFolder(parent)
    await fs.syncFolder(path)
    const lock = await orFull(`the lock of ${path}`, config.lock(path))
    const manifest = await Manifest.open(fs, path).catch(async (error: unknown) => {
      await lock.release()
      throw error
    })
    const mq = new FileMqImpl(config, lock, manifest)
    try {
      await mq.#take()
      await mq.#load()
      return mq
    } catch (error) {
      await mq.close()
      throw error
    }
  }

  /** A full disk can be read; the first write that finds room takes the folder. */
  async #take(): Promise<void> {
    await this.#manifest.take().catch((error: unknown) => {
      if (!(error instanceof DiskFull)) throw error
    })
  }

  async #load(): Promise<void> {
    for (const name of ((await this.#config.fs.list(this.#folder())) ?? []).sort()) {
      if (name.startsWith('.')) await this.#remove(this.#folder(name))
      else await this.#open(name)
    }
  }

  #folder(name?: string): string {
    return name === undefined ? `${this.#config.path}/channels` : `${this.#config.path}/channels/${name}`
  }

  #open(channel: string): Promise<FileLog> {
    const log = this.#newLog(channel)
    const opened = log.open().then(() => log)
    this.#logs.set(channel, opened)
    opened.catch(() => this.#logs.delete(channel))
    return opened
  }

  #newLog(channel: string): FileLog {
    const onDropped = (dropped: DroppedTail): void => void this.droppedTails.push(dropped)
    return new FileLog(channel, this.#folder(channel), { ...this.#config, health: this.#health, manifest: this.#manifest, onDropped })
  }

  get healthy(): boolean {
    return !this.#health.failed
  }

  async createChannel(channel: string, options?: CallOptions): Promise<void> {
    checkChannel(channel)
    this.#check(options)
    await this.#deleting.get(channel)
    await (this.#logs.get(channel) ?? this.#create(channel))
  }

  #create(channel: string): Promise<FileLog> {
    const created = orFull(`channel ${channel}`, this.#make(channel))
    this.#logs.set(channel, created)
    created.catch(() => this.#logs.delete(channel))
    return created
  }

  async #make(channel: string): Promise<FileLog> {
    const { fs } = this.#config
    await this.#manifest.take()
    await fs.mkdir(this.#folder(channel))
    const log = this.#newLog(channel)
    try {
      await log.create()
      await fs.syncFolder(this.#folder())
      return log
    } catch (error) {
      // Half a channel would be there at the next opening.
      await log.close(new MsgStreamError('MSG_CLOSED', `channel ${channel} could not be made`))
      await this.#remove(this.#folder(channel)).catch(() => {})
      throw error
    }
  }

  async deleteChannel(channel: string, options?: CallOptions): Promise<void> {
    checkChannel(channel)
    this.#check(options)
    const log = this.#logs.get(channel)
    if (log === undefined) return this.#deleting.get(channel)
    this.#logs.delete(channel)
    const deleting = this.#delete(channel, log).finally(() => this.#deleting.delete(channel))
    this.#deleting.set(channel, deleting)
    await deleting
  }

  // The rename makes it one step: after a crash the channel is there, or it is gone and its files are swept at opening.
  async #delete(channel: string, log: Promise<FileLog>): Promise<void> {
    const { fs } = this.#config
    await (await log).close(new MsgStreamError('MSG_CHANNEL_NOT_FOUND', `channel ${channel} was deleted`, { outcome: 'not-applied' }))
    const gone = this.#folder(`.deleted-${channel}`)
    await fs.rename(this.#folder(channel), gone)
    await fs.syncFolder(this.#folder())
    await this.#remove(gone)
  }

  async #remove(folder: string): Promise<void> {
    const { fs } = this.#config
    for (const name of (await fs.list(folder)) ?? []) await fs.unlink(`${folder}/${name}`)
    await fs.rmdir(folder)
  }

  async listChannels(options?: CallOptions): Promise<string[]> {
    this.#check(options)
    return [...this.#logs.keys()].sort()
  }

  async openProducer(channel: string, options?: CallOptions): Promise<MqProducer> {
    await this.createChannel(channel, options)
    return new FileProducer(await this.#log(channel), this.features.maxFrameBytes)
  }

  async openReader(channel: string, start: StartPosition, options?: CallOptions): Promise<MqReader> {
    checkChannel(channel)
    checkStart(start)
    this.#check(options)
    const reader = new LogReader(await this.#log(channel), start, (it) => this.#readers.delete(it))
    this.#readers.add(reader)
    return reader
  }

  async bounds(channel: string, options?: CallOptions): Promise<{ first: MessageId | undefined; last: MessageId | undefined }> {
    checkChannel(channel)
    this.#check(options)
    const { first, end } = await this.#log(channel)
    if (first >= end) return { first: undefined, last: undefined }
    return { first: new OffsetId(backend, first), last: new OffsetId(backend, end - 1) }
  }

  async truncate(channel: string, before: MessageId, options?: CallOptions): Promise<void> {
    checkChannel(channel)
    const offset = offsetOf(before, backend, 'before')
    this.#check(options)
    await (await this.#log(channel)).truncate(offset)
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    const error = new MsgStreamError('MSG_CLOSED', 'the queue is closed', { outcome: 'not-applied' })
    await Promise.allSettled([...this.#readers].map((it) => it.close()))
    await Promise.allSettled([...this.#logs.values()].map(async (log) => (await log).close(error)))
    await Promise.allSettled(this.#deleting.values())
    await this.#manifest.close().catch(() => {})
    await this.#lock.release()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #check(options: CallOptions | undefined): void {
    throwIfAborted(options)
    if (this.#closed !== undefined) throw new MsgStreamError('MSG_CLOSED', 'the queue is closed', { outcome: 'not-applied' })
  }

  async #log(channel: string): Promise<FileLog> {
    const log = await this.#logs.get(channel)
    if (log === undefined) throw new MsgStreamError('MSG_CHANNEL_NOT_FOUND', `channel ${channel} does not exist`)
    return log
  }
}

class FileProducer implements MqProducer {
  readonly channel: string
  readonly #log: FileLog
  readonly #maxFrameBytes: number
  #last: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(log: FileLog, maxFrameBytes: number) {
    this.channel = log.channel
    this.#log = log
    this.#maxFrameBytes = maxFrameBytes
  }

  async send(frames: readonly Uint8Array[], options?: CallOptions): Promise<MessageId[]> {
    checkFrames(frames)
    throwIfAborted(options)
    for (const frame of frames) this.#check(frame)
    const appended = this.#log.append(frames)
    this.#last = appended.catch(() => {})
    let offset = await orAborted(appended, options?.signal)
    return frames.map(() => new OffsetId(backend, offset++))
  }

  sendTransient(frame: Uint8Array): void {
    checkFrames([frame])
    this.#check(frame)
    this.#log.handOver(frame)
  }

  /** Waits for what was sent. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#last
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #check(frame: Uint8Array): void {
    if (this.#closed) throw new MsgStreamError('MSG_CLOSED', `the producer of channel ${this.channel} is closed`, { outcome: 'not-applied' })
    if (frame.length > this.#maxFrameBytes) {
      throw new MsgStreamError('MSG_TOO_LARGE', `a frame of ${frame.length} bytes, at most ${this.#maxFrameBytes}`, { outcome: 'not-applied' })
    }
  }
}
