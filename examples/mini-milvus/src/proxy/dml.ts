/** Insert, Upsert and Delete as RPC handlers: validated, given ids, sharded, and answered when they are in the log. */
import type { IdAllocator } from '@timetick/tso'
import { gatherColumn } from '../codec/gather.ts'
import { decodeInsert, decodeUpsert, toRowBatch, type InsertMessage } from '../codec/index.ts'
import type { MetaReader } from '../coordinator/api.ts'
import { compileFilter, prepareFilter } from '../filter/index.ts'
import type { Column, RowBatch } from '../model/column.ts'
import { DEFAULT_PARTITION, type CollectionMeta } from '../model/meta.ts'
import { isPrimaryKeyColumn, primaryKeyAt, primaryKeyColumn, primaryKeyList, type PrimaryKey, type PrimaryKeys } from '../model/primary-keys.ts'
import { primaryField } from '../model/schema.ts'
import type { QueryNodeApi } from '../querynode/api.ts'
import type { CallContext, HandlerTable, RpcHandler } from '../server/handlers.ts'
import { Code, MilvusError } from '../server/status.ts'
import type { StagedWork, Staging } from '../staging/staging.ts'
import { visibilityOf, type Visibility } from '../staging/visibility.ts'
import type { DeleteRequest, Init, MutationResult } from '../wire/index.ts'
import { gatherRows, type DmlWriter, type PartitionKeys, type PartitionRows } from '../writer/dml-writer.ts'
import { type Pause, withFunctionOutputs, withoutFunctionOutputs } from './function-outputs.ts'
import { checkFieldOps, completeRows } from './partial-upsert.ts'
import { partitionKeyField, partitionKeyPartitions } from './partitioning.ts'
import { primaryKeyIds } from './response-columns.ts'
import { splitRows } from './split-rows.ts'
import { filterTemplates } from './templates.ts'
import { Turns } from './turns.ts'

export interface DmlOptions {
  readonly meta: MetaReader
  readonly writer: DmlWriter
  /** Where writes wait for the flush of their client, if the rule is `flush`. */
  readonly staging: Pick<Staging, 'stage' | 'settled' | 'checkPartial'>
  readonly visibility: Visibility
  readonly queryNode: QueryNodeApi
  readonly ids: Pick<IdAllocator, 'alloc'>
  readonly now: () => Promise<bigint>
  /** Gives the event loop a turn. */
  readonly pause: Pause
}

interface Context extends DmlOptions {
  /** A partial upsert reads and writes: those of one collection take turns, so that none is lost between the two. */
  readonly partialUpserts: Turns
}

type Mutation = Init<MutationResult>

export function createDmlHandlers(given: DmlOptions): HandlerTable {
  const options: Context = { ...given, partialUpserts: new Turns() }
  const insert: RpcHandler<InsertMessage, Mutation> = { kind: 'dml', decode: decodeInsert, run: (request, call) => runInsert(options, request, call) }
  const upsert: RpcHandler<InsertMessage, Mutation> = { kind: 'dml', decode: decodeUpsert, run: (request, call) => runUpsert(options, request, call) }
  const remove: RpcHandler<DeleteRequest, Mutation> = { kind: 'dml', run: (request, call) => runDelete(options, request, call) }
  return { Insert: insert, Upsert: upsert, Delete: remove }
}

interface PreparedRows {
  readonly collection: CollectionMeta
  readonly partitionId: bigint
  readonly batch: RowBatch
  /** Keys as the client gave them; undefined where it gave none. */
  readonly given: PrimaryKeys | undefined
}

async function runInsert(options: DmlOptions, request: InsertMessage, call: CallContext): Promise<Mutation> {
  const prepared = await withOutputs(options, prepare(options, request, call, 'insert'))
  const { batch, keys } = prepared.given === undefined ? await withNewIds(options, prepared) : { batch: prepared.batch, keys: prepared.given }
  const inserts = split(prepared, batch)
  const timestamp = await put(options, call, { collection: prepared.collection, inserts })
  return { ...mutation(keys, timestamp), insert_cnt: BigInt(batch.length) }
}

async function runUpsert(options: Context, request: InsertMessage, call: CallContext): Promise<Mutation> {
  // Whoever names an operation on an array means the rows that are there.
  const isPartial = request.partialUpdate === true || request.fieldOps?.some(({ op }) => op !== 'replace') === true
  const prepared = prepare(options, request, call, isPartial ? 'partial upsert' : 'upsert')
  if (!isPartial) return upsertRows(options, prepared, call)
  if (isStaged(options, prepared.collection, call)) return stagePartial(options, prepared, request, call)
  return options.partialUpserts.run(prepared.collection.id, async () => upsertRows(options, await completed(options, prepared, request, call), call))
}

