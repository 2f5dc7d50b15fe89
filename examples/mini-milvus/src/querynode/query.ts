/** Rows by filter or by key, in the order of primary keys. */
import type { NodeClock } from '../edge/system.ts'
import type { CompiledFilter, ElementFilter } from '../filter/index.ts'
import { primaryKeyAt, type PrimaryKey } from '../model/primary-keys.ts'
import type { CollectionSchema } from '../model/schema.ts'
import type { QueryRequest, QueryResult } from './api.ts'
import { compareKeys } from './merge-hits.ts'
import { pickedColumns, pickedKeys, type PickedRows } from './picked-rows.ts'
import { rowMask } from './row-mask.ts'
import type { SegmentView } from './segment-view.ts'

export interface QueryContext {
  readonly clock: NodeClock
  readonly schema: CollectionSchema
  readonly views: readonly SegmentView[]
  readonly filter: CompiledFilter | undefined
}

interface Match {
  readonly view: number
  readonly row: number
  readonly key: PrimaryKey
}

export async function queryViews(context: QueryContext, request: QueryRequest): Promise<Omit<QueryResult, 'serviceTs'>> {
  const { schema, views, filter } = context
  const keys = request.keys ?? filter?.primaryKeyBound
  const residual = request.keys === undefined && filter?.primaryKeys !== undefined ? undefined : filter
  const wanted = request.limit === undefined ? Infinity : request.offset + request.limit
  let count = 0
  const matches: Match[] = []
  // In one step: a row that moves between segments is seen once.
  const found = keys === undefined ? await Promise.all(views.map((view) => scan(context, view, request, wanted))) : views.map((view) => foundByKeys(view, keys, residual))
  for (const [index, view] of views.entries()) {
    const { rows, total } = found[index] as Found
    count += total
    for (const row of rows) matches.push({ view: index, row, key: primaryKeyAt(view.keys, row) })
  }
  matches.sort((a, b) => compareKeys(a.key, b.key))
  const page = matches.slice(request.offset, wanted)
  const picked: PickedRows = {
    views,
    viewIndexes: Uint32Array.from(page, (match) => match.view),
    rows: Uint32Array.from(page, (match) => match.row),
  }
  const elements = filter?.elements === undefined ? undefined : page.map(({ view, row }) => matchingElements(filter.elements as ElementFilter, views[view] as SegmentView, row))
  return { count, keys: pickedKeys(picked, schema), columns: pickedColumns(picked, schema, request.outputFields), elements }
}

/** Their places in the row's list. */
function matchingElements(filter: ElementFilter, view: SegmentView, row: number): Uint32Array {
  const marks = filter.mark(view, row, row + 1)
  return Uint32Array.from(marks.keys()).filter((at) => marks[at] === 1)
}

interface Found {
  /** Those that can come into the result. */
  readonly rows: ArrayLike<number> & Iterable<number>
  readonly total: number
}

async function scan({ clock, filter }: QueryContext, view: SegmentView, request: QueryRequest, wanted: number): Promise<Found> {
  const { bytes, count } = await rowMask(view, filter, clock)
  request.signal.throwIfAborted()
  // Rows of a sorted segment ascend by key already: what is behind the limit cannot come into the result.
  const rows = new Uint32Array(request.count ? 0 : view.sortedByKey ? Math.min(count, wanted) : count)
  let next = 0
  for (let row = 0; next < rows.length; row++) {
    if (bytes === undefined || bytes[row] === 1) rows[next++] = row
  }
  return { rows, total: count }
}

function foundByKeys(view: SegmentView, keys: readonly PrimaryKey[], residual: CompiledFilter | undefined): Found {
  const rows = rowsOfKeys(view, keys, residual)
  return { rows, total: rows.length }
}

function rowsOfKeys(view: SegmentView, keys: readonly PrimaryKey[], residual: CompiledFilter | undefined): number[] {
  const rows: number[] = []
  const bit = new Uint8Array(1)
  for (const key of new Set(keys)) {
    for (const row of view.keyIndex.rows(key)) {
      if (row >= view.length || !view.tombstones.isAlive(row)) continue
      if (residual !== undefined) {
        residual.evaluate(view, row, row + 1, bit)
        if (bit[0] !== 1) continue
      }
      rows.push(row)
    }
  }
  return rows
}
