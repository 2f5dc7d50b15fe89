/** A list that stays right: the page that a client sees, and what changes in it. */
import type { Principal } from '../access.ts'
import type { Layer } from '../core/layer.ts'
import { QueryError, type Page, type Query } from '../core/query.ts'
import type { View } from './protocol.ts'

const DIRTY_EVERY_MS = 1000

export class LiveView {
  readonly id: string
  layer: Layer
  readonly #query: Query
  #page: Page | undefined
  #seenSeq = -1
  #toldDirtyAt = -Infinity

  constructor(view: View, layer: Layer, principal: Principal) {
    const { id, kind, q, filter, sort, order, limit, cursor } = view
    this.id = id
    this.layer = layer
    this.#query = { kind, q, ...filter, sort, order, limit, cursor, sees: (entity) => principal.sees(entity.kind, entity.key, entity.row) }
  }

  /** Messages for what changed since the last call. Fields of visible rows at once, order and members once a second. */
  next(now: number): string[] {
    const { layer, id } = this
    if (layer.seq === this.#seenSeq) return []
    try {
      return this.#page === undefined ? this.#first() : this.#changes(this.#page, now)
    } catch (error) {
      if (!(error instanceof QueryError)) throw error
      this.#seenSeq = layer.seq
      return [JSON.stringify({ t: 'err', id, code: error.code, msg: error.message })]
    }
  }

  /** The cluster was stopped and came back: the same list of its new layer. */
  moveTo(layer: Layer): void {
    if (layer === this.layer) return
    this.layer = layer
    this.restart()
  }

  /** The page again, as it may be seen now. */
  restart(): void {
    this.#page = undefined
    this.#seenSeq = -1
  }

  get isBehind(): boolean {
    return this.layer.seq !== this.#seenSeq
  }

  #first(): string[] {
    const page = this.layer.query(this.#query)
    this.#page = page
    this.#seenSeq = page.seq
    return [JSON.stringify({ t: 'page', id: this.id, rows: page.rows, total: page.total, next: page.next, epoch: page.epoch, seq: page.seq })]
  }

  #changes(page: Page, now: number): string[] {
    const { id, layer } = this
    const messages: string[] = []
    const gone: string[] = []
    const rows = page.rows.flatMap((shown) => {
      const entity = layer.get(this.#query.kind, shown.key)
      const isGone = entity === undefined || this.#query.sees?.(entity) === false
      if (isGone) gone.push(shown.key)
      return isGone || entity.rev === shown.rev ? [] : [{ key: entity.key, rev: entity.rev, observedAt: entity.observedAt, row: entity.row }]
    })
    const newer = new Map(rows.map((row) => [row.key, row]))
    let known: Page = { ...page, rows: page.rows.filter(({ key }) => !gone.includes(key)).map((row) => newer.get(row.key) ?? row) }
    if (rows.length > 0 || gone.length > 0) messages.push(JSON.stringify({ t: 'patch', id, rows, gone }))
    if (now - this.#toldDirtyAt >= DIRTY_EVERY_MS) {
      const fresh = layer.query(this.#query)
      const before = new Set(known.rows.map(({ key }) => key))
      const after = new Set(fresh.rows.map(({ key }) => key))
      const added = fresh.rows.filter(({ key }) => !before.has(key)).length
      const removed = known.rows.filter(({ key }) => !after.has(key)).length
      const moved = added === 0 && removed === 0 && fresh.rows.some(({ key }, i) => key !== known.rows[i]?.key)
      if (added > 0 || removed > 0 || moved || fresh.total !== known.total) {
        messages.push(JSON.stringify({ t: 'dirty', id, total: fresh.total, added, removed }))
        known = { ...known, total: fresh.total }
      }
      this.#toldDirtyAt = now
      this.#seenSeq = layer.seq
    }
    this.#page = known
    return messages
  }
}
