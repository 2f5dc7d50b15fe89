/**
 * Whether a partial upsert has the rows that it completes, asked when it is staged: so that its client hears then what Milvus would answer
 * it. Only what is certain is refused: rows that are committed now and that the client has not touched, and rows that it has deleted by
 * key itself. What depends on its own filters, on rows on disk or on what others do until the flush, the flush decides.
 */
import { gatherColumn } from '../codec/gather.ts'
import type { RowBatch } from '../model/column.ts'
import { primaryKeyAt, primaryKeyList, type PrimaryKey, type PrimaryKeys } from '../model/primary-keys.ts'
import type { FieldSchema } from '../model/schema.ts'
import { withoutFunctionOutputs } from '../proxy/function-outputs.ts'
import { canBeLeftOut, completeRows, missingField } from '../proxy/partial-upsert.ts'
import { inTurns, STEP_ROWS, type Steps } from '../segment/steps.ts'
import { existingRows, type NetContext } from './net-effect.ts'
import { OwnRows } from './own-rows.ts'
import type { PartialRows } from './partial-rows.ts'
import type { Entry } from './stage-book.ts'

/** Throws MilvusError 1100 as Milvus does: for a field that is not given and a row that is not there, and for an array that grows too long. */
export async function checkPartial(entries: readonly Entry[], partial: PartialRows, context: NetContext): Promise<void> {
  const fields = withoutFunctionOutputs(context.collection.schema)
  const needed = fields.find((field) => !field.isPrimary && !partial.rows.columns.has(field.id) && !canBeLeftOut(field))
  if (needed === undefined && partial.ops.size === 0) return
  const { absent, open } = await inTurns(ownFateSteps(entries, partial), context.pause, context.signal)
  if (absent && needed !== undefined) throw missingField(needed)
  const untouched = rowsOf(partial.keys, open)
  if (untouched.length > 0) await checkCommitted(fields, untouched.length === partial.keys.length ? partial : pick(partial, untouched), context)
}

async function checkCommitted(fields: readonly FieldSchema[], partial: PartialRows, context: NetContext): Promise<void> {
  const existing = await existingRows(new OwnRows(), partial, context)
  completeRows(fields, partial.rows, partial.keys, existing, partial.ops)
}

/** `absent`: a row is certainly not there, since its client has deleted it. `open`: keys that nothing of the client's has named yet. */
function* ownFateSteps(entries: readonly Entry[], { keys, scopeId }: PartialRows): Steps<{ readonly absent: boolean; readonly open: ReadonlySet<PrimaryKey> }> {
  const open = new Set<PrimaryKey>(primaryKeyList(keys))
  const named: PrimaryKey[] = []
  const look = function* (others: PrimaryKeys): Steps<void> {
    for (let at = 0; at < others.length; at++) {
      const key = primaryKeyAt(others, at)
      if (open.has(key)) named.push(key)
      if ((at + 1) % STEP_ROWS === 0) yield
    }
  }
  const forget = (): number => {
    for (const key of named) open.delete(key)
    return named.splice(0).length
  }
  const isInScope = (partitionId: bigint): boolean => scopeId === 0n || partitionId === scopeId
  // From the last write back: the last that names a key counts.
  for (let index = entries.length - 1; index >= 0 && open.size > 0; index--) {
    const { work, spilled } = entries[index] as Entry
    if (spilled !== undefined) return { absent: false, open: new Set() }
    for (const item of work.inserts ?? []) if (isInScope(item.partitionId)) yield* look(item.keys)
    if (work.partial !== undefined) yield* look(work.partial.newKeys ?? work.partial.keys)
    forget()
    if (work.predicate !== undefined) return { absent: false, open: new Set() }
    if (work.partial?.newKeys !== undefined) yield* look(work.partial.keys)
    for (const item of work.deletes ?? []) if (item.partitionId === 0n || isInScope(item.partitionId)) yield* look(item.keys)
    // A row may be in another partition than the deleted one.
    const isCertain = scopeId !== 0n || (work.deletes ?? []).every(({ partitionId }) => partitionId === 0n)
    if (forget() > 0 && isCertain) return { absent: true, open }
  }
  return { absent: false, open }
}

function rowsOf(keys: PrimaryKeys, chosen: ReadonlySet<PrimaryKey>): number[] {
  return primaryKeyList(keys).flatMap((key, row) => (chosen.has(key) ? [row] : []))
}

function pick(partial: PartialRows, rows: readonly number[]): PartialRows {
  const columns: RowBatch['columns'] = new Map([...partial.rows.columns].map(([id, column]) => [id, gatherColumn(column, rows)]))
  return { ...partial, rows: { length: rows.length, columns }, keys: gatherColumn<PrimaryKeys>(partial.keys, rows) }
}
