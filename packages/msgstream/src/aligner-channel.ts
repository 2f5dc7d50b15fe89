/** What the aligner knows of one channel: its tick, the data that waits, and where to read on. */
import type { MsgPosition, Timestamp, TsMsg } from './message.ts'
import type { MessageId } from './mq.ts'
import { compareMessageIds } from './position.ts'

/**
 * Data between two ticks, as columns: an object for each message would cost more than all the rest. Above `floor` by the promise of
 * the tick before it, so it is looked at only once the frontier passed that.
 */
interface Run {
  readonly floor: Timestamp
  /** Something in it may be late: it came at or below what had been promised. */
  mayBeLate: boolean
  readonly msgs: TsMsg[]
  readonly ids: MessageId[]
  readonly bytes: number[]
}

interface TickPlace {
  readonly ts: Timestamp
  readonly id: MessageId
}

const maxTickPlaces = 64

export class AlignerChannel {
  readonly channel: string
  /** Everything at or below has come. Starts at the position's timestamp. */
  tick: Timestamp
  bufferedMessages = 0
  bufferedBytes = 0
  skipped = 0
  firstId: MessageId | undefined
  anchored: boolean
  /** Does not hold the frontier back: it has been silent for long. */
  excluded = false
  /** Nothing more will be read of it. */
  finished = false
  /** For `equal`: ticks that were not passed yet, rising. */
  readonly ticks: Timestamp[] = []
  readonly #skipTo: Timestamp
  #skipping: boolean
  #runs: Run[] = []
  /** The last run, until the next tick. */
  #open: Run | undefined
  #places: TickPlace[] = []
  #id: MessageId | undefined
  #timestamp: Timestamp

  /** `earliest`: without an id the position means the channel's start, and stays so; else it becomes the first frame's. */
  constructor(position: MsgPosition, earliest: boolean) {
    this.anchored = earliest || position.msgId !== undefined
    this.channel = position.channel
    this.#id = position.msgId
    this.#timestamp = position.timestamp
    this.tick = position.timestamp
    this.#skipTo = position.timestamp
    this.#skipping = position.timestamp > 0n
  }

  get position(): MsgPosition {
    return { channel: this.channel, msgId: this.#id, timestamp: this.#timestamp }
  }

  /** The first frame seen, where the position asks for it: a stream that begins at "latest" has no id before. */
  anchor(id: MessageId): void {
    if (this.anchored) return
    this.anchored = true
    this.firstId = id
    this.#id ??= id
  }

  /** `reached` is what the frontier took last: a channel that was left out of it may lie behind. */
  addData(msg: TsMsg, id: MessageId, bytes: number, reached: Timestamp): void {
    // Until the first tick at or above the position, what lies at or below it was delivered before (Milvus, seek).
    if (this.#skipping && msg.endTs <= this.#skipTo) {
      this.skipped++
      return
    }
    const run = (this.#open ??= this.#newRun())
    if (!run.mayBeLate && (msg.endTs <= run.floor || run.floor < reached)) run.mayBeLate = true
    run.msgs.push(msg)
    run.ids.push(id)
    run.bytes.push(bytes)
    this.bufferedMessages++
    this.bufferedBytes += bytes
  }

  #newRun(): Run {
    const run: Run = { floor: this.tick, mayBeLate: false, msgs: [], ids: [], bytes: [] }
    this.#runs.push(run)
    return run
  }

  /** True when the tick rose. Repeated and falling ticks say nothing. */
  addTick(ts: Timestamp, id: MessageId): boolean {
    if (ts >= this.#skipTo) this.#skipping = false
    if (ts <= this.tick) return false
    this.tick = ts
    this.#open = undefined
    this.#places.push({ ts, id })
    // Without any of these a position is earlier than it could be, never wrong.
    if (this.#places.length > maxTickPlaces) this.#places = this.#places.filter((_, i) => i % 2 === 0 || i === this.#places.length - 1)
    return true
  }

  /** Take out what lies at or below the new frontier, in order of the channel, and move the position there. True when some of it may be late. */
  take(frontier: Timestamp, out: TsMsg[]): boolean {
    let firstHeld: MessageId | undefined
    let empty = false
    let mayBeLate = false
    for (const run of this.#runs) {
      if (run.floor >= frontier) {
        firstHeld ??= run.ids[0]
        break
      }
      this.#takeRun(run, frontier, out)
      firstHeld ??= run.ids[0]
      empty ||= run.msgs.length === 0
      mayBeLate ||= run.mayBeLate
    }
    if (empty) this.#forgetEmpty()
    let passed = 0
    while (passed < this.#places.length && (this.#places[passed] as TickPlace).ts <= frontier) passed++
    const place = passed > 0 ? this.#places[passed - 1] : undefined
    if (passed > 0) this.#places.splice(0, passed)
    const ahead = this.#places[0]
    // A tick above the frontier must be read again too, where it stands before the data that waits.
    if (firstHeld !== undefined) this.#id = ahead !== undefined && compareMessageIds(ahead.id, firstHeld) < 0 ? ahead.id : firstHeld
    else if (place !== undefined) this.#id = place.id
    // One that was left out has delivered nothing beyond its own tick.
    this.#timestamp = frontier < this.tick ? frontier : this.tick
    return mayBeLate
  }

  #forgetEmpty(): void {
    this.#runs = this.#runs.filter((run) => run.msgs.length > 0)
    if (this.#open?.msgs.length === 0) this.#open = undefined
  }

  #takeRun({ msgs, ids, bytes }: Run, frontier: Timestamp, out: TsMsg[]): void {
    const count = msgs.length
    let kept = 0
    let size = 0
    for (let i = 0; i < count; i++) {
      const msg = msgs[i] as TsMsg
      if (msg.endTs > frontier) {
        if (kept < i) {
          msgs[kept] = msg
          ids[kept] = ids[i] as MessageId
          bytes[kept] = bytes[i] as number
        }
        kept++
        continue
      }
      out.push(msg)
      size += bytes[i] as number
    }
    msgs.length = ids.length = bytes.length = kept
    this.bufferedMessages -= count - kept
    this.bufferedBytes -= size
  }
}
