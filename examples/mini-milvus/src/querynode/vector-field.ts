import { bm25Params, parseParams } from '../coordinator/catalog-index-rules.ts'
import { type CollectionSchema, DataType, isSearchable } from '../model/schema.ts'
import { vectorTypeOf } from '../model/structs.ts'
import type { IndexMeta } from '../model/meta.ts'

/** How the vectors of one field are compared while a collection is loaded. */
export interface VectorField {
  readonly fieldId: number
  /** Of the vectors; of a list of them, of its elements. */
  readonly type: DataType
  /** 0 of sparse vectors. */
  readonly dim: number
  /** As the index says it. */
  readonly metric: string
  /** What two vectors are compared by: of MAX_SIM that of its vectors. */
  readonly engineMetric: string
  /** What a hit is: a row, an element of a row's list, or a row by all of its list. */
  readonly unit: 'row' | 'element' | 'list'
  readonly index: IndexMeta
  /** Of the metric BM25. */
  readonly bm25?: { readonly k1: number; readonly b: number } | undefined
}

export function vectorFieldsOf(schema: CollectionSchema, indexes: readonly IndexMeta[]): Map<number, VectorField> {
  const fields = new Map<number, VectorField>()
  for (const field of schema.fields) {
    const index = indexes.find((candidate) => candidate.fieldId === field.id)
    if (!isSearchable(field) || index === undefined) continue
    const metric = index.metricType
    const isList = metric.startsWith('MAX_SIM')
    fields.set(field.id, {
      fieldId: field.id,
      type: vectorTypeOf(field),
      dim: field.dim ?? 0,
      metric,
      engineMetric: isList ? (/^MAX_SIM_(.+)$/.exec(metric)?.[1] ?? 'COSINE') : metric,
      unit: field.type !== DataType.ArrayOfVector ? 'row' : isList ? 'list' : 'element',
      index,
      bm25: metric === 'BM25' ? bm25Params({ ...parseParams(index.params['params']), ...index.params }) : undefined,
    })
  }
  return fields
}

/** MAX_SIM is another name of that of cosine. */
export function sameMetric(a: string, b: string): boolean {
  return a === b || (a === 'MAX_SIM' && b === 'MAX_SIM_COSINE') || (a === 'MAX_SIM_COSINE' && b === 'MAX_SIM')
}
