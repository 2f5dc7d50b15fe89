/** Collections: create, drop, has, describe, show, rename, alter, truncate, statistics. */
import { TTL_FIELD } from '../model/expiry.ts'
import type { CollectionMeta } from '../model/meta.ts'
import { type CollectionSchema as ModelSchema, DataType } from '../model/schema.ts'
import { Code, collectionNotFound, databaseNotFound, invalid, MilvusError, success } from '../server/status.ts'
import { visibilitySettings } from '../clients/rules.ts'
import type { CallContext, WireHandlers } from '../server/handlers.ts'
import {
  type CollectionSchema,
  type CreateCollectionRequest,
  decodeMessage,
  type DescribeCollectionResponse,
  type Init,
  ShowType,
} from '../wire/index.ts'
import { collectionOf, ddl, type DdlOptions, utcMs } from './ddl-context.ts'
import { changingRule, collectionSettings, namesRule, refuseOtherRule, shownOfCollection } from './ddl-visibility.ts'
import { schemaFromWire, schemaToWire } from './ddl-schema.ts'
import { loadedPercentage } from './ddl-load.ts'
import { checkName, toPairs, toRecord } from './rpc-values.ts'

const MAX_SHARDS = 16
const DEFAULT_KEY_PARTITIONS = 16
const MAX_PARTITIONS = 1024
const MAX_TTL_SECONDS = 3_155_760_000

export function collectionHandlers(options: DdlOptions): WireHandlers {
  const { meta, catalog, timestamps, progress } = options
  return {
    CreateCollection: ddl(async (request, call) => {
      await catalog.createCollection(creation(request, call.dbName))
      return success()
    }),
    DropCollection: ddl(async (request, call) => {
      if (request.collection_name === '') throw invalid('collection name should not be empty')
      await catalog.dropCollection(call.dbName, request.collection_name)
      return success()
    }),
    HasCollection: ddl(async (request, call) => {
      meta.database(call.dbName)
      return { value: meta.findCollection(call.dbName, request.collection_name) !== undefined }
    }),
    DescribeCollection: ddl(async (request, call) => {
      const { collection_name: name, collectionID: id } = request
      return describe(options, name === '' && id !== 0n ? byId(options, call.dbName, id) : collectionOf(options, call, name), call)
    }),
    BatchDescribeCollection: ddl(async (request, call) => {
      const { collection_name: names, collectionID: ids } = request
      if (names.length === 0 && ids.length === 0) throw invalid('collection names and collection IDs cannot be empty')
      const found =
        names.length > 0 ? names.map((name) => collectionOf(options, call, name)) : ids.map((id) => byId(options, call.dbName, id))
      return { responses: found.map((collection) => describe(options, collection, call)) }
    }),
    ShowCollections: ddl(async (request, call) => {
      meta.database(call.dbName)
      const named = request.collection_names.map((name) => collectionOf(options, call, name))
      const { principal } = call
      const all = (named.length > 0 ? named : meta.collections(call.dbName)).filter((collection) => principal?.sees(collection) ?? true)
      if (request.type === ShowType.All) return showCollections(options, all)
      const missing = named.find((collection) => meta.load(collection.id) === undefined)
      if (missing !== undefined) throw new MilvusError(Code.CollectionNotLoaded, `collection not loaded[collection=${missing.schema.name}]`)
      return showCollections(
        options,
        all.filter((collection) => meta.load(collection.id) !== undefined),
      )
    }),
    RenameCollection: ddl(async (request, call) => {
      checkName('collection name', request.newName)
      const { oldName, newName } = request
      const newDbName = request.newDBName || call.dbName
      const collection = meta.findCollection(call.dbName, oldName)
      await changingRule(options, newDbName !== call.dbName, collection === undefined ? [] : [collection], async () => {
        if (collection !== undefined) refuseOtherRule(options, collection, newDbName)
        await catalog.renameCollection(call.dbName, oldName, newDbName, newName)
      })
      return success()
    }),
    AlterCollection: ddl(async (request, call) => {
      const set = toRecord(request.properties)
      if (request.properties.length > 0 && request.delete_keys.length > 0) throw invalid('can not provide both DeleteKeys and ExtraParams')
      if (request.properties.length === 0 && request.delete_keys.length === 0)
        throw invalid('the operation is not valid, no properties to alter or to delete')
      checkProperties(set)
      const collection = meta.collection(call.dbName, request.collection_name)
      checkTtlField(collection.schema, set)
      await changingRule(options, namesRule(set, request.delete_keys), [collection], async () => catalog.alterCollection(call.dbName, request.collection_name, collectionSettings(options, collection, set, request.delete_keys), request.delete_keys))
      return success()
    }),
    TruncateCollection: ddl(async (request, call) => {
      await catalog.truncateCollection(call.dbName, request.collection_name, await timestamps.allocOne())
      return {}
    }),
    GetCollectionStatistics: ddl(async (request, call) => {
      const rows = await progress.rowCount(collectionOf(options, call, request.collection_name))
      return { stats: [{ key: 'row_count', value: String(rows) }] }
    }),
  }
}

