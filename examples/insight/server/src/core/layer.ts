/** The cache layer of one cluster: rows, the events that made them, and the gauges beside them. */
import { foldRow } from './fold.ts'
import { GaugeBoard } from './gauges.ts'
import { KINDS, type Clock, type Entity, type InsightEvent, type Kind, type Origin, type Row } from './model.ts'
import { queryRows, type Page, type Query } from './query.ts'
import { Reducer, type Ledger } from './reducer.ts'
import { EventRing, type RingOptions } from './ring.ts'
import { RowTable } from './row-table.ts'

export interface LayerOptions {
  /** Names the history: events of another epoch cannot be continued. */
  readonly epoch: string
  readonly seq?: number | undefined
  readonly entities?: Iterable<Entity> | undefined
  /** The end of the history before a clean stop. */
  readonly tail?: readonly InsightEvent[] | undefined
  readonly clock: Clock
  readonly ring?: RingOptions | undefined
  readonly missesToDrop?: number | undefined
}

export class Layer {
  readonly epoch: string
  readonly gauges: GaugeBoard
  readonly #clock: Clock
  readonly #tables = new Map<Kind, RowTable>(KINDS.map((kind) => [kind, new RowTable()]))
  readonly #ring: EventRing
  readonly #reducer: Reducer
  readonly #listeners = new Set<(event: InsightEvent) => void>()
  /** `kind\nkey` of rows that the checkpoint does not have as they are. */
  readonly #dirty = new Set<string>()
  #cancelRelease: (() => void) | undefined
  #closed = false

  constructor({ epoch, seq = 0, entities = [], tail = [], clock, ring, missesToDrop }: LayerOptions) {
    this.epoch = epoch
    this.#clock = clock
    this.gauges = new GaugeBoard()
    for (const entity of entities) this.table(entity.kind).set(entity)
    this.#ring = new EventRing(tail[0] === undefined ? seq : tail[0].seq - 1, ring)
    for (const event of tail) this.#ring.push(event)
    const ledger: Ledger = {
      get: (kind, key) => this.get(kind, key),
      keysUnder: (kind, scope) => this.table(kind).keysUnder(scope),
      commit: (event) => this.#commit(event),
      touch: (kind, key, at) => this.table(kind).touch(key, at),
    }
    this.#reducer = new Reducer({ ledger, missesToDrop })
  }

  get seq(): number {
    return this.#ring.head
  }

  get ringDepth(): number {
    return this.#ring.length
  }

  get(kind: Kind, key: string): Entity | undefined {
    return this.table(kind).get(key)
  }

  count(kind: Kind): number {
    return this.table(kind).size
  }

  entities(kind: Kind): Iterable<Entity> {
    return this.table(kind).values()
  }

  /** Those whose keys begin with a text: the parts of a collection, `db/id/`. */
  under(kind: Kind, scope: string): Entity[] {
    const table = this.table(kind)
    return [...table.keysUnder(scope)].flatMap((key) => table.get(key) ?? [])
  }

  query(query: Query): Page {
    return queryRows(this.table(query.kind), this.epoch, this.seq, query)
  }

  /** Events after `seq` of an epoch, or why they cannot be had. */
  since(epoch: string, seq: number, limit?: number): readonly InsightEvent[] | 'epoch' | 'outdated' | 'future' {
    return epoch === this.epoch ? this.#ring.after(seq, limit) : 'epoch'
  }

  /** Called with each event after its commit. The result ends it. */
  listen(listener: (event: InsightEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  upsert(kind: Kind, key: string, row: Row, src: Origin): void {
    this.#reducer.upsert(kind, key, row, this.#clock.now(), src)
    this.#release()
  }

  drop(kind: Kind, key: string, src: Origin): void {
    this.#reducer.drop(kind, key, this.#clock.now(), src)
  }

  full(kind: Kind, scope: string, keys: ReadonlySet<string>, src: Origin): void {
    this.#reducer.full(kind, scope, keys, this.#clock.now(), src)
  }

  /** Drops every row. */
  clear(src: Origin): void {
    for (const kind of KINDS) for (const key of this.table(kind).keys()) this.drop(kind, key, src)
  }

  /** A fact about the source or the cache itself. */
  note(kind: 'source' | 'cache', type: string, data: Row): void {
    this.#commit({ ts: this.#clock.now(), type, kind, key: kind, src: 'push', data })
  }

  /** Takes what the checkpoint lacks: `kind\nkey` each. */
  takeDirty(): string[] {
    const dirty = [...this.#dirty]
    this.#dirty.clear()
    return dirty
  }

  markDirty(ids: Iterable<string>): void {
    for (const id of ids) this.#dirty.add(id)
  }

  close(): void {
    this.#closed = true
    this.#cancelRelease?.()
    this.#listeners.clear()
  }

  table(kind: Kind): RowTable {
    return this.#tables.get(kind) as RowTable
  }

  #commit(event: Omit<InsightEvent, 'seq' | 'rev'>): void {
    const seq = this.seq + 1
    const full: InsightEvent = { seq, ...event, rev: seq }
    if (full.kind !== 'source' && full.kind !== 'cache') {
      const table = this.table(full.kind)
      const row = foldRow(table.get(full.key)?.row, full)
      if (row === undefined) table.delete(full.key)
      else table.set({ kind: full.kind, key: full.key, row, rev: seq, observedAt: full.ts })
      this.#dirty.add(`${full.kind}\n${full.key}`)
    }
    this.#ring.push(full)
    for (const listener of this.#listeners) listener(full)
  }

  /** What the reducer held back is told when it is due, even when nothing more is seen. */
  #release(): void {
    if (this.#cancelRelease !== undefined || this.#closed) return
    const now = this.#clock.now()
    const next = this.#reducer.release(now)
    if (next === undefined) return
    this.#cancelRelease = this.#clock.setTimer(
      () => {
        this.#cancelRelease = undefined
        this.#release()
      },
      Math.max(1, next - now),
    )
  }
}
