/**
 * One subscription of one client: rows first where it cannot be resumed, then events in order. It is a cursor into the layer's
 * ring, never a queue of its own: a client that is slow falls behind, and starts anew when it has lost the ring.
 */
import type { Layer } from '../core/layer.ts'
import type { Entity, InsightEvent, Kind } from '../core/model.ts'
import { textOf } from '../core/ring.ts'
import type { Batch, SharedText } from './batch.ts'
import type { Interest } from './topics.ts'

const ROWS_PER_MESSAGE = 500
const EVENTS_PER_MESSAGE = 1000
/** Well below what a client may leave unread: one that reads slowly is to be waited for, not to be let go for one large message. */
const MESSAGE_LENGTH = 128 * 1024

export class Subscription {
  readonly id: string
  readonly interest: Interest
  #layer: Layer
  #cursor: number
  /** Numbers the messages: a hole shows the client a defect. */
  #messages = 0
  /** Rows that are still to be sent; they are of `#cursor`. */
  #snapshot: Iterator<{ readonly kind: Kind; readonly entity: Entity }> | undefined
  #pendingReset: string | undefined
  #replayed: number | undefined

  constructor(id: string, layer: Layer, interest: Interest, from: { readonly epoch: string; readonly seq: number } | undefined) {
    this.id = id
    this.interest = interest
    this.#layer = layer
    this.#cursor = layer.seq
    this.#start(from)
  }

  get layer(): Layer {
    return this.#layer
  }

  get cursor(): number {
    return this.#cursor
  }

  get isBehind(): boolean {
    return this.#snapshot !== undefined || this.#replayed !== undefined || this.#cursor < this.layer.seq
  }

  /** The cluster was stopped and came back: goes on in its new layer, where that has the same history. */
  moveTo(layer: Layer): void {
    if (layer === this.#layer) return
    const from = { epoch: this.interest.epochOf(this.#layer), seq: this.#cursor }
    const isWhole = this.#snapshot === undefined && this.#pendingReset === undefined
    this.#layer = layer
    this.#start(isWhole ? from : undefined)
  }

  #start(from: { readonly epoch: string; readonly seq: number } | undefined): void {
    const { layer, interest } = this
    const missed = from === undefined ? 'new' : from.epoch === interest.epochOf(layer) ? layer.since(layer.epoch, from.seq) : 'epoch'
    if (typeof missed === 'string') return this.restart(missed)
    this.#cursor = from?.seq ?? layer.seq
    this.#replayed = missed.length
  }

  /** The next message, or undefined when there is nothing to say now. */
  next(batch: Batch): string | SharedText | undefined {
    if (this.#pendingReset !== undefined) {
      const reason = this.#pendingReset
      this.#pendingReset = undefined
      return JSON.stringify({ t: 'reset', id: this.id, epoch: this.interest.epochOf(this.layer), seq: this.#cursor, reason })
    }
    if (this.#snapshot !== undefined) return this.#nextRows(this.#snapshot)
    return this.#nextEvents(batch)
  }

  /** All rows again, as they may be seen now. */
  restart(reason: string): void {
    this.#cursor = this.layer.seq
    this.#pendingReset = reason
    // Entities are never changed in place: the arrays are the state of this very moment.
    const kept = this.interest.kinds.map((kind) => [kind, [...this.layer.entities(kind)]] as const)
    this.#snapshot = rowsOf(kept, this.interest)
    this.#replayed = undefined
  }

  #nextRows(snapshot: Iterator<{ readonly kind: Kind; readonly entity: Entity }>): string {
    const rows: string[] = []
    for (let length = 0; rows.length < ROWS_PER_MESSAGE && length < MESSAGE_LENGTH; length += rows.at(-1)?.length ?? 0) {
      const { value, done } = snapshot.next()
      if (done === true) {
        this.#snapshot = undefined
        this.#replayed = 0
        break
      }
      const { kind, entity } = value
      rows.push(JSON.stringify({ kind, key: entity.key, rev: entity.rev, row: entity.row }))
    }
    return `{"t":"rows","id":${JSON.stringify(this.id)},"rows":[${rows.join(',')}],"more":${this.#snapshot !== undefined}}`
  }

  #nextEvents(batch: Batch): string | SharedText | undefined {
    const missed = this.layer.since(this.layer.epoch, this.#cursor, EVENTS_PER_MESSAGE)
    if (typeof missed === 'string') {
      this.restart(missed === 'outdated' ? 'slow' : missed)
      return this.next(batch)
    }
    const found = firstOf(missed)
    const last = found.at(-1)
    if (last !== undefined) {
      const from = this.#cursor
      this.#cursor = last.seq
      const message = batch.message({ interest: this.interest, layer: this.layer, from, to: last.seq }, this.id, this.#messages + 1, () => eventsText(found, this.interest))
      if (message === undefined) return this.next(batch)
      this.#messages++
      return message
    }
    if (this.#replayed === undefined) return undefined
    const replayed = this.#replayed
    this.#replayed = undefined
    return JSON.stringify({ t: 'live', id: this.id, epoch: this.interest.epochOf(this.layer), seq: this.#cursor, replayed })
  }
}

function* rowsOf(kept: readonly (readonly [Kind, readonly Entity[]])[], interest: Interest): Generator<{ readonly kind: Kind; readonly entity: Entity }> {
  for (const [kind, entities] of kept) for (const entity of entities) if (interest.shows(kind, entity.key, entity.row)) yield { kind, entity }
}

/** As many as one message holds. */
function firstOf(events: readonly InsightEvent[]): readonly InsightEvent[] {
  let count = 0
  let length = 0
  for (const event of events) {
    if (length >= MESSAGE_LENGTH) break
    length += textOf(event).length
    count++
  }
  return count === events.length ? events : events.slice(0, count)
}

function eventsText(events: readonly InsightEvent[], interest: Interest): string {
  return events
    .filter((event) => interest.wants(event))
    .map(textOf)
    .join(',')
}
