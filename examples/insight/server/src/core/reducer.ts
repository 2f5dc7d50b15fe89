/**
 * The one maker of events. Every observation, pushed or polled, is compared with the rows that are known; what differs becomes
 * events, and nothing else does: so a change that is both pushed and polled is told once.
 */
import { CATALOGUE, typeOf } from './catalogue.ts'
import { diffRows, withoutNulls } from './merge-patch.ts'
import { isKind, type Entity, type InsightEvent, type Json, type Kind, type Origin, type Row } from './model.ts'

/** Where events go: gives each its number and applies it. */
export interface Ledger {
  get(kind: Kind, key: string): Entity | undefined
  /** Keys of a kind that begin with a text. */
  keysUnder(kind: Kind, scope: string): Iterable<string>
  /** Applies the event to its row. */
  commit(event: Omit<InsightEvent, 'seq' | 'rev'>): void
  /** The entity was seen as it is known. */
  touch(kind: Kind, key: string, at: number): void
}

export interface ReducerOptions {
  readonly ledger: Ledger
  /** So many complete lists in a row must miss a row before it is dropped: 2 behind a load balancer. */
  readonly missesToDrop?: number | undefined
}

interface Held {
  readonly kind: Kind
  readonly key: string
  readonly row: Row
  readonly src: Origin
  readonly due: number
}

/** Of all throttled groups. */
const LONGEST_INTERVAL_MS = Math.max(...Object.values(CATALOGUE).flatMap(({ groups }) => Object.values(groups ?? {}).map(({ minIntervalMs = 0 }) => minIntervalMs)))

/** Kinds whose keys start with `db/collectionId/`: they go with their collection. */
const PARTS: readonly Kind[] = ['alias', 'partition', 'index', 'segment', 'channel']

export class Reducer {
  readonly #ledger: Ledger
  readonly #missesToDrop: number
  readonly #misses = new Map<string, number>()
  /** When a throttled group of an entity was told last. */
  readonly #toldAt = new Map<string, number>()
  /** Rows whose throttled groups are not told yet. */
  readonly #held = new Map<string, Held>()

  constructor({ ledger, missesToDrop = 1 }: ReducerOptions) {
    this.#ledger = ledger
    this.#missesToDrop = missesToDrop
  }

  /** An entity as it is now. */
  upsert(kind: Kind, key: string, seen: Row, at: number, src: Origin): void {
    if (!isKind(kind) || key === '') throw new TypeError(`expected a kind and a key, got ${JSON.stringify(kind)} and ${JSON.stringify(key)}`)
    const row = withoutNulls(seen)
    const id = `${kind}\n${key}`
    this.#misses.delete(id)
    this.#held.delete(id)
    const known = this.#ledger.get(kind, key)
    if (known === undefined) {
      this.#ledger.commit({ ts: at, type: typeOf(CATALOGUE[kind], row, 'created'), kind, key, src, data: row })
      for (const [group, { minIntervalMs }] of Object.entries(CATALOGUE[kind].groups ?? {})) if (row[group] !== undefined) this.#told(`${id}\n${group}`, at, minIntervalMs)
      return
    }
    this.#ledger.touch(kind, key, at)
    const patch = diffRows(known.row, row)
    if (patch !== undefined) this.#change(known, patch, row, at, src)
  }

  drop(kind: Kind, key: string, at: number, src: Origin): void {
    const known = this.#ledger.get(kind, key)
    this.#forget(kind, key)
    if (known === undefined) return
    if (kind === 'collection') for (const part of PARTS) this.#dropUnder(part, `${key}/`, at, src)
    const { name, id } = known.row
    this.#ledger.commit({ ts: at, type: typeOf(CATALOGUE[kind], known.row, 'dropped'), kind, key, src, data: { ...(name === undefined ? {} : { name }), ...(id === undefined ? {} : { id }) } })
  }

