/** `/v2/vectordb/collections`. */
import { DataType, dataTypeName } from '../model/schema.ts'
import { asMilvusError, Code, MilvusError } from '../server/status.ts'
import { CompactionState, encodeMessage, type FieldSchema, type IndexDescription, type KeyValuePair, LoadState, type ValueField } from '../wire/index.ts'
import { asText, type Body, db, named } from './body.ts'
import { createCollection, fieldOf, structFieldOf } from './create-collection.ts'
import { invalidParameter, missing } from './errors.ts'
import { functionOf, shownFunction } from './functions.ts'
import { consistencyLevels } from './levels.ts'
import { int64, type Route, rpcRoute, type Session, v2Route } from './route.ts'
import { anyObject, hasIt, int64Schema, names, nothing, rowCountSchema } from './schemas.ts'

const compactionStates = new Map(Object.entries(CompactionState).map(([name, value]) => [value as number, name]))
const loadStates = new Map(Object.entries(LoadState).map(([name, value]) => [value as number, name]))

const dropProperties = (body: Body) => ({ ...named(body), delete_keys: body.texts('propertyKeys') })

export const collectionRoutes: readonly Route[] = [
  rpcRoute('collections/list', 'ShowCollections', [], db, ({ collection_names: found }) => found, names),
  rpcRoute('collections/has', 'HasCollection', ['collectionName*'], named, ({ value }) => ({ has: value }), hasIt),
  v2Route('collections/describe', 'DescribeCollection', ['collectionName*'], anyObject, async (body, session) => ({ data: await describe(body, session) })),
  v2Route('collections/get_load_state', 'GetLoadState', ['collectionName*', 'partitionNames'], anyObject, async (body, session) => ({ data: await loadState(body, session) })),
  rpcRoute('collections/get_stats', 'GetCollectionStatistics', ['collectionName*'], named, ({ stats }) => ({ rowCount: countOf(stats) }), rowCountSchema),
  v2Route(
    'collections/create',
    'CreateCollection',
    [
      'collectionName*', 'description', 'dimension', 'metricType', 'idType', 'autoID', 'primaryFieldName', 'vectorFieldName', 'vectorFieldType',
      'schema', 'indexParams', 'params', 'properties', 'consistencyLevel',
    ],
    nothing,
    createCollection,
  ),
  rpcRoute('collections/drop', 'DropCollection', ['collectionName*'], named),
  rpcRoute('collections/truncate', 'TruncateCollection', ['collectionName*'], named),
  rpcRoute('collections/rename', 'RenameCollection', ['collectionName*', 'newCollectionName*', 'newDbName'], (body) => ({
    db_name: body.text('dbName'),
    oldName: body.text('collectionName'),
    newName: body.text('newCollectionName'),
    newDBName: body.text('newDbName'),
  })),
  rpcRoute('collections/load', 'LoadCollection', ['collectionName*'], named),
  rpcRoute('collections/refresh_load', 'LoadCollection', ['collectionName*'], (body) => ({ ...named(body), refresh: true })),
  rpcRoute('collections/release', 'ReleaseCollection', ['collectionName*'], named),
  rpcRoute('collections/flush', 'Flush', ['collectionName*'], (body) => ({ ...db(body), collection_names: [body.text('collectionName')] })),
  rpcRoute('collections/alter_properties', 'AlterCollection', ['collectionName*', 'properties'], (body) => ({
    ...named(body),
    properties: body.object('properties').pairs(),
  })),
  rpcRoute('collections/drop_properties', 'AlterCollection', ['collectionName*', 'propertyKeys'], dropProperties),
  rpcRoute(
    'collections/compact',
    'ManualCompaction',
    ['collectionName*', 'isClustering'],
    (body) => ({ ...named(body), majorCompaction: body.flag('isClustering') }),
    ({ compactionID }, session) => ({ compactionID: int64(compactionID, session) }),
    { type: 'object', properties: { compactionID: int64Schema } },
  ),
  v2Route('collections/get_compaction_state', 'GetCompactionState', ['jobID', 'compactionID'], anyObject, async (body, session) => ({
    data: await compactionState(body, session),
  })),
  rpcRoute('collections/fields/add', 'AddCollectionField', ['collectionName*', 'schema*'], (body) => ({
    ...named(body),
    schema: encodeMessage('schema.FieldSchema', fieldOf(body.object('schema'), false)),
  })),
  rpcRoute('collections/fields/alter_properties', 'AlterCollectionField', ['collectionName*', 'fieldName*', 'fieldParams'], (body) => ({
    ...named(body),
    field_name: body.text('fieldName'),
    properties: body.object('fieldParams').pairs(),
  })),
  rpcRoute('collections/struct_fields/add', 'AddCollectionStructField', ['collectionName*', 'schema*'], (body) => ({
    ...named(body),
    struct_array_field_schema: structFieldOf(body.object('schema')),
  })),
  ...functionRoutes(),
]

