import { bm25Params, parseParams } from '../coordinator/catalog-index-rules.ts'
import { isVectorType, type CollectionSchema, type DataType } from '../model/schema.ts'
import type { IndexMeta } from '../model/meta.ts'

/** How the vectors of one field are compared while a collection is loaded. */
export interface VectorField {
  readonly fieldId: number
  readonly type: DataType
  /** 0 of sparse vectors. */
  readonly dim: number
  readonly metric: string
  readonly index: IndexMeta
  /** Of the metric BM25. */
  readonly bm25?: { readonly k1: number; readonly b: number } | undefined
}

export function vectorFieldsOf(schema: CollectionSchema, indexes: readonly IndexMeta[]): Map<number, VectorField> {
  const fields = new Map<number, VectorField>()
  for (const field of schema.fields) {
    const index = indexes.find((candidate) => candidate.fieldId === field.id)
    if (!isVectorType(field.type) || index === undefined) continue
    fields.set(field.id, { fieldId: field.id, type: field.type, dim: field.dim ?? 0, metric: index.metricType, index, bm25: index.metricType === 'BM25' ? bm25Params({ ...parseParams(index.params['params']), ...index.params }) : undefined })
  }
  return fields
}
