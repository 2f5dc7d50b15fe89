/** Search in the segments that are visible now. */
import type { NodeClock } from '../edge/system.ts'
import type { Engine } from '../engine/index.ts'
import type { CompiledFilter } from '../filter/index.ts'
import type { CollectionSchema } from '../model/schema.ts'
import { MilvusError } from '../server/status.ts'
import type { SearchRequest, SearchResult } from './api.ts'
import { ascendingMetric, mergeHits, type SegmentHits } from './merge-hits.ts'
import { pickedColumns, pickedKeys } from './picked-rows.ts'
import { rowMask } from './row-mask.ts'
import type { SegmentView } from './segment-view.ts'
import type { VectorField } from './vector-field.ts'

export interface SearchContext {
  readonly engine: Engine
  readonly clock: NodeClock
  readonly schema: CollectionSchema
  readonly field: VectorField
  readonly views: readonly SegmentView[]
  readonly filter: CompiledFilter | undefined
}

export async function searchViews(context: SearchContext, request: SearchRequest): Promise<Omit<SearchResult, 'serviceTs'>> {
  const { schema, field, views } = context
  if (request.metric !== '' && request.metric !== field.metric) {
    throw new MilvusError(1100, `metric type not match: invalid parameter[expected=${field.metric}][actual=${request.metric}]`)
  }
  const found = await Promise.all(views.map((view) => searchView(context, view, request)))
  const hits = found.filter((item): item is SegmentHits => item !== undefined)
  const { counts, scores, picked } = mergeHits(hits, request.nq, request.k, request.offset, ascendingMetric(field.metric))
  return {
    metric: field.metric,
    counts,
    scores,
    keys: pickedKeys(picked, schema),
    columns: pickedColumns(picked, schema, request.outputFields),
  }
}

async function searchView({ engine, clock, field, filter }: SearchContext, view: SegmentView, request: SearchRequest): Promise<SegmentHits | undefined> {
  const setId = view.vectorSet(field.fieldId)
  if (setId === undefined) return undefined
  const mask = await rowMask(view, filter, clock)
  request.signal.throwIfAborted()
  if (mask.count === 0) return undefined
  const { queries, nq, k, ef, radius, rangeFilter, signal } = request
  const useIndex = view.hasIndex(field.fieldId)
  const result = await engine.search({ setId, useIndex, queries, nq, k, ef, mask: mask.bytes, maskCount: mask.count, radius, rangeFilter, signal })
  return { view, ...result }
}
