/** Lists: searched, filtered, sorted and cut here, so that no more than a page leaves the server. */
import { firstOf } from './best.ts'
import { compareText, type Ranked } from './column.ts'
import type { Entity, Kind, Row } from './model.ts'
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

export function queryRows(table: RowTable, epoch: string, seq: number, query: Query): Page {
  const { q = '', sort = 'name', order = 'asc', limit = 50 } = query
  if (q.length > MAX_SEARCH) throw new QueryError('bad-query', `expected \`q\` to have at most ${MAX_SEARCH} characters, got ${q.length}`)
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) throw new QueryError('bad-query', `expected \`limit\` to be an integer in 1..${MAX_LIMIT}, got ${String(limit)}`)
  const sign = order === 'desc' ? -1 : 1
  const after = query.cursor === undefined ? undefined : readCursor(query.cursor, epoch)
  const { entities } = table
  const column = table.column(sort)
  column.prepare()
  const keyOf = (slot: number): string => (entities[slot] as Entity).key
  const matches = filterOf(table, query)
  const slots = new Uint32Array(table.entities.length)
  let total = 0
  let length = 0
  const from = after === undefined ? undefined : column.place(after.value)
  table.visit(q, (slot) => {
    if (matches !== undefined && !matches(slot)) return
    total++
    if (from === undefined || (column.compareTo(slot, from, sign) || sign * compareText(keyOf(slot), after?.key ?? '')) > 0) slots[length++] = slot
  })
  const found = firstOf(slots.subarray(0, length), limit + 1, (a, b) => column.compare(a, b, sign) || sign * compareText(keyOf(a), keyOf(b)))
  const last = found[limit - 1]
  const next = found.length > limit && last !== undefined ? writeCursor(epoch, keyOf(last), column.at(last)) : null
  const rows = found.slice(0, limit).map((slot) => {
    const { key, rev, observedAt, row } = entities[slot] as Entity
    return { key, rev, observedAt, row }
  })
  return { epoch, seq, total, rows, next }
}

/** Undefined: everything matches. */
function filterOf(table: RowTable, { db, collection, state, sees }: Query): ((slot: number) => boolean) | undefined {
  const tests: ((slot: number) => boolean)[] = []
  const equals = (path: string, wanted: string): ((slot: number) => boolean) => {
    const column = table.column(path)
    return (slot) => column.textAt(slot) === wanted
  }
  if (db !== undefined) tests.push(equals('db', db))
  if (collection !== undefined) tests.push(equals('collId', collection))
  if (state !== undefined) {
    const [own, load] = [equals('state', state), equals('load.state', state)]
    tests.push((slot) => own(slot) || load(slot))
  }
  if (sees !== undefined) tests.push((slot) => sees(table.entities[slot] as Entity))
  if (tests.length === 0) return undefined
  return (slot) => tests.every((test) => test(slot))
}

interface Cursor {
  readonly value: Ranked
  readonly key: string
}

function writeCursor(epoch: string, key: string, { number, text }: Ranked): string {
  return Buffer.from(JSON.stringify([epoch, key, Number.isNaN(number) ? null : number, text])).toString('base64url')
}

function readCursor(cursor: string, epoch: string): Cursor {
  let parsed: unknown
  try {
    parsed = JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch {
    parsed = undefined
  }
  if (!Array.isArray(parsed) || typeof parsed[0] !== 'string' || typeof parsed[1] !== 'string') throw new QueryError('bad-cursor', 'expected `cursor` to be the `next` of a page')
  if (parsed[0] !== epoch) throw new QueryError('outdated', 'the page before belongs to an older state of the server: start again')
  const [, key, number, text] = parsed as unknown as readonly [string, string, unknown, unknown]
  return { key, value: { number: typeof number === 'number' ? number : NaN, text: typeof text === 'string' ? text : undefined } }
}