  /** A complete list of what a kind has under a scope (a prefix of keys): what is missing was dropped. */
  full(kind: Kind, scope: string, keys: ReadonlySet<string>, at: number, src: Origin): void {
    for (const key of this.#ledger.keysUnder(kind, scope)) {
      if (keys.has(key)) continue
      const id = `${kind}\n${key}`
      const misses = (this.#misses.get(id) ?? 0) + 1
      if (misses >= this.#missesToDrop) this.drop(kind, key, at, src)
      else this.#misses.set(id, misses)
    }
  }

  /** Tells what was held back and is due; gives the time of the next, or undefined. */
  release(now: number): number | undefined {
    this.#forgetTold(now)
    let next: number | undefined
    for (const [id, { kind, key, row, src, due }] of this.#held) {
      if (due <= now) {
        this.#held.delete(id)
        this.upsert(kind, key, row, now, src)
      } else next = next === undefined ? due : Math.min(next, due)
    }
    return next
  }

  #change(known: Entity, patch: Row, row: Row, at: number, src: Origin): void {
    const { kind, key } = known
    const rule = CATALOGUE[kind]
    const rest: Record<string, Json> = {}
    const withState = patch['state'] === undefined ? [] : (rule.stateWith ?? [])
    for (const [field, value] of Object.entries(patch)) {
      if (withState.includes(field)) continue
      const group = rule.groups?.[field]
      if (group !== undefined) this.#changeGroup(known, field, value, group.type, group.minIntervalMs ?? 0, row, at, src)
      else if (field === 'state' && rule.state !== undefined) this.#move(known, 'state', typeOf(rule, row, 'state', value), value, row, at, src, pick(patch, withState))
      else if (field === 'name' && rule.renamed !== undefined) this.#move(known, 'name', rule.renamed, value, row, at, src)
      else rest[field] = value
    }
    if (Object.keys(rest).length > 0) this.#ledger.commit({ ts: at, type: typeOf(rule, row, 'updated'), kind, key, src, data: rest, changed: Object.keys(rest) })
  }

  #changeGroup(known: Entity, field: string, value: Json, type: string, minIntervalMs: number, row: Row, at: number, src: Origin): void {
    const { kind, key } = known
    const id = `${kind}\n${key}`
    const due = (this.#toldAt.get(`${id}\n${field}`) ?? -Infinity) + minIntervalMs
    if (at < due) {
      this.#held.set(id, { kind, key, row, src, due: Math.min(due, this.#held.get(id)?.due ?? due) })
      return
    }
    this.#told(`${id}\n${field}`, at, minIntervalMs)
    this.#ledger.commit({ ts: at, type, kind, key, src, data: { [field]: value }, changed: [field] })
  }

  /** In the order of time, so that what no longer holds anything back is dropped from the front. */
  #told(id: string, at: number, minIntervalMs = 0): void {
    if (minIntervalMs === 0) return
    this.#toldAt.delete(id)
    this.#toldAt.set(id, at)
  }

  #forgetTold(now: number): void {
    for (const [oldest, since] of this.#toldAt) {
      if (since > now - LONGEST_INTERVAL_MS) return
      this.#toldAt.delete(oldest)
    }
  }

  #move({ kind, key, row: before }: Entity, field: 'state' | 'name', type: string, to: Json, row: Row, at: number, src: Origin, more: Row = {}): void {
    const why = row['reason']
    this.#ledger.commit({ ts: at, type, kind, key, src, data: { from: before[field] ?? null, to, ...more, ...(why === undefined ? {} : { reason: why }) }, changed: [field, ...Object.keys(more)] })
  }

  #dropUnder(kind: Kind, scope: string, at: number, src: Origin): void {
    for (const key of this.#ledger.keysUnder(kind, scope)) this.drop(kind, key, at, src)
  }

  #forget(kind: Kind, key: string): void {
    const id = `${kind}\n${key}`
    this.#misses.delete(id)
    this.#held.delete(id)
    for (const group of Object.keys(CATALOGUE[kind].groups ?? {})) this.#toldAt.delete(`${id}\n${group}`)
  }
}

const pick = (patch: Row, fields: readonly string[]): Row => Object.fromEntries(Object.entries(patch).filter(([field]) => fields.includes(field)))
