/** `/v2/vectordb/collections`. */
import { DataType, dataTypeName } from '../model/schema.ts'
import { asMilvusError, Code, MilvusError } from '../server/status.ts'
import { CompactionState, encodeMessage, type FieldSchema, type IndexDescription, type KeyValuePair, LoadState, type ValueField } from '../wire/index.ts'
import { asText, type Body, named } from './body.ts'
import { createCollection, fieldOf } from './create-collection.ts'
import { invalidParameter, missing } from './errors.ts'
import { consistencyLevels } from './levels.ts'
import { int64, type Route, rpcRoute, type Session } from './route.ts'

const compactionStates = new Map(Object.entries(CompactionState).map(([name, value]) => [value as number, name]))
const loadStates = new Map(Object.entries(LoadState).map(([name, value]) => [value as number, name]))

export const collectionRoutes: readonly Route[] = [
  rpcRoute(
    'collections/list',
    'ShowCollections',
    [],
    (body) => ({ db_name: body.text('dbName') }),
    ({ collection_names: names }) => names,
  ),
  rpcRoute('collections/has', 'HasCollection', ['collectionName'], named, ({ value }) => ({ has: value })),
  rpcRoute('collections/drop', 'DropCollection', ['collectionName'], named),
  rpcRoute('collections/truncate', 'TruncateCollection', ['collectionName'], named),
  rpcRoute('collections/rename', 'RenameCollection', ['collectionName', 'newCollectionName'], (body) => ({
    db_name: body.text('dbName'),
    oldName: body.text('collectionName'),
    newName: body.text('newCollectionName'),
    newDBName: body.text('newDbName'),
  })),
  rpcRoute('collections/load', 'LoadCollection', ['collectionName'], named),
  rpcRoute('collections/refresh_load', 'LoadCollection', ['collectionName'], (body) => ({ ...named(body), refresh: true })),
  rpcRoute('collections/release', 'ReleaseCollection', ['collectionName'], named),
  rpcRoute('collections/flush', 'Flush', ['collectionName'], (body) => ({
    db_name: body.text('dbName'),
    collection_names: [body.text('collectionName')],
  })),
  rpcRoute('collections/get_stats', 'GetCollectionStatistics', ['collectionName'], named, ({ stats }) => ({ rowCount: countOf(stats) })),
  rpcRoute('collections/alter_properties', 'AlterCollection', ['collectionName'], (body) => ({
    ...named(body),
    properties: body.object('properties').pairs(),
  })),
  rpcRoute('collections/drop_properties', 'AlterCollection', ['collectionName'], (body) => ({
    ...named(body),
    delete_keys: body.texts('propertyKeys'),
  })),
  rpcRoute('collections/fields/alter_properties', 'AlterCollectionField', ['collectionName', 'fieldName'], (body) => ({
    ...named(body),
    field_name: body.text('fieldName'),
    properties: body.object('fieldParams').pairs(),
  })),
  rpcRoute('collections/fields/add', 'AddCollectionField', ['collectionName', 'schema'], (body) => ({
    ...named(body),
    schema: encodeMessage('schema.FieldSchema', fieldOf(body.object('schema'), false)),
  })),
  rpcRoute(
    'collections/compact',
    'ManualCompaction',
    ['collectionName'],
    (body) => ({ ...named(body), majorCompaction: body.flag('isClustering') }),
    ({ compactionID }, session) => ({ compactionID: int64(compactionID, session) }),
  ),
  {
    path: 'collections/get_compaction_state',
    required: [],
    run: async (body, session) => ({ data: await compactionState(body, session) }),
  },
  {
    path: 'collections/get_load_state',
    required: ['collectionName'],
    run: async (body, session) => ({ data: await loadState(body, session) }),
  },
  { path: 'collections/describe', required: ['collectionName'], run: async (body, session) => ({ data: await describe(body, session) }) },
  { path: 'collections/create', required: ['collectionName'], run: createCollection },
]

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

async function describe(body: Body, session: Session): Promise<object> {
  const request = named(body)
  const found = await session.call('DescribeCollection', request)
  const { state } = await session.call('GetLoadState', request)
  const indexes = await describeIndexes(session, request)
  const fields = (found.schema?.fields ?? []).map(shownField)
  return {
    collectionName: found.collection_name,
    collectionID: found.collectionID,
    description: found.schema?.description ?? '',
    autoId: (found.schema?.fields ?? []).some((field) => field.is_primary_key && field.autoID),
    fields,
    structFields: [],
    functions: [],
    aliases: found.aliases,
    indexes: indexes.map((index) => ({
      indexName: index.index_name,
      fieldName: index.field_name,
      metricType: valueOf(index.params, 'metric_type'),
    })),
    load: loadStates.get(state) ?? '',
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
    elementType: field.data_type === DataType.Array ? dataTypeName(field.element_type) : undefined,
  }
}

function shownDefault(value: ValueField): unknown {
  const given: unknown = Object.values<unknown>({ ...value }).find((item) => item !== undefined)
  return given instanceof Uint8Array ? new TextDecoder().decode(given) : given
}
