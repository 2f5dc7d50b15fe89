/** What the aligner knows of one channel: its tick, the data that waits, and where to read on. */
import type { MsgPosition, Timestamp, TsMsg } from './message.ts'
import type { MessageId } from './mq.ts'
import { compareMessageIds } from './position.ts'

interface HeldMsg {
  readonly msg: TsMsg
  readonly id: MessageId
  readonly bytes: number
}

/** Data between two ticks. Above `floor` by the promise of the tick before it, so it is looked at only once the frontier passed that. */
interface Run {
  readonly floor: Timestamp
  items: HeldMsg[]
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

  addData(msg: TsMsg, id: MessageId, bytes: number): void {
    // Until the first tick at or above the position, what lies at or below it was delivered before (Milvus, seek).
    if (this.#skipping && msg.endTs <= this.#skipTo) {
      this.skipped++
      return
    }
    const last = this.#runs[this.#runs.length - 1]
    if (last !== undefined && last.floor === this.tick) last.items.push({ msg, id, bytes })
    else this.#runs.push({ floor: this.tick, items: [{ msg, id, bytes }] })
    this.bufferedMessages++
    this.bufferedBytes += bytes
  }

  /** True when the tick rose. Repeated and falling ticks say nothing. */
  addTick(ts: Timestamp, id: MessageId): boolean {
    if (ts >= this.#skipTo) this.#skipping = false
    if (ts <= this.tick) return false
    this.tick = ts
    this.#places.push({ ts, id })
    // Without any of these a position is earlier than it could be, never wrong.
    if (this.#places.length > maxTickPlaces) this.#places = this.#places.filter((_, i) => i % 2 === 0 || i === this.#places.length - 1)
    return true
  }

  /** Take out what lies at or below the new frontier, in order of the channel, and move the position there. */
  take(frontier: Timestamp, out: TsMsg[]): void {
    let firstHeld: MessageId | undefined
    let empty = false
    for (const run of this.#runs) {
      if (run.floor >= frontier) {
        firstHeld ??= run.items[0]?.id
        break
      }
      this.#takeRun(run, frontier, out)
      firstHeld ??= run.items[0]?.id
      empty ||= run.items.length === 0
    }
    if (empty) this.#runs = this.#runs.filter((run) => run.items.length > 0)
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
  }

  #takeRun(run: Run, frontier: Timestamp, out: TsMsg[]): void {
    const items = run.items
    let kept = 0
    for (let i = 0; i < items.length; i++) {
      const item = items[i] as HeldMsg
      if (item.msg.endTs > frontier) {
        items[kept++] = item
        continue
      }
      out.push(item.msg)
      this.bufferedMessages--
      this.bufferedBytes -= item.bytes
    }
    items.length = kept
  }
}
