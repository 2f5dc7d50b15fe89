/** Search in the segments that are visible now. */
import type { NodeClock } from '../edge/system.ts'
import type { Engine } from '../engine/index.ts'
import type { CompiledFilter } from '../filter/index.ts'
import type { ListColumn } from '../model/column.ts'
import type { CollectionSchema } from '../model/schema.ts'
import { MilvusError } from '../server/status.ts'
import type { SearchRequest, SearchResult } from './api.ts'
import { weightedQuery } from './bm25.ts'
import { elementMask, rowsOfElements } from './element-mask.ts'
import { ascendingMetric, mergeHits, type SegmentHits } from './merge-hits.ts'
import { pickedColumns, pickedKeys } from './picked-rows.ts'
import { rowMask, withoutNulls } from './row-mask.ts'
import type { SegmentView } from './segment-view.ts'
import { turnsOf } from './turns.ts'
import { sameMetric, type VectorField } from './vector-field.ts'

export interface SearchContext {
  readonly engine: Engine
  readonly clock: NodeClock
  readonly schema: CollectionSchema
  readonly field: VectorField
  readonly views: readonly SegmentView[]
  /** Those of other partitions too: BM25 counts the whole collection. */
  readonly allViews: readonly SegmentView[]
  readonly filter: CompiledFilter | undefined
}

export async function searchViews(context: SearchContext, request: SearchRequest): Promise<Omit<SearchResult, 'serviceTs'>> {
  const { schema, field } = context
  if (request.metric !== '' && !sameMetric(request.metric, field.metric)) {
    throw new MilvusError(1100, `metric type not match: invalid parameter[expected=${field.metric}][actual=${request.metric}]`)
  }
  const hits = await searchAll(context, request)
  const { counts, scores, elements, picked } = mergeHits(hits, request.nq, request.k, request.offset, ascendingMetric(field.metric))
  return {
    metric: field.metric,
    counts,
    scores,
    elements,
    keys: pickedKeys(picked, schema),
    columns: pickedColumns(picked, schema, request.outputFields),
  }
}

/** Views and masks are taken in one step, so that a row that moves between segments is seen once. */
async function searchAll(context: SearchContext, request: SearchRequest): Promise<SegmentHits[]> {
  const { engine, clock, field, filter, views } = context
  const { queryOffsets, nq, k, ef, radius, rangeFilter, signal } = request
  const marking = Promise.all(
    views.map(async (view) => {
      const setId = view.vectorSet(field.fieldId)
      if (setId === undefined) return undefined
      const lists = field.unit === 'element' ? listsOf(view, field) : undefined
      const ofRows = await rowMask(view, filter, clock)
      const { bytes: mask, count: maskCount, length: rows } = lists === undefined ? withoutNulls(view, field.fieldId, ofRows) : await elementMask(view, field.fieldId, lists, ofRows, filter, turnsOf(clock))
      return { view, lists, maskCount, item: { setId, useIndex: field.dim === 0 || view.hasIndex(field.fieldId), queryOffsets, nq, k, rows, ef, mask, maskCount, radius, rangeFilter } }
    }),
  )
  const weighing = field.bm25 === undefined ? undefined : weightedQuery(context, request, field.bm25)
  const [asked, weighted] = await Promise.all([marking, weighing])
  const { queries, bm25 } = weighted ?? { queries: request.queries, bm25: undefined }
  signal.throwIfAborted()
  const wanted = asked.filter((one) => one !== undefined).filter(({ maskCount }) => maskCount > 0)
  const results = await engine.searchMany(
    wanted.map(({ item }) => ({ ...item, queries, bm25 })),
    { signal },
  )
  return results.map((result, index) => {
    const { view, lists } = wanted[index] as (typeof wanted)[number]
    return lists === undefined ? { view, ...result } : { view, ...result, ...rowsOfElements(lists, result.rows) }
  })
}

function listsOf(view: SegmentView, { fieldId }: VectorField): ListColumn | undefined {
  const column = view.column(fieldId)
  return column?.kind === 'vectors' ? column : undefined
}
