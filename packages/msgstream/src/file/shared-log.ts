/** One channel as another process sees it: what its writer acknowledged, found out by looking again and again. */
import type { Clock } from '../clock.ts'
import { MsgStreamError } from '../errors.ts'
import type { ChannelLog } from '../log-reader.ts'
import { Signal } from '../signal.ts'
import { TransientRing } from '../transients.ts'
import { readMark } from './commit-mark.ts'
import type { FileSystem } from './file-system.ts'
import { soundEnd } from './recover.ts'
import { Segments } from './segments.ts'

export interface SharedLogOptions {
  readonly fs: FileSystem
  readonly clock: Clock
  readonly pollMs: number
  /** Is there a process that writes this folder? */
  readonly hasWriter: () => Promise<boolean>
}

const quietMs = 500

export class SharedLog implements ChannelLog {
  readonly channel: string
  readonly backend = 'file'
  readonly transients = new TransientRing()
  readonly changed = new Signal()
  failure: MsgStreamError | undefined
  end = 0
  readonly #folder: string
  readonly #options: SharedLogOptions
  readonly #segments: Segments
  #looking: Promise<void> | undefined
  #cancel: (() => void) | undefined
  #movedAt = -Infinity

  constructor(channel: string, folder: string, options: SharedLogOptions) {
    this.channel = channel
    this.#folder = folder
    this.#options = options
    this.#segments = new Segments(options.fs, folder)
  }

  get first(): number {
    return this.#segments.oldest?.base ?? this.end
  }

  async open(): Promise<this> {
    await this.look()
    if (this.failure !== undefined) throw this.failure
    this.#poll()
    return this
  }

  /** Find out what is new. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #look(): Promise<void> {
    const { fs, clock, hasWriter } = this.#options
    const first = this.first
    // The mark before the files: what it says is in them then.
    let end = (await readMark(fs, this.#folder)) ?? this.end
    if (!(await this.#segments.refresh()) || end < this.end) return this.fail(new MsgStreamError('MSG_CHANNEL_NOT_FOUND', `channel ${this.channel} was deleted`))
    const newest = this.#segments.newest
    if (end === this.end && clock.monotonic() - this.#movedAt > quietMs && newest !== undefined) {
      this.#movedAt = clock.monotonic()
      // The mark of a writer that was killed may be behind what it acknowledged.
      if (!(await hasWriter())) end = Math.max(end, await soundEnd(fs, newest))
    }
    if (end === this.end && first === this.first) return
    if (end > this.end) this.#movedAt = clock.monotonic()
    this.end = end
    this.changed.notify()
  }

  #poll(): void {
    this.#cancel = this.#options.clock.setTimer(() => {
      const looked = this.changed.waiters > 0 ? this.look() : Promise.resolve()
      looked.catch((error: unknown) => this.fail(new MsgStreamError('MSG_STORAGE_FAILED', `reading channel ${this.channel} failed: ${String(error)}`, { cause: error }))).finally(() => {
        if (this.failure === undefined) this.#poll()
      })
    }, this.#options.pollMs)
  }

  async collect(from: number, until: number, maxMessages: number, maxBytes: number, out: Uint8Array[]): Promise<void> {
    const found = this.#segments.find(from)
    if (found === undefined) throw new MsgStreamError('MSG_CORRUPT', `channel ${this.channel} has no segment for offset ${from}`, { details: { offset: from } })
    this.#segments.limitOpen(found.segment)
    try {
      await found.segment.read(from, { until: Math.min(until, found.next), maxMessages, maxBytes }, out)
    } catch (error) {
      // The writer's retention may have deleted it.
      await this.look()
      throw error
    }
  }

  fail(error: MsgStreamError): void {
    this.failure ??= error
    this.changed.notify()
  }

  async close(error: MsgStreamError): Promise<void> {
    this.fail(error)
    this.#cancel?.()
    await this.#looking?.catch(() => {})
    await this.#segments.close()
  }
}
