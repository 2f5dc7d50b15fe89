/** Lists: searched, filtered, sorted and cut here, so that no more than a page leaves the server. */
import type { Entity, Json, Kind, Row } from './model.ts'
import type { RowTable } from './row-table.ts'

export const MAX_LIMIT = 1000
export const MAX_SEARCH = 256

export interface Query {
  readonly kind: Kind
  /** Part of a name or id, in any case. Plain text, never a pattern. */
  readonly q?: string | undefined
  readonly db?: string | undefined
  /** Collection id, for what belongs to one. */
  readonly collection?: string | undefined
  /** Of the row, or of its load. */
  readonly state?: string | undefined
  /** A path like `stats.rows`. Default: `name`. */
  readonly sort?: string | undefined
  readonly order?: 'asc' | 'desc' | undefined
  /** 1 to 1000; default 50. */
  readonly limit?: number | undefined
  /** What the page before gave as `next`. */
  readonly cursor?: string | undefined
  /** What the caller may see; the rest is neither shown nor counted. */
  readonly sees?: ((entity: Entity) => boolean) | undefined
}

export interface Page {
  readonly epoch: string
  readonly seq: number
  /** Of all that match, not only of the page. */
  readonly total: number
  readonly rows: readonly ListedRow[]
  readonly next: string | null
}

export interface ListedRow {
  readonly key: string
  readonly rev: number
  readonly observedAt: number
  readonly row: Row
}

/** A query that cannot be answered as it is; `code` is told to the client. */
export class QueryError extends Error {
  override readonly name: string = 'QueryError'
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

interface Ranked {
  readonly entity: Entity
  readonly value: Json | undefined
}

export function queryRows(table: RowTable, epoch: string, seq: number, query: Query): Page {
  const { q = '', sort = 'name', order = 'asc', limit = 50 } = query
  if (q.length > MAX_SEARCH) throw new QueryError('bad-query', `expected \`q\` to have at most ${MAX_SEARCH} characters, got ${q.length}`)
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) throw new QueryError('bad-query', `expected \`limit\` to be an integer in 1..${MAX_LIMIT}, got ${String(limit)}`)
  const path = sort.split('.')
  const sign = order === 'desc' ? -1 : 1
  const after = query.cursor === undefined ? undefined : readCursor(query.cursor, epoch)
  const best = new Best(limit + 1, sign)
  let total = 0
  for (const entity of table.matching(q)) {
    if (!matches(entity, query)) continue
    total++
    const value = valueAt(entity.row, path)
    if (after === undefined || compareRanked(sign, value, entity.key, after.value, after.key) > 0) best.offer(entity, value)
  }
  const found = best.sorted()
  const rows = found.slice(0, limit)
  const last = rows.at(-1)
  const next = found.length > limit && last !== undefined ? writeCursor(last, epoch) : null
  return { epoch, seq, total, rows: rows.map(({ entity: { key, rev, observedAt, row } }) => ({ key, rev, observedAt, row })), next }
}

function matches(entity: Entity, { db, collection, state, sees }: Query): boolean {
  const { row } = entity
  if (db !== undefined && row['db'] !== db) return false
  if (collection !== undefined && row['collId'] !== collection) return false
  if (state !== undefined && row['state'] !== state && valueAt(row, ['load', 'state']) !== state) return false
  return sees === undefined || sees(entity)
}

function valueAt(row: Row, path: readonly string[]): Json | undefined {
  let value: Json | undefined = row
  if (path.length === 1) return row[path[0] as string]
  for (const part of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, part)) return undefined
    value = (value as Row)[part]
  }
  return value
}

/** Numbers by size, decimal strings too; other texts by code units; what is missing comes last. */
export function compareJson(a: Json | undefined, b: Json | undefined): number {
  if (a === b) return 0
  if (a === undefined || a === null) return b === undefined || b === null ? 0 : 1
  if (b === undefined || b === null) return -1
  if (typeof a === 'number' && typeof b === 'number') return a - b
  const left = textOf(a)
  const right = textOf(b)
  if (left.length !== right.length && isDigits(left) && isDigits(right)) return left.length - right.length
  return compareText(left, right)
}

const textOf = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value))
const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Decimal strings are told by their digits alone; faster than a pattern, and asked very often. */
function isDigits(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 48 || code > 57) return false
  }
  return text.length > 0
}

function compareRanked(sign: number, value: Json | undefined, key: string, otherValue: Json | undefined, otherKey: string): number {
  return sign * (compareJson(value, otherValue) || compareText(key, otherKey))
}

interface Cursor {
  readonly value: Json | undefined
  readonly key: string
}

function writeCursor({ entity, value }: Ranked, epoch: string): string {
  return Buffer.from(JSON.stringify([epoch, entity.key, ...(value === undefined ? [] : [value])])).toString('base64url')
}

function readCursor(text: string, epoch: string): Cursor {
  let parsed: unknown
  try {
    parsed = JSON.parse(Buffer.from(text, 'base64url').toString())
  } catch {
    parsed = undefined
  }
  if (!Array.isArray(parsed) || typeof parsed[0] !== 'string' || typeof parsed[1] !== 'string') throw new QueryError('bad-cursor', 'expected `cursor` to be the `next` of a page')
  if (parsed[0] !== epoch) throw new QueryError('outdated', 'the page before belongs to an older state of the server: start again')
  return { key: parsed[1], value: parsed[2] as Json | undefined }
}

/** The first `limit` in order, of as many as are offered: a heap with the worst on top, so that most are refused at a glance. */
class Best {
  readonly #limit: number
  readonly #sign: number
  readonly #heap: Ranked[] = []

  constructor(limit: number, sign: number) {
    this.#limit = limit
    this.#sign = sign
  }

  offer(entity: Entity, value: Json | undefined): void {
    const heap = this.#heap
    if (heap.length < this.#limit) {
      heap.push({ entity, value })
      this.#up(heap.length - 1)
      return
    }
    const worst = heap[0] as Ranked
    if (compareRanked(this.#sign, value, entity.key, worst.value, worst.entity.key) >= 0) return
    heap[0] = { entity, value }
    this.#down()
  }

  sorted(): Ranked[] {
    return this.#heap.sort((a, b) => this.#compare(a, b))
  }

  #compare(a: Ranked, b: Ranked): number {
    return compareRanked(this.#sign, a.value, a.entity.key, b.value, b.entity.key)
  }

  #up(start: number): void {
    const heap = this.#heap
    for (let at = start; at > 0; ) {
      const parent = (at - 1) >> 1
      if (this.#compare(heap[at] as Ranked, heap[parent] as Ranked) <= 0) return
      this.#swap(at, parent)
      at = parent
    }
  }

  #down(): void {
    const heap = this.#heap
    for (let at = 0; ; ) {
      let worst = at
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && this.#compare(heap[child] as Ranked, heap[worst] as Ranked) > 0) worst = child
      }
      if (worst === at) return
      this.#swap(at, worst)
      at = worst
    }
  }

  #swap(a: number, b: number): void {
    const heap = this.#heap
    const kept = heap[a] as Ranked
    heap[a] = heap[b] as Ranked
    heap[b] = kept
  }
}
