/**
 * Alignment: from channels with data and ticks to packs. A pure synchronous state machine.
 *
 * A tick T on a channel promises that no data at or below T follows there. The frontier is the minimum of the channels'
 * ticks (Flink's watermark rule; Milvus waits for equal ticks, `align: 'equal'`); each time it rises, one pack holds
 * everything that lies at or below it.
 */
import { AlignerChannel } from './aligner-channel.ts'
import { MsgStreamError } from './errors.ts'
import { END_OF_STREAM, type MsgPack, type MsgPosition, type Timestamp, type TsMsg } from './message.ts'
import type { MessageId } from './mq.ts'

export interface AlignerOptions {
  readonly positions: readonly MsgPosition[]
  /** What a position without an id means. @default 'earliest' */
  readonly from?: 'earliest' | 'latest' | undefined
  readonly align: 'frontier' | 'equal'
  readonly late: 'deliver' | 'divert' | 'drop' | 'fail'
  readonly onLate?: ((msg: TsMsg) => void) | undefined
  /** @default 'channel' */
  readonly order?: 'channel' | 'time' | undefined
  readonly skipEmpty: boolean
  /** Per channel. The channel that holds the frontier back may go over them, else nothing would ever move. */
  readonly maxMessages: number
  readonly maxBytes: number
  /** Beyond these a push fails with `MSG_BUFFER_FULL`. @default no limit */
  readonly maxCatchUpBytes?: number | undefined
  /** In timestamps: a channel that is further ahead of the slowest one wants nothing. @default no limit */
  readonly maxDrift?: bigint | undefined
  /** Packs that may wait for the consumer. @default 1024 */
  readonly maxPacks?: number | undefined
}

/** One frame as the aligner sees it: a tick (no message) or data. */
export interface AlignerInput {
  readonly id: MessageId
  readonly bytes: number
  /** A tick's timestamp; else `undefined`. */
  readonly tick: Timestamp | undefined
  readonly msg: TsMsg | undefined
}

export class Aligner {
  readonly channels: readonly AlignerChannel[]
  /** Late messages that were delivered, dropped or failed on. */
  lateCount = 0
  readonly #options: AlignerOptions
  readonly #maxPacks: number
  readonly #maxCatchUpBytes: number
  /** Values that the frontier took and whose packs were not taken out yet. */
  #pending: Timestamp[] = []
  #taken = 0
  #reached: Timestamp
  #frontier: Timestamp
  #packBegin: Timestamp
  #packStart: readonly MsgPosition[]

  constructor(options: AlignerOptions) {
    this.#options = options
    this.#maxPacks = options.maxPacks ?? 1024
    this.#maxCatchUpBytes = options.maxCatchUpBytes ?? Infinity
    this.channels = options.positions.map((position) => new AlignerChannel(position, options.from !== 'latest'))
    this.#reached = 0n
    this.#reached = this.#frontier = this.#packBegin = this.#minimum()
    this.#packStart = this.positions()
  }

  /** Everything at or below was taken out. */
  get frontier(): Timestamp {
    return this.#frontier
  }

  get pendingPacks(): number {
    return this.#pending.length - this.#taken
  }

  /** Feed frames of one channel, in its order. */
  push(index: number, inputs: readonly AlignerInput[]): void {
    for (const { id, bytes, tick, msg } of inputs) {
      if (tick !== undefined) this.pushTick(index, id, tick)
      else if (msg !== undefined) this.pushData(index, id, bytes, msg)
    }
  }

  pushData(index: number, id: MessageId, bytes: number, msg: TsMsg): void {
    const channel = this.channels[index] as AlignerChannel
    channel.anchor(id)
    channel.addData(msg, id, bytes, this.#reached)
    if (channel.bufferedBytes > this.#maxCatchUpBytes) {
      throw new MsgStreamError('MSG_BUFFER_FULL', `channel ${channel.channel} brought ${channel.bufferedBytes} bytes behind the tick ${channel.tick}, at most ${this.#maxCatchUpBytes} are held`, {
        details: { channel: channel.channel, tick: channel.tick },
      })
    }
  }

  pushTick(index: number, id: MessageId, ts: Timestamp): void {
    const channel = this.channels[index] as AlignerChannel
    channel.anchor(id)
    const wasMinimum = channel.tick <= this.#reached
    if (!channel.addTick(ts, id)) return
    if (this.#options.align === 'equal') {
      channel.ticks.push(ts)
      this.#stepEqual()
    } else if (wasMinimum) {
      this.#reach(this.#minimum())
    }
  }

  #minimum(): Timestamp {
    let minimum: Timestamp | undefined
    for (const channel of this.channels) if (!channel.excluded && (minimum === undefined || channel.tick < minimum)) minimum = channel.tick
    return minimum ?? this.#reached
  }

