/** The fields that functions fill, computed of the rows that are written. */
import { concatColumns } from '../codec/index.ts'
import type { Column, RowBatch, SparseColumn, StringColumn } from '../model/column.ts'
import { functionsOf } from '../model/functions.ts'
import type { CollectionSchema, FieldSchema } from '../model/schema.ts'
import { type Analyzer, fieldAnalyzer, termColumn, textsOf } from '../text/index.ts'

/** Texts that are analyzed in a few milliseconds. */
const MAX_BYTES = 65_536

/** Gives the event loop a turn. */
export type Pause = () => Promise<void>

/** @param batch whole rows, but for the outputs */
export async function withFunctionOutputs(schema: CollectionSchema, batch: RowBatch, pause: Pause): Promise<RowBatch> {
  const functions = functionsOf(schema)
  if (functions.length === 0) return batch
  const columns = new Map<number, Column>(batch.columns)
  for (const { inputFieldId, outputFieldId, name } of functions) {
    const field: FieldSchema | undefined = schema.fields.find(({ id }) => id === inputFieldId)
    const column = columns.get(inputFieldId)
    if (field === undefined || column?.kind !== 'string') throw new Error(`function ${name} has no texts to read`)
    columns.set(outputFieldId, await analyzed(fieldAnalyzer(field), column, pause))
  }
  return { length: batch.length, columns }
}

async function analyzed(analyzer: Analyzer, texts: StringColumn, pause: Pause): Promise<SparseColumn> {
  const { length, offsets } = texts
  const pieces: SparseColumn[] = []
  for (let begin = 0; begin < length; ) {
    if (begin > 0) await pause()
    let end = begin + 1
    while (end < length && (offsets[end] as number) - (offsets[begin] as number) < MAX_BYTES) end++
    pieces.push(termColumn(analyzer, textsOf(texts, begin, end)))
    begin = end
  }
  const [only] = pieces
  return pieces.length === 1 && only !== undefined ? only : concatColumns(pieces)
}

/** The fields that clients give. */
export function withoutFunctionOutputs(schema: CollectionSchema): readonly FieldSchema[] {
  const filled = new Set(functionsOf(schema).map(({ outputFieldId }) => outputFieldId))
  return filled.size === 0 ? schema.fields : schema.fields.filter(({ id }) => !filled.has(id))
}
