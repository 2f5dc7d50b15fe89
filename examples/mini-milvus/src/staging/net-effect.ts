/**
 * A client's writes to one collection, gone through in their order, as one change: rows to insert and keys to delete. Deletes by
 * predicate and partial upserts are worked out in their place: over the rows that are committed, without those that the client has
 * deleted before, and over its own rows before them.
 */
import { concatColumns, gatherColumn } from '../codec/gather.ts'
import { compileFilter, prepareFilter, type CompiledFilter } from '../filter/index.ts'
import type { Column, RowBatch } from '../model/column.ts'
import { functionsOf } from '../model/functions.ts'
import type { CollectionMeta } from '../model/meta.ts'
import { isPrimaryKeyColumn, primaryKeyAt, primaryKeyColumn, primaryKeyList, type PrimaryKeys } from '../model/primary-keys.ts'
import { primaryField } from '../model/schema.ts'
import { withFunctionOutputs, withoutFunctionOutputs } from '../proxy/function-outputs.ts'
import { completeRows } from '../proxy/partial-upsert.ts'
import { splitRows } from '../proxy/split-rows.ts'
import { fillColumn } from '../codec/fill.ts'
import type { QueryNodeApi, QueryResult } from '../querynode/api.ts'
import { asMilvusError, Code } from '../server/status.ts'
import { inTurns, type Pause, StepMeter } from '../segment/steps.ts'
import type { DmlWrite, PartitionRows } from '../writer/dml-writer.ts'
import { OwnRows, type OwnBatch } from './own-rows.ts'
import type { PartialRows } from './partial-rows.ts'
import type { PredicateDelete, StagedWork } from './staging.ts'

/** What a write costs beside its rows, in rows. */
const ROWS_PER_WRITE = 16

export interface NetContext {
  /** As it is now. */
  readonly collection: CollectionMeta
  readonly queryNode: Pick<QueryNodeApi, 'query' | 'matchingKeys'>
  /** Everything at or below is read. */
  readonly readTs: bigint
  readonly pause: Pause
  readonly signal: AbortSignal
  /** Told of a write that can be done no more: the others go on without it. */
  readonly onLeftOut?: ((why: string) => void) | undefined
}

export async function netEffect(works: Iterable<StagedWork> | AsyncIterable<StagedWork>, context: NetContext): Promise<Omit<DmlWrite, 'signal'>> {
  const { pause, signal, collection } = context
  const own = new OwnRows()
  const meter = new StepMeter()
  for await (const { deletes = [], predicate, partial, inserts = [] } of works) {
    for (const item of deletes) await inTurns(own.delete(item), pause, signal)
    if (predicate !== undefined) await orLeaveOut(`the delete where ${short(predicate.filter)}`, deleteMatching(own, predicate, context), context)
    if (partial !== undefined) await orLeaveOut(`the partial upsert of ${rowsOf(partial)}`, upsertPartial(own, partial, context), context)
    for (const item of inserts) own.add(await asOfNow(item, context))
    // Many small writes are much work, too.
    if (meter.spend(ROWS_PER_WRITE)) await pause()
  }
  return { collection, ...(await inTurns(own.netSteps(), pause, signal)) }
}

/**
 * What was right when it was staged may be wrong now: the row that a partial upsert completes is gone, or the field of a filter. Its client
 * could never flush again if that failed the flush.
 */
async function orLeaveOut(what: string, doing: Promise<void>, { collection, onLeftOut }: NetContext): Promise<void> {
  try {
    await doing
  } catch (error) {
    const refusal = asMilvusError(error)
    if (refusal?.code !== Code.ParameterInvalid) throw error
    onLeftOut?.(`collection ${collection.schema.name}: ${what} was left out: ${refusal.message}`)
  }
}

