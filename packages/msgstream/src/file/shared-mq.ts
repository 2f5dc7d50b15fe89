/** The folder as other processes see it: they read, one process writes. */
import { checkChannel, checkStart, throwIfAborted } from '../check.ts'
import { MsgStreamError } from '../errors.ts'
import type { MqFeatures } from '../features.ts'
import type { FileMq } from '../file.ts'
import { LogReader } from '../log-reader.ts'
import type { CallOptions, MessageId, MqProducer, MqReader, StartPosition } from '../mq.ts'
import { OffsetId } from '../offset-id.ts'
import type { DroppedTail } from './recover.ts'
import { checkManifest } from './manifest.ts'
import { SharedLog, type SharedLogOptions } from './shared-log.ts'

export interface SharedMqConfig extends SharedLogOptions {
  readonly path: string
}

const backend = 'file'

export class SharedFileMq implements FileMq {
  readonly features: MqFeatures = Object.freeze({
    backend,
    durability: 'process',
    transient: false,
    truncate: false,
    atomicBroadcast: false,
    sharing: 'readers',
    maxFrameBytes: 64 << 20,
  })
  readonly droppedTails: readonly DroppedTail[] = []
  readonly healthy = true
  readonly #config: SharedMqConfig
  readonly #logs = new Map<string, Promise<SharedLog>>()
  readonly #readers = new Set<LogReader>()
  #isClosed = false

  private constructor(config: SharedMqConfig) {
    this.#config = config
  }

  static async open(config: SharedMqConfig): Promise<SharedFileMq> {
    await checkManifest(config.fs, config.path)
    return new SharedFileMq(config)
  }

  createChannel(): Promise<void> {
    return this.#refuse()
  }

  deleteChannel(): Promise<void> {
    return this.#refuse()
  }

  openProducer(): Promise<MqProducer> {
    return this.#refuse()
  }

  truncate(): Promise<void> {
    return this.#refuse()
  }

  async #refuse(): Promise<never> {
    throw new MsgStreamError('MSG_UNSUPPORTED', 'the queue is open for reading only', { outcome: 'not-applied' })
  }

  async listChannels(options?: CallOptions): Promise<string[]> {
    this.#check(options)
    return ((await this.#config.fs.list(`${this.#config.path}/channels`)) ?? []).filter((name) => !name.startsWith('.')).sort()
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

  async close(): Promise<void> {
    this.#isClosed = true
    const error = new MsgStreamError('MSG_CLOSED', 'the queue is closed')
    await Promise.allSettled([...this.#readers].map((it) => it.close()))
    await Promise.allSettled([...this.#logs.values()].map(async (log) => (await log).close(error)))
    this.#logs.clear()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #check(options: CallOptions | undefined): void {
    throwIfAborted(options)
    if (this.#isClosed) throw new MsgStreamError('MSG_CLOSED', 'the queue is closed')
  }

  /** As new as the disk. */
  async #log(channel: string): Promise<SharedLog> {
    const known = await this.#logs.get(channel)
    if (known !== undefined && known.failure === undefined) {
      await known.look()
      if (known.failure === undefined) return known
    }
    if (!(await this.listChannels()).includes(channel)) throw new MsgStreamError('MSG_CHANNEL_NOT_FOUND', `channel ${channel} does not exist`)
    const opened = new SharedLog(channel, `${this.#config.path}/channels/${channel}`, this.#config).open()
    this.#logs.set(channel, opened)
    opened.catch(() => this.#logs.delete(channel))
    return opened
  }
}
