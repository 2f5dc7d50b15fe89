/**
 * A log whose channels change hands between processes. Every frame names the epoch of who wrote it, in a field of the envelope that is
 * else 0; a new owner writes a fence first, and whatever an older one writes behind it is nobody's: readers pass over it. So a
 * writer that was paused, and wakes when another has its channel, can no longer change what anybody sees.
 *
 * A frame may also say which metadata its readers must know: they wait for that before they read on.
 */
import { compareMessageIds, createTsMsg, decodeEnvelope, encodeEnvelope, MsgStreamError, type CallOptions, type MessageId, type Mq, type MqBatch, type MqProducer, type MqReader, type StartPosition, type TsMsg } from '@timetick/msgstream'
import type { NodeClock } from '../edge/system.ts'
import { HOLD } from './commit-records.ts'

/** Frame types of our own: no reader of rows looks at them. */
const FENCE = 9_000
const META = 9_001
/** Of the message's id in its envelope. */
const EPOCH_AT = 24
const TYPE_AT = 6

/** Where an epoch begins in its channel. */
export interface FenceMark {
  readonly epoch: bigint
  readonly id: MessageId
}

export interface FencedLogOptions {
  readonly mq: Mq
  readonly clock: Pick<NodeClock, 'monotonic'>
  /** All epochs of a channel that have begun in what is kept of its log. */
  readonly fences: (channel: string) => Promise<readonly FenceMark[]>
  /** Resolves when this process knows the metadata as of a revision. */
  readonly awaitMeta: (revision: bigint, signal: AbortSignal) => Promise<void>
  /** How long the log is kept behind what is in segments: for readers that lag. */
  readonly retentionMs: number
}

type ReadOptions = Parameters<MqReader['read']>[0]

/** What an owner that was overtaken did in vain, counted since the process began. */
export interface FencedCounts {
  /** Writes that were not sent: the channel was another's by then. */
  refusedWrites: number
  /** Frames that came into the log behind another's fence. Each reader passes over them, and counts them. */
  overtakenFrames: number
}

/** What readers, and who cuts the log, see of it. */
export class FencedLog {
  readonly #options: FencedLogOptions
  readonly #counts: FencedCounts = { refusedWrites: 0, overtakenFrames: 0 }
  readonly #cuts = new Map<string, { readonly at: number; readonly before: MessageId }[]>()
  /** The log for readers: frames of overtaken owners are not in it. */
  readonly readers: Mq

  constructor(options: FencedLogOptions) {
    this.#options = options
    this.readers = over(options.mq, {
      openReader: (channel, start, call) => this.#openReader(channel, start, call),
      truncate: (channel, before) => this.#truncate(channel, before),
    })
  }

  get counts(): Readonly<FencedCounts> {
    return this.#counts
  }