function short(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

function rowsOf({ keys }: PartialRows): string {
  return keys.length === 1 ? `row ${String(primaryKeyAt(keys, 0))}` : `${keys.length} rows, of which the first is ${String(primaryKeyAt(keys, 0))}`
}

/** A function that came since fills its field; other fields that came are filled by whoever reads the rows. */
async function asOfNow(rows: PartitionRows, { collection: { schema }, pause }: NetContext): Promise<PartitionRows> {
  if (functionsOf(schema).every(({ outputFieldId }) => rows.rows.columns.has(outputFieldId))) return rows
  return { ...rows, rows: await withFunctionOutputs(schema, rows.rows, pause) }
}

async function deleteMatching(own: OwnRows, { partitionId, filter, templates }: PredicateDelete, context: NetContext): Promise<void> {
  const { collection, pause, signal } = context
  await prepareFilter(filter, collection.schema)
  const compiled = compileFilter(filter, collection.schema, templates)
  const isDeleted = await inTurns(own.deletedSteps(), pause, signal)
  // Where own deletes reach one partition only, it matters where a row lies.
  const scopes = partitionId !== 0n ? [partitionId] : own.hasScopedDeletes ? collection.partitions.map(({ id }) => id) : [0n]
  const found: PrimaryKeys[] = []
  const { type } = primaryField(collection.schema)
  for (const scope of scopes) {
    for (const piece of await committedKeys(scope, filter, templates, context)) {
      found.push(primaryKeyColumn(type, primaryKeyList(piece).filter((key) => !isDeleted(key, scope))))
      await pause()
    }
  }
  for (const batch of own.batches) {
    if (partitionId !== 0n && batch.partitionId !== partitionId) continue
    const rows = await ownMatches(batch, compiled, context)
    if (rows.length > 0) found.push(gatherColumn<PrimaryKeys>(batch.keys, rows))
  }
  for (const keys of found) await inTurns(own.delete({ partitionId, keys }), pause, signal)
}

function committedKeys(scope: bigint, filter: string, templates: PredicateDelete['templates'], { collection, queryNode, readTs, signal }: NetContext): Promise<readonly PrimaryKeys[]> {
  return queryNode.matchingKeys({ collectionId: collection.id, partitionIds: scope === 0n ? undefined : [scope], filter, templates, guaranteeTs: readTs, ignoreGrowing: false, signal })
}

async function ownMatches({ rows, alive }: OwnBatch, filter: CompiledFilter, { pause, signal }: NetContext): Promise<number[]> {
  const source = { length: rows.length, column: (fieldId: number) => rows.columns.get(fieldId) }
  const found: number[] = []
  for (let begin = 0; begin < rows.length; begin += filter.sliceRows) {
    signal.throwIfAborted()
    const end = Math.min(rows.length, begin + filter.sliceRows)
    const mask = new Uint8Array(end - begin)
    filter.evaluate(source, begin, end, mask)
    for (let row = begin; row < end; row++) if (mask[row - begin] === 1 && alive?.[row] !== 0) found.push(row)
    if (end < rows.length) await pause()
  }
  return found
}

async function upsertPartial(own: OwnRows, partial: PartialRows, context: NetContext): Promise<void> {
  const { collection, pause, signal } = context
  const { schema } = collection
  const fields = withoutFunctionOutputs(schema)
  const existing = await existingRows(own, partial, context)
  let whole: RowBatch = completeRows(fields, partial.rows, partial.keys, existing, partial.ops)
  if (partial.newKeys !== undefined) whole = { ...whole, columns: new Map<number, Column>([...whole.columns, [primaryField(schema).id, partial.newKeys]]) }
  whole = await withFunctionOutputs(schema, whole, pause)
  await inTurns(own.delete({ partitionId: partial.scopeId, keys: partial.keys }), pause, signal)
  for (const item of splitRows(collection, whole, partial.partitionId)) own.add(item)
}

/** The rows that a partial upsert completes: the client's own where it has any, else those that are committed. */
export async function existingRows(own: OwnRows, { keys, scopeId }: PartialRows, { collection, queryNode, readTs, pause, signal }: NetContext): Promise<QueryResult> {
  const fields = withoutFunctionOutputs(collection.schema).filter(({ isPrimary }) => !isPrimary)
  const asked = primaryKeyList(keys)
  const committed = await queryNode.query({
    collectionId: collection.id,
    partitionIds: scopeId === 0n ? undefined : [scopeId],
    filter: '',
    templates: new Map(),
    keys: asked,
    guaranteeTs: readTs,
    ignoreGrowing: false,
    outputFields: fields.map(({ id }) => id),
    signal,
    limit: undefined,
    offset: 0,
    count: false,
  })
  const isDeleted = await inTurns(own.deletedSteps(), pause, signal)
  const last = await inTurns(own.lastSteps(), pause, signal)
  const mine = asked.map((key) => ({ key, place: last(key, scopeId) })).filter(({ place }) => place !== undefined)
  const kept = [...everyRow(committed.keys.length)].filter((row) => !isDeleted(primaryKeyAt(committed.keys, row), scopeId))
  if (mine.length === 0 && kept.length === committed.keys.length) return committed
  const columns = new Map<number, Column>()
  for (const field of fields) {
    const pieces = [gatherColumn(committed.columns.get(field.id) ?? fillColumn(field, committed.keys.length), kept)]
    for (const { place } of mine) {
      const batch = own.batches[place?.batch ?? 0] as OwnBatch
      pieces.push(gatherColumn(batch.rows.columns.get(field.id) ?? fillColumn(field, batch.rows.length), [place?.row ?? 0]))
    }
    columns.set(field.id, concatColumns(pieces))
  }
  const found = [gatherColumn<PrimaryKeys>(committed.keys, kept), primaryKeyColumn(primaryField(collection.schema).type, mine.map(({ key }) => key))]
  const all = concatColumns<PrimaryKeys>(found)
  if (!isPrimaryKeyColumn(all)) throw new Error('keys of rows are no keys')
  return { ...committed, count: all.length, keys: all, columns }
}

function everyRow(length: number): Uint32Array {
  return Uint32Array.from({ length }, (_, row) => row)
}
