/** The fields that functions fill, computed of the rows that are written. */
import type { Column, RowBatch } from '../model/column.ts'
import { functionsOf } from '../model/functions.ts'
import type { CollectionSchema, FieldSchema } from '../model/schema.ts'
import { fieldAnalyzer, termColumn, textsOf } from '../text/index.ts'

/** @param batch whole rows, but for the outputs */
export function withFunctionOutputs(schema: CollectionSchema, batch: RowBatch): RowBatch {
  const functions = functionsOf(schema)
  if (functions.length === 0) return batch
  const columns = new Map<number, Column>(batch.columns)
  for (const { inputFieldId, outputFieldId, name } of functions) {
    const field: FieldSchema | undefined = schema.fields.find(({ id }) => id === inputFieldId)
    const column = columns.get(inputFieldId)
    if (field === undefined || column?.kind !== 'string') throw new Error(`function ${name} has no texts to read`)
    columns.set(outputFieldId, termColumn(fieldAnalyzer(field), textsOf(column)))
  }
  return { length: batch.length, columns }
}

/** The fields that clients give. */
export function withoutFunctionOutputs(schema: CollectionSchema): readonly FieldSchema[] {
  const filled = new Set(functionsOf(schema).map(({ outputFieldId }) => outputFieldId))
  return filled.size === 0 ? schema.fields : schema.fields.filter(({ id }) => !filled.has(id))
}