async function upsertRows(options: DmlOptions, whole: PreparedRows, call: CallContext): Promise<Mutation> {
  const prepared = await withOutputs(options, whole)
  const { collection, given } = prepared
  if (given === undefined) throw new MilvusError(1100, `must assign pk when upsert, primary field: ${primaryField(collection.schema).name}`)
  const last = lastOfEachKey(given)
  const rows = last.length === given.length ? prepared.batch : gatherRows(prepared.batch, last)
  const oldKeys = last.length === given.length ? given : gatherColumn(given, last)
  const isAuto = primaryField(collection.schema).autoId
  const { batch, keys } = isAuto ? await withNewIds(options, { ...prepared, batch: rows }) : { batch: rows, keys: oldKeys }
  // A row may have been in another partition before: a partition key can change with an upsert.
  const deletes: PartitionKeys[] = [{ partitionId: partitionKeyField(collection) === undefined ? prepared.partitionId : 0n, keys: oldKeys }]
  const timestamp = await put(options, call, { collection, deletes, inserts: split(prepared, batch) })
  return { ...mutation(keys, timestamp), upsert_cnt: BigInt(given.length), insert_cnt: BigInt(keys.length), delete_cnt: BigInt(oldKeys.length) }
}

function isStaged({ meta, visibility }: DmlOptions, collection: CollectionMeta, call: CallContext): boolean {
  return visibilityOf(collection, meta.database(collection.dbName), call.visibility, visibility) === 'flush'
}

/** Into the log, or aside until the client's flush. */
async function put(options: DmlOptions, call: CallContext, work: StagedWork): Promise<bigint> {
  const { collection, deletes = [], inserts = [] } = work
  if (!isStaged(options, collection, call)) return options.writer.write({ collection, deletes, inserts, signal: call.signal, traceparent: call.traceparent })
  for (;;) {
    // First what can fail: what was refused is not staged.
    const timestamp = await options.now()
    const changing = options.staging.settled(collection.id)
    // Its rule may have changed meanwhile, or be about to.
    if (changing === undefined) {
      const { meta } = options
      if (!isStaged(options, meta.collectionById(collection.id) ?? collection, call)) throw new MilvusError(Code.NotReady, `service not ready: the rule of visibility of collection ${collection.schema.name} was changed, retry`)
      await options.staging.stage(call.client, work)
      return timestamp
    }
    await changing
  }
}

/** What the rows leave out is read when their place in the client's order has come. */
async function stagePartial(options: Context, prepared: PreparedRows, request: InsertMessage, call: CallContext): Promise<Mutation> {
  const { collection, given, batch, partitionId } = prepared
  if (given === undefined) throw new MilvusError(1100, `must assign pk when upsert, primary field: ${primaryField(collection.schema).name}`)
  const ops = checkFieldOps(request.fieldOps ?? [], withoutFunctionOutputs(collection.schema), batch)
  const last = lastOfEachKey(given)
  const rows = last.length === given.length ? batch : gatherRows(batch, last)
  const keys = last.length === given.length ? given : gatherColumn(given, last)
  const newKeys = primaryField(collection.schema).autoId ? (await withNewIds(options, { ...prepared, batch: rows })).keys : undefined
  const scopeId = partitionKeyField(collection) === undefined ? partitionId : 0n
  const work: StagedWork = { collection, partial: { rows, keys, scopeId, partitionId, ops, newKeys } }
  await options.staging.checkPartial(call.client, work, call.signal)
  const timestamp = await put(options, call, work)
  return { ...mutation(newKeys ?? keys, timestamp), upsert_cnt: BigInt(given.length), insert_cnt: BigInt(keys.length), delete_cnt: BigInt(keys.length) }
}

async function withOutputs({ pause }: DmlOptions, prepared: PreparedRows): Promise<PreparedRows> {
  return { ...prepared, batch: await withFunctionOutputs(prepared.collection.schema, prepared.batch, pause) }
}

/** The rows of a partial upsert as whole rows: what they do not give is read, of one moment. */
async function completed(options: DmlOptions, prepared: PreparedRows, request: InsertMessage, call: CallContext): Promise<PreparedRows> {
  const { collection, batch, given } = prepared
  const fields = withoutFunctionOutputs(collection.schema)
  if (given === undefined) throw new MilvusError(1100, `must assign pk when upsert, primary field: ${primaryField(collection.schema).name}`)
  const ops = checkFieldOps(request.fieldOps ?? [], fields, batch)
  const last = lastOfEachKey(given)
  const rows = last.length === given.length ? batch : gatherRows(batch, last)
  const keys = last.length === given.length ? given : gatherColumn(given, last)
  const existing = await options.queryNode.query({
    collectionId: collection.id,
    // A row may be in any partition, as far as the partition key goes.
    partitionIds: partitionKeyField(collection) === undefined ? [prepared.partitionId] : undefined,
    filter: '',
    templates: new Map(),
    keys: primaryKeyList(keys),
    guaranteeTs: await options.now(),
    ignoreGrowing: false,
    outputFields: fields.filter((field) => !field.isPrimary).map(({ id }) => id),
    signal: call.signal,
    limit: undefined,
    offset: 0,
    count: false,
  })
  return { ...prepared, batch: completeRows(fields, rows, keys, existing, ops), given: keys }
}