  /** Leave a silent channel out of the frontier, or count it again. */
  exclude(index: number, excluded: boolean): void {
    const channel = this.channels[index] as AlignerChannel
    if (channel.excluded === excluded) return
    channel.excluded = excluded
    if (!excluded) return
    if (this.#options.align === 'equal') this.#stepEqual()
    else this.#reach(this.#minimum())
  }

  /** True for a channel that holds the frontier back. */
  isBehind(index: number): boolean {
    const channel = this.channels[index] as AlignerChannel
    return !channel.excluded && channel.tick <= this.#minimum()
  }

  /** Nothing more will be read of this channel. */
  finish(index: number): void {
    ;(this.channels[index] as AlignerChannel).finished = true
  }

  /** No pack can come any more: every channel has ended, or one that was read to its end holds the others back. */
  get ended(): boolean {
    if (this.pendingPacks > 0) return false
    if (this.#frontier === END_OF_STREAM) return true
    return this.channels.some((channel, i) => channel.finished && this.isBehind(i))
  }

  #reach(frontier: Timestamp): void {
    if (frontier <= this.#reached) return
    this.#reached = frontier
    this.#pending.push(frontier)
  }

  /** Milvus's rule: a tick counts once it is the current one of all channels; those behind the highest read on. */
  #stepEqual(): void {
    for (;;) {
      let highest = 0n
      const counted = this.channels.filter(({ excluded }) => !excluded)
      if (counted.length === 0) return
      for (const { ticks } of counted) {
        const head = ticks[0]
        if (head === undefined) return
        if (head > highest) highest = head
      }
      let equal = true
      for (const { ticks } of this.channels) {
        while (ticks[0] !== undefined && ticks[0] < highest) {
          ticks.shift()
          equal = false
        }
      }
      if (!equal) continue
      for (const { ticks } of this.channels) if (ticks[0] === highest) ticks.shift()
      this.#reach(highest)
    }
  }

  /** May this channel's reader bring more? */
  wants(index: number): boolean {
    const channel = this.channels[index] as AlignerChannel
    if (channel.finished || channel.tick === END_OF_STREAM || this.pendingPacks >= this.#maxPacks) return false
    const { maxDrift } = this.#options
    if (maxDrift !== undefined && channel.tick - this.#minimum() > maxDrift) return false
    if (channel.bufferedMessages < this.#options.maxMessages && channel.bufferedBytes < this.#options.maxBytes) return channel.ticks.length < this.#maxPacks
    // Full. While a pack waits, taking it makes room; while none does, the channel that is behind must bring its tick.
    if (this.pendingPacks > 0) return false
    return this.#options.align === 'equal' ? channel.ticks.length === 0 : channel.tick <= this.#minimum()
  }

  /** The next pack, if the frontier has risen. Throws `MSG_LATE_DATA` under `late: 'fail'`; the aligner is then of no more use. */
  take(): MsgPack | undefined {
    while (this.#taken < this.#pending.length) {
      const endTs = this.#pending[this.#taken++] as Timestamp
      if (this.#taken > 256 || this.#taken === this.#pending.length) {
        this.#pending = this.#pending.slice(this.#taken)
        this.#taken = 0
      }
      const pack = this.#emit(endTs)
      if (pack !== undefined) return pack
    }
    return undefined
  }

  #emit(endTs: Timestamp): MsgPack | undefined {
    const before = this.#frontier
    let msgs: TsMsg[] = []
    let mayBeLate = false
    for (const channel of this.channels) if (channel.take(endTs, msgs)) mayBeLate = true
    this.#frontier = endTs
    if (mayBeLate && msgs.some((msg) => msg.endTs <= before)) msgs = this.#late(msgs, before)
    if (msgs.length === 0 && this.#options.skipEmpty) return undefined
    if (this.#options.order === 'time') msgs.sort((a, b) => (a.endTs < b.endTs ? -1 : a.endTs > b.endTs ? 1 : 0))
    const beginTs = this.#packBegin
    const startPositions = this.#anchored(this.#packStart)
    const endPositions = this.positions()
    this.#packBegin = endTs
    this.#packStart = endPositions
    return { beginTs, endTs, msgs, startPositions, endPositions }
  }

  #late(msgs: TsMsg[], frontier: Timestamp): TsMsg[] {
    const { late } = this.#options
    const kept: TsMsg[] = []
    for (const msg of msgs) {
      if (msg.endTs > frontier) {
        kept.push(msg)
        continue
      }
      this.lateCount++
      if (late === 'fail') {
        throw new MsgStreamError('MSG_LATE_DATA', `a message at ${msg.endTs} came below the frontier ${frontier}`, { details: { timestamp: msg.endTs, frontier, position: msg.position } })
      }
      if (late === 'drop') continue
      if (late === 'divert') {
        msg.late = true
        this.#options.onLate?.(msg)
        continue
      }
      msg.late = true
      kept.push(msg)
    }
    return kept
  }

  /** Where to read on for what has not been taken out: one position per channel. */
  positions(): readonly MsgPosition[] {
    return this.channels.map((channel) => channel.position)
  }

  // The start of a stream that began at "latest" is the first frame it saw.
  #anchored(positions: readonly MsgPosition[]): readonly MsgPosition[] {
    return positions.every((position) => position.msgId !== undefined)
      ? positions
      : positions.map((position, i) => (position.msgId === undefined ? { ...position, msgId: (this.channels[i] as AlignerChannel).firstId } : position))
  }
}