  /** The log for the owner of a channel. `isHeld`: asked before each write. */
  writers(epoch: bigint, isHeld: () => boolean): Mq {
    return over(this.#options.mq, { openProducer: async (channel, call) => new OwnedProducer(await this.#options.mq.openProducer(channel, call), epoch, isHeld, this.#counts) })
  }

  async #openReader(channel: string, start: StartPosition, call: CallOptions | undefined): Promise<MqReader> {
    const { mq, fences, awaitMeta } = this.#options
    const epochAt = async (position: StartPosition): Promise<bigint> => epochOf(await fences(channel), position)
    // Fences are looked up first: one that begins behind the position is met in the log.
    const epoch = await epochAt(start)
    return new FencedReader(await mq.openReader(channel, start, call), epoch, epochAt, awaitMeta, this.#counts)
  }

  /** A cut waits until readers that lag had their time. */
  async #truncate(channel: string, before: MessageId): Promise<void> {
    const { mq, clock, retentionMs } = this.#options
    const now = clock.monotonic()
    const cuts = [...(this.#cuts.get(channel) ?? []), { at: now, before }]
    const due = cuts.findLastIndex(({ at }) => at <= now - retentionMs)
    const cut = cuts[due]
    // More of them than these say nothing new: cuts come once a second.
    this.#cuts.set(channel, cuts.slice(due + 1).slice(-1_000))
    if (cut !== undefined) await mq.truncate(channel, cut.before)
  }
}

function over(mq: Mq, own: Partial<Mq>): Mq {
  const plain: Mq = {
    features: mq.features,
    createChannel: (channel, call) => mq.createChannel(channel, call),
    deleteChannel: (channel, call) => mq.deleteChannel(channel, call),
    listChannels: (call) => mq.listChannels(call),
    openProducer: (channel, call) => mq.openProducer(channel, call),
    openReader: (channel, start, call) => mq.openReader(channel, start, call),
    bounds: (channel, call) => mq.bounds(channel, call),
    truncate: (channel, before, call) => mq.truncate(channel, before, call),
    close: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  }
  return { ...plain, ...own }
}

/** Which epoch has begun where a reader starts. */
export function epochOf(fences: readonly FenceMark[], start: StartPosition): bigint {
  if ('at' in start && start.at === 'earliest') return 0n
  const place = 'from' in start ? start.from : 'after' in start ? start.after : undefined
  const passed = place === undefined ? fences : fences.filter(({ id }) => compareMessageIds(id, place) <= 0)
  return passed.reduce((most, { epoch }) => (epoch > most ? epoch : most), 0n)
}

/** The first frame of a new owner. Resolves when it is in the log: nothing that an older one writes from now on counts. */
export async function writeFence(mq: Mq, channel: string, epoch: bigint): Promise<FenceMark> {
  const producer = await mq.openProducer(channel)
  try {
    const [id] = await producer.send([encodeEnvelope(createTsMsg({ type: FENCE, id: epoch }))])
    if (id === undefined) throw new MsgStreamError('MSG_UNAVAILABLE', `the fence of ${channel} got no place`, { outcome: 'unknown' })
    return { epoch, id }
  } finally {
    await producer.close()
  }
}

/** A record that lets readers wait until they know the metadata as of `revision`. */
export function metaRecord(revision: bigint): TsMsg {
  const body = new Uint8Array(8)
  new DataView(body.buffer).setBigUint64(0, revision, true)
  return createTsMsg({ type: META, body })
}

class OwnedProducer implements MqProducer {
  readonly channel: string
  readonly #producer: MqProducer
  readonly #epoch: bigint
  readonly #isHeld: () => boolean
  readonly #counts: FencedCounts

  constructor(producer: MqProducer, epoch: bigint, isHeld: () => boolean, counts: FencedCounts) {
    this.channel = producer.channel
    this.#producer = producer
    this.#epoch = epoch
    this.#isHeld = isHeld
    this.#counts = counts
  }

  send(frames: readonly Uint8Array[], options?: CallOptions): Promise<MessageId[]> {
    if (!this.#isHeld()) return Promise.reject(this.#lost())
    for (const frame of frames) stampEpoch(frame, this.#epoch)
    return this.#producer.send(frames, options)
  }

  sendTransient(frame: Uint8Array): void {
    // Progress that nobody need hear of: the next owner's comes.
    if (!this.#isHeld()) return
    stampEpoch(frame, this.#epoch)
    this.#producer.sendTransient(frame)
  }

  close(): Promise<void> {
    return this.#producer.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #lost(): MsgStreamError {
    this.#counts.refusedWrites++
    return new MsgStreamError('MSG_UNAVAILABLE', `${this.channel} is not owned here any more`, { outcome: 'not-applied' })
  }
}

export function stampEpoch(frame: Uint8Array, epoch: bigint): void {
  new DataView(frame.buffer, frame.byteOffset, frame.byteLength).setBigUint64(EPOCH_AT, epoch, true)
}

/** Undefined for what is no envelope. */
export function epochAt(frame: Uint8Array): bigint | undefined {
  return frame.length < EPOCH_AT + 8 ? undefined : new DataView(frame.buffer, frame.byteOffset, frame.byteLength).getBigUint64(EPOCH_AT, true)
}

/** A fence, what readers must know, or that a commit has begun: no reader of rows gets it. */
export function isOwnRecord(frame: Uint8Array): boolean {
  const type = typeOf(frame)
  return type === META || type === FENCE || type === HOLD
}

const typeOf = (frame: Uint8Array): number => (frame[TYPE_AT] as number) | ((frame[TYPE_AT + 1] as number) << 8)

class FencedReader implements MqReader {
  readonly channel: string
  readonly #reader: MqReader
  readonly #epochAt: (position: StartPosition) => Promise<bigint>
  readonly #awaitMeta: FencedLogOptions['awaitMeta']
  readonly #counts: FencedCounts
  readonly #closed = new AbortController()
  #epoch: bigint

  constructor(reader: MqReader, epoch: bigint, epochAt: (position: StartPosition) => Promise<bigint>, awaitMeta: FencedLogOptions['awaitMeta'], counts: FencedCounts) {
    this.channel = reader.channel
    this.#reader = reader
    this.#epoch = epoch
    this.#epochAt = epochAt
    this.#awaitMeta = awaitMeta
    this.#counts = counts
  }

  async read(options?: ReadOptions): Promise<MqBatch | undefined> {
    for (;;) {
      const batch = await this.#reader.read(options)
      if (batch === undefined || batch.frames.length === 0) return batch
      const ids: MessageId[] = []
      const frames: Uint8Array[] = []
      let revision = 0n
      batch.frames.forEach((frame, index) => {
        if (!this.#isPresent(frame)) return
        if (typeOf(frame) === META) revision = revisionOf(frame)
        if (isOwnRecord(frame)) return
        ids.push(batch.ids[index] as MessageId)
        frames.push(frame)
      })
      if (revision > 0n && !(await this.#knows(revision))) return undefined
      if (frames.length > 0) return { ids, frames }
    }
  }

  async seek(position: StartPosition): Promise<void> {
    const epoch = await this.#epochAt(position)
    await this.#reader.seek(position)
    this.#epoch = epoch
  }

  close(): Promise<void> {
    this.#closed.abort()
    return this.#reader.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** False when the reader was closed meanwhile. */
  async #knows(revision: bigint): Promise<boolean> {
    try {
      await this.#awaitMeta(revision, this.#closed.signal)
      return true
    } catch (error) {
      if (this.#closed.signal.aborted) return false
      throw error
    }
  }

  /** An owner's first frame may stand for its fence: it wrote that before. What is no envelope is left to the stream's own checks. */
  #isPresent(frame: Uint8Array): boolean {
    const epoch = epochAt(frame)
    if (epoch === undefined) return true
    if (epoch > this.#epoch) this.#epoch = epoch
    if (epoch < this.#epoch) this.#counts.overtakenFrames++
    return epoch === this.#epoch
  }
}

function revisionOf(frame: Uint8Array): bigint {
  const { body } = decodeEnvelope(frame)
  return new DataView(body.buffer, body.byteOffset, body.byteLength).getBigUint64(0, true)
}