async function runDelete(options: DmlOptions, request: DeleteRequest, call: CallContext): Promise<Mutation> {
  const { meta, writer } = options
  const collection = meta.collection(call.dbName, request.collection_name)
  if (request.expr.trim() === '') throw new MilvusError(1100, 'the filter of a delete must not be empty')
  const partitionId = request.partition_name === '' ? 0n : meta.partition(collection, request.partition_name).id
  const templates = filterTemplates(request.expr_template_values)
  await prepareFilter(request.expr, collection.schema)
  const filter = compileFilter(request.expr, collection.schema, templates)
  const { type } = primaryField(collection.schema)
  if (isStaged(options, collection, call)) {
    const keys = filter.primaryKeys === undefined ? undefined : primaryKeyColumn(type, [...new Set<PrimaryKey>(filter.primaryKeys)])
    const work = keys === undefined ? { predicate: { partitionId, filter: request.expr, templates } } : { deletes: [{ partitionId, keys }] }
    // How many rows a predicate reaches is known when its place in the order has come.
    return { ...mutation(undefined, await put(options, call, { collection, ...work })), delete_cnt: BigInt(keys?.length ?? 0) }
  }
  const pieces = filter.primaryKeys === undefined ? await matchingKeys(options, collection, partitionId, request, call) : [primaryKeyColumn(type, [...new Set<PrimaryKey>(filter.primaryKeys)])]
  let timestamp = await options.now()
  let count = 0
  // Piece by piece: neither the log nor those who read it hold their thread for long, however much is deleted.
  for (const keys of pieces) {
    if (keys.length === 0) continue
    timestamp = await writer.write({ collection, deletes: [{ partitionId, keys }], inserts: [], signal: call.signal, traceparent: call.traceparent })
    count += keys.length
  }
  return { ...mutation(undefined, timestamp), delete_cnt: BigInt(count) }
}

/** Keys of the rows that a predicate names now: a delete by predicate is a query and a delete by key, as in Milvus. */
async function matchingKeys({ queryNode, now }: DmlOptions, collection: CollectionMeta, partitionId: bigint, request: DeleteRequest, call: CallContext): Promise<readonly PrimaryKeys[]> {
  return queryNode.matchingKeys({
    collectionId: collection.id,
    partitionIds: partitionId === 0n ? undefined : [partitionId],
    filter: request.expr,
    templates: filterTemplates(request.expr_template_values),
    guaranteeTs: await now(),
    ignoreGrowing: false,
    signal: call.signal,
  })
}

function prepare({ meta }: DmlOptions, request: InsertMessage, call: CallContext, kind: 'insert' | 'upsert' | 'partial upsert'): PreparedRows {
  const collection = meta.collection(call.dbName, request.collectionName)
  const { schema, updateTs, properties } = collection
  if (request.schemaTimestamp !== 0n && request.schemaTimestamp !== updateTs) {
    throw new MilvusError(109, `collection schema mismatch[collection=${schema.name}]`)
  }
  const isNamed = request.partitionName !== ''
  if (isNamed) partitionKeyPartitions(collection)
  const partitionId = meta.partition(collection, isNamed ? request.partitionName : partitionKeyField(collection) === undefined ? DEFAULT_PARTITION : (collection.partitions[0]?.name ?? '')).id
  const allowInsertAutoId = kind !== 'insert' || properties['allow_insert_auto_id']?.toLowerCase() === 'true'
  const batch = toRowBatch(request, schema, { allowInsertAutoId, givenOnly: kind === 'partial upsert' })
  if (batch.length === 0) throw new MilvusError(1100, 'need not insert empty data')
  const column = batch.columns.get(primaryField(schema).id)
  return { collection, partitionId, batch, given: isPrimaryKeyColumn(column) ? column : undefined }
}

async function withNewIds({ ids }: DmlOptions, { collection, batch }: PreparedRows): Promise<{ batch: RowBatch; keys: PrimaryKeys }> {
  const field = primaryField(collection.schema)
  const range = await ids.alloc(batch.length)
  const fresh = Array.from({ length: batch.length }, (_, row) => range.first + BigInt(row))
  const keys = primaryKeyColumn(field.type, field.type === 5 ? fresh : fresh.map(String))
  const columns = new Map<number, Column>([...batch.columns, [field.id, keys]])
  return { batch: { length: batch.length, columns }, keys }
}

function split({ collection, partitionId }: PreparedRows, batch: RowBatch): PartitionRows[] {
  return splitRows(collection, batch, partitionId)
}

/** Rows to keep of a batch that names a key more than once: the last of each, in order. */
function lastOfEachKey(keys: PrimaryKeys): Uint32Array {
  const last = new Map<PrimaryKey, number>()
  for (let row = 0; row < keys.length; row++) last.set(primaryKeyAt(keys, row), row)
  return Uint32Array.from([...last.values()].sort((a, b) => a - b))
}

function mutation(keys: PrimaryKeys | undefined, timestamp: bigint): Mutation {
  const length = keys?.length ?? 0
  return {
    ...(keys === undefined ? {} : { IDs: primaryKeyIds(keys) }),
    succ_index: Array.from({ length }, (_, row) => row),
    acknowledged: true,
    timestamp,
  }
}