/** Functions with the fields that they fill go through AlterCollectionSchema, functions alone through their own RPCs. */
function functionRoutes(): readonly Route[] {
  return [
    rpcRoute('collections/add_function', 'AddCollectionFunction', ['collectionName*', 'function*'], (body) => ({
      ...named(body),
      functionSchema: functionOf(body.object('function')),
    })),
    rpcRoute('collections/alter_function', 'AlterCollectionFunction', ['collectionName*', 'functionName*', 'function*'], (body) => ({
      ...named(body),
      function_name: body.text('functionName'),
      functionSchema: functionOf(body.object('function')),
    })),
    rpcRoute('collections/drop_function', 'DropCollectionFunction', ['collectionName*', 'functionName*'], (body) => ({
      ...named(body),
      function_name: body.text('functionName'),
    })),
    rpcRoute('collections/add_function_field', 'AlterCollectionSchema', ['collectionName*', 'schema*', 'function*'], (body) => ({
      ...named(body),
      action: {
        add_request: {
          field_infos: [{ field_schema: fieldOf(body.object('schema'), false) }],
          func_schema: [functionOf(body.object('function'))],
        },
      },
    })),
    rpcRoute('collections/drop_function_field', 'AlterCollectionSchema', ['collectionName*', 'functionName*'], (body) => ({
      ...named(body),
      action: { drop_request: { function_name: body.text('functionName') } },
    })),
  ]
}

export function countOf(stats: readonly KeyValuePair[]): number {
  return Number(stats.find(({ key }) => key === 'row_count')?.value ?? 0)
}

/** The job is `jobID`; the official client says `compactionID`. */
async function compactionState(body: Body, session: Session): Promise<object> {
  const given = body.value('jobID') ?? body.value('compactionID')
  if (given === undefined) throw missing('jobID')
  if (!/^\d{1,19}$/.test(asText(given))) throw invalidParameter('jobID', 'an id')
  const compactionID = BigInt(asText(given))
  const found = await session.call('GetCompactionState', { compactionID })
  return {
    compactionID: int64(compactionID, session),
    state: compactionStates.get(found.state) ?? '',
    executingPlanNumber: Number(found.executingPlanNo),
    timeoutPlanNumber: Number(found.timeoutPlanNo),
    completedPlanNumber: Number(found.completedPlanNo),
  }
}

async function loadState(body: Body, session: Session): Promise<object> {
  const request = { ...named(body), partition_names: body.texts('partitionNames') }
  const { state } = await session.call('GetLoadState', request)
  if (state === LoadState.LoadStateNotExist) {
    throw new MilvusError(
      Code.CollectionNotFound,
      `collection not found[database=${request.db_name || 'default'}][collection=${request.collection_name}]`,
    )
  }
  const name = loadStates.get(state) ?? ''
  if (state === LoadState.LoadStateNotLoad) return { loadState: name }
  const { progress } = await session.call('GetLoadingProgress', request)
  return { loadState: name, loadProgress: Number(progress) }
}

/** `LoadStateLoaded` and the like. */
export async function loadStateOf(request: { db_name: string; collection_name: string }, session: Session): Promise<string> {
  const { state } = await session.call('GetLoadState', request)
  return loadStates.get(state) ?? ''
}

async function describe(body: Body, session: Session): Promise<object> {
  const request = named(body)
  const found = await session.call('DescribeCollection', request)
  const load = await loadStateOf(request, session)
  const indexes = await describeIndexes(session, request)
  const fields = (found.schema?.fields ?? []).map(shownField)
  return {
    collectionName: found.collection_name,
    collectionID: found.collectionID,
    description: found.schema?.description ?? '',
    autoId: (found.schema?.fields ?? []).some((field) => field.is_primary_key && field.autoID),
    fields,
    structFields: (found.schema?.struct_array_fields ?? []).map((field) => ({ name: field.name, id: field.fieldID, description: field.description, nullable: field.nullable, fields: field.fields.map(shownField) })),
    functions: (found.schema?.functions ?? []).map(shownFunction),
    aliases: found.aliases,
    indexes: indexes.map((index) => ({
      indexName: index.index_name,
      fieldName: index.field_name,
      metricType: valueOf(index.params, 'metric_type'),
    })),
    load,
    shardsNum: found.shards_num,
    partitionsNum: Number(found.num_partitions),
    consistencyLevel: consistencyLevels[found.consistency_level] ?? '',
    enableDynamicField: found.schema?.enable_dynamic_field ?? false,
    properties: found.properties.map(({ key, value }) => ({ key, value })),
  }
}

export function valueOf(pairs: readonly KeyValuePair[], key: string): string {
  return pairs.find((pair) => pair.key === key)?.value ?? ''
}

/** None where gRPC says that there is none. */
export async function describeIndexes(
  session: Session,
  request: { db_name: string; collection_name: string; index_name?: string },
): Promise<readonly IndexDescription[]> {
  try {
    return (await session.call('DescribeIndex', request)).index_descriptions
  } catch (error) {
    if (asMilvusError(error)?.code === Code.IndexNotFound && request.index_name === undefined) return []
    throw error
  }
}

function shownField(field: FieldSchema): object {
  return {
    name: field.name,
    id: field.fieldID,
    type: dataTypeName(field.data_type),
    primaryKey: field.is_primary_key,
    partitionKey: field.is_partition_key,
    clusteringKey: field.is_clustering_key,
    autoId: field.autoID,
    nullable: field.nullable,
    description: field.description,
    defaultValue: field.default_value === null ? undefined : shownDefault(field.default_value),
    params: field.type_params.length > 0 ? field.type_params.map(({ key, value }) => ({ key, value })) : undefined,
    elementType: field.data_type === DataType.Array || field.data_type === DataType.ArrayOfVector ? dataTypeName(field.element_type) : undefined,
  }
}

function shownDefault(value: ValueField): unknown {
  const given: unknown = Object.values<unknown>({ ...value }).find((item) => item !== undefined)
  return given instanceof Uint8Array ? new TextDecoder().decode(given) : given
}
