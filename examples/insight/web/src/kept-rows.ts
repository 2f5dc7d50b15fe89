/** Rows of kinds that are kept whole: a snapshot, the events after it, and where to go on when the connection breaks. */
import type { Row } from './row.ts'

export interface Change {
  readonly seq: number
  readonly type: string
  readonly kind: string
  readonly key: string
  readonly data: Row
  readonly changed?: readonly string[] | undefined
}
export interface Position {
  readonly epoch: string
  readonly seq: number
}
/** By kind and key. */
export type Rows = ReadonlyMap<string, ReadonlyMap<string, Row>>

const GONE = /\.(dropped|left|released|gone|forgotten|removed)$/
const MOVED = /\.(state|finished|failed)$/

export class KeptRows {
  #rows: Rows = new Map()
  #position: Position | undefined
  /** A snapshot that is not whole yet: what was there before is shown until it is. */
  #fresh: Map<string, Map<string, Row>> | undefined

  get rows(): Rows {
    return this.#rows
  }

  /** Where to go on after a loss. Half a snapshot of a connection that broke is nothing. */
  resume(): Position | undefined {
    this.#fresh = undefined
    return this.#position
  }

  /** Takes a message of the subscription; `rows` may be others then. */
  receive(message: { readonly t: string; readonly [member: string]: unknown }): void {
    if (message.t === 'reset') this.#fresh = new Map()
    else if (message.t === 'rows') this.#snapshot(message['rows'] as readonly { readonly kind: string; readonly key: string; readonly row: Row }[])
    else if (message.t === 'ev') this.#change(message['e'] as readonly Change[])
    else if (message.t === 'live') {
      this.#rows = this.#fresh ?? this.#rows
      this.#fresh = undefined
      this.#position = { epoch: String(message['epoch']), seq: Number(message['seq']) }
    } else if (message.t === 'mark') this.#moveTo(Number(message['seq']))
  }

  #snapshot(rows: readonly { readonly kind: string; readonly key: string; readonly row: Row }[]): void {
    for (const { kind, key, row } of rows) if (this.#fresh !== undefined) put(this.#fresh, kind, key, row)
  }

  #change(events: readonly Change[]): void {
    // What happened while the snapshot was on its way comes between its rows and `live`, and belongs to it.
    if (this.#fresh !== undefined) return events.forEach((event) => apply(this.#fresh ?? new Map(), event))
    const rows = new Map([...this.#rows].map(([kind, members]) => [kind, new Map(members)]))
    for (const event of events) apply(rows, event)
    this.#rows = rows
    const last = events.at(-1)
    if (last !== undefined) this.#moveTo(last.seq)
  }

  #moveTo(seq: number): void {
    if (this.#position !== undefined && this.#fresh === undefined) this.#position = { ...this.#position, seq }
  }
}

function apply(rows: Map<string, Map<string, Row>>, { kind, key, type, data, changed }: Change): void {
  // Facts about the source and the cache are not rows.
  if (kind === 'source' || kind === 'cache') return
  if (GONE.test(type)) {
    rows.get(kind)?.delete(key)
    return
  }
  const known = rows.get(kind)?.get(key) ?? {}
  if (MOVED.test(type)) {
    const { from: _from, to = null, reason: _reason, ...more } = data
    put(rows, kind, key, merged(known, { ...more, state: to }))
  } else put(rows, kind, key, changed === undefined ? data : merged(known, data))
}

function put(rows: Map<string, Map<string, Row>>, kind: string, key: string, row: Row): void {
  const members = rows.get(kind) ?? new Map<string, Row>()
  members.set(key, row)
  rows.set(kind, members)
}

/** A JSON merge patch (RFC 7396). */
function merged(row: Row, patch: Row): Row {
  const result: Record<string, unknown> = { ...row }
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else if (typeof value === 'object' && !Array.isArray(value)) result[key] = merged((typeof result[key] === 'object' && result[key] !== null ? result[key] : {}) as Row, value as Row)
    else result[key] = value
  }
  return result
}
