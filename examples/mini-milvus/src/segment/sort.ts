import type { Column, RowBatch } from '../model/column.ts'
import { yieldToLoop } from './edge.ts'
import { gatherSteps, gatherTimestampSteps } from './gather-steps.ts'
import { orderSteps } from './order-steps.ts'
import { inTurns, type Pause, type Steps } from './steps.ts'

export interface SortedRows {
  readonly batch: RowBatch
  readonly timestamps: BigUint64Array
  /** Row i was row `order[i]`; undefined when the rows were in order already and nothing was copied. */
  readonly order: Uint32Array | undefined
}

/** Rows in order of their primary keys (int64 by value, text by UTF-8 bytes); rows of equal keys keep their order. In steps. */
export function* sortSteps(batch: RowBatch, timestamps: BigUint64Array, primaryFieldId: number): Steps<SortedRows> {
  const order = yield* orderSteps(batch.columns.get(primaryFieldId), batch.length)
  if (order === undefined) return { batch, timestamps: timestamps.subarray(0, batch.length), order }
  const columns = new Map<number, Column>()
  for (const [id, column] of batch.columns) {
    yield
    columns.set(id, yield* gatherSteps(column, order))
  }
  yield
  return { batch: { length: batch.length, columns }, timestamps: yield* gatherTimestampSteps(timestamps, order), order }
}

/** {@link sortSteps}, letting the event loop run every few milliseconds. */
export function sortSegment(batch: RowBatch, timestamps: BigUint64Array, primaryFieldId: number, pause: Pause = yieldToLoop): Promise<SortedRows> {
  return inTurns(sortSteps(batch, timestamps, primaryFieldId), pause)
}