function creation(request: CreateCollectionRequest, dbName: string) {
  checkName('collection name', request.collection_name)
  const schema = schemaFromWire(wireSchema(request.schema), request.collection_name)
  const { shards_num: shards, consistency_level: consistencyLevel } = request
  if (shards < 0) throw invalid(`shards number must not be negative, got ${shards}`)
  if (shards > MAX_SHARDS) throw invalid(`maximum shards's number should be limited to ${MAX_SHARDS}`)
  if (consistencyLevel < 0 || consistencyLevel > 4) throw invalid(`invalid consistency level: ${consistencyLevel}`)
  const properties = { timezone: 'UTC', ...visibilitySettings(toRecord(request.properties)) }
  checkProperties(properties)
  checkTtlField(schema, properties)
  const keyed = schema.fields.some((field) => field.isPartitionKey)
  return {
    dbName,
    schema,
    shardsNum: shards || 1,
    consistencyLevel,
    properties,
    numPartitions: keyPartitions(request.num_partitions, keyed),
  }
}

function wireSchema(bytes: Uint8Array): CollectionSchema {
  try {
    return decodeMessage('schema.CollectionSchema', bytes)
  } catch (error) {
    throw invalid(`the schema is not a CollectionSchema: ${error instanceof Error ? error.message : 'unreadable'}`)
  }
}

/** Whether the field that says how long rows live can say so. */
export function checkTtlField({ fields }: Pick<ModelSchema, 'fields'>, properties: Readonly<Record<string, string>>): void {
  const name = properties[TTL_FIELD]
  if (name === undefined || name === '') return
  const field = fields.find((candidate) => candidate.name === name)
  if (field === undefined) throw invalid(`ttl field ${name.slice(0, 255)} not found in schema`)
  if (field.type !== DataType.Timestamptz) throw invalid(`ttl field ${name} must be of type Timestamptz`)
}

function keyPartitions(asked: bigint, keyed: boolean): number | undefined {
  if (!keyed) {
    if (asked > 0n) throw invalid('num_partitions should only be specified with partition key field enabled')
    return undefined
  }
  if (asked < 0n) throw invalid('the specified partitions should be greater than 0 if partition key is used')
  if (asked > BigInt(MAX_PARTITIONS)) throw invalid(`partition number (${asked}) exceeds max configuration (${MAX_PARTITIONS})`)
  return asked === 0n ? DEFAULT_KEY_PARTITIONS : Number(asked)
}

function checkProperties(properties: Readonly<Record<string, string>>): void {
  const ttl = properties['collection.ttl.seconds']
  if (ttl !== undefined && !/^-?\d{1,15}$/.test(ttl)) throw invalid(`collection TTL should be a integer, got ${JSON.stringify(ttl)}`)
  const seconds = Number(ttl ?? 0)
  if (seconds < -1 || seconds > MAX_TTL_SECONDS)
    throw invalid(`collection TTL is out of range, expect [-1, ${MAX_TTL_SECONDS}], got ${ttl}`)
}

function byId({ meta }: DdlOptions, dbName: string, id: bigint): CollectionMeta {
  if (!meta.databases().some(({ name }) => name === dbName)) throw databaseNotFound(dbName)
  const found = meta.collectionById(id)
  if (found === undefined || found.dbName !== dbName) throw collectionNotFound(dbName, String(id))
  return found
}

export function describe(options: DdlOptions, collection: CollectionMeta, { visibility }: Pick<CallContext, 'visibility'>): Init<DescribeCollectionResponse> {
  const { meta } = options
  return {
    status: success(),
    schema: schemaToWire(collection.schema),
    collectionID: collection.id,
    virtual_channel_names: collection.shards.map(({ vchannel }) => vchannel),
    physical_channel_names: collection.shards.map(({ pchannel }) => pchannel),
    created_timestamp: collection.createdTs,
    created_utc_timestamp: utcMs(collection.createdTs),
    shards_num: collection.shards.length,
    aliases: meta.aliases(collection.id).map(({ alias }) => alias),
    consistency_level: collection.consistencyLevel,
    collection_name: collection.schema.name,
    properties: toPairs(shownOfCollection(options, collection, visibility)),
    db_name: collection.dbName,
    num_partitions: BigInt(collection.numPartitions ?? collection.partitions.length),
    db_id: meta.database(collection.dbName).id,
    update_timestamp: collection.updateTs,
    update_timestamp_str: String(collection.updateTs),
  }
}

function showCollections(options: DdlOptions, collections: readonly CollectionMeta[]) {
  return {
    collection_names: collections.map(({ schema }) => schema.name),
    collection_ids: collections.map(({ id }) => id),
    created_timestamps: collections.map(({ createdTs }) => createdTs),
    created_utc_timestamps: collections.map(({ createdTs }) => utcMs(createdTs)),
    inMemory_percentages: collections.map((collection) => BigInt(loadedPercentage(options, collection))),
    query_service_available: collections.map((collection) => loadedPercentage(options, collection) === 100),
    shards_num: collections.map(({ shards }) => shards.length),
  }
}
