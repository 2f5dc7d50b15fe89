/** Functions of a schema: what is computed of some fields into others when rows are written. BM25 is the one there is. */
import type { CollectionSchema } from './schema.ts'

export interface FunctionMeta {
  readonly id: number
  readonly name: string
  readonly description: string
  readonly type: 'BM25'
  readonly inputFieldId: number
  readonly outputFieldId: number
  readonly params: Readonly<Record<string, string>>
}

export function functionsOf(schema: Pick<CollectionSchema, 'functions'>): readonly FunctionMeta[] {
  return schema.functions ?? []
}

/** The function that fills a field. */
export function functionInto(schema: Pick<CollectionSchema, 'functions'>, fieldId: number): FunctionMeta | undefined {
  return schema.functions?.find(({ outputFieldId }) => outputFieldId === fieldId)
}
