/** `/v2/vectordb/` partitions, indexes, aliases, databases. */
import { type IndexDescription, IndexState } from '../wire/index.ts'
import { type Body, db, named } from './body.ts'
import { indexRequest } from './create-collection.ts'
import { type Route, rpcRoute, v2Route } from './route.ts'
import { countOf, describeIndexes, valueOf } from './routes-collections.ts'
import { anyObject, hasIt, names, nothing, rowCountSchema, rowList } from './schemas.ts'

const partition = (body: Body) => ({ ...named(body), partition_name: body.text('partitionName') })
const partitions = (body: Body) => ({ ...named(body), partition_names: body.texts('partitionNames') })
const index = (body: Body) => ({ ...named(body), index_name: body.text('indexName') })
const alias = (body: Body) => ({ ...named(body), alias: body.text('aliasName') })

const indexStates = new Map<number, string>(Object.entries(IndexState).map(([name, value]) => [value, name]))

const partitionRoutes: readonly Route[] = [
  rpcRoute('partitions/list', 'ShowPartitions', ['collectionName*'], named, ({ partition_names: found }) => found, names),
  rpcRoute('partitions/has', 'HasPartition', ['collectionName*', 'partitionName*'], partition, ({ value }) => ({ has: value }), hasIt),
  rpcRoute('partitions/create', 'CreatePartition', ['collectionName*', 'partitionName*'], partition),
  rpcRoute('partitions/drop', 'DropPartition', ['collectionName*', 'partitionName*'], partition),
  rpcRoute('partitions/load', 'LoadPartitions', ['collectionName*', 'partitionNames*'], partitions),
  rpcRoute('partitions/release', 'ReleasePartitions', ['collectionName*', 'partitionNames*'], partitions),
  rpcRoute('partitions/get_stats', 'GetPartitionStatistics', ['collectionName*', 'partitionName*'], partition, ({ stats }) => ({ rowCount: countOf(stats) }), rowCountSchema),
]

const indexRoutes: readonly Route[] = [
  v2Route('indexes/list', 'DescribeIndex', ['collectionName*'], names, async (body, session) => {
    // A collection that does not exist is an error, one without indexes is not.
    await session.call('DescribeCollection', named(body))
    return { data: (await describeIndexes(session, named(body))).map(({ index_name: name }) => name) }
  }),
  v2Route('indexes/describe', 'DescribeIndex', ['collectionName*', 'indexName*'], rowList, async (body, session) => ({
    data: (await describeIndexes(session, index(body))).map(shownIndex),
  })),
  v2Route('indexes/create', 'CreateIndex', ['collectionName*', 'indexParams*'], nothing, async (body, session) => {
    for (const request of body.objects('indexParams').map((one) => indexRequest(one, body))) await session.call('CreateIndex', request)
    return {}
  }),
  rpcRoute('indexes/drop', 'DropIndex', ['collectionName*', 'indexName*'], index),
  rpcRoute('indexes/alter_properties', 'AlterIndex', ['collectionName*', 'indexName*', 'properties'], (body) => ({
    ...index(body),
    extra_params: body.object('properties').pairs(),
  })),
  rpcRoute('indexes/drop_properties', 'AlterIndex', ['collectionName*', 'indexName*', 'propertyKeys'], (body) => ({
    ...index(body),
    delete_keys: body.texts('propertyKeys'),
  })),
]

function shownIndex(found: IndexDescription): object {
  return {
    indexName: found.index_name,
    fieldName: found.field_name,
    indexType: valueOf(found.params, 'index_type'),
    metricType: valueOf(found.params, 'metric_type'),
    totalRows: Number(found.total_rows),
    pendingRows: Number(found.pending_index_rows),
    indexedRows: Number(found.indexed_rows),
    indexState: indexStates.get(found.state) ?? '',
    failReason: found.index_state_fail_reason,
  }
}

const aliasRoutes: readonly Route[] = [
  rpcRoute('aliases/list', 'ListAliases', ['collectionName'], named, ({ aliases }) => aliases, names),
  rpcRoute('aliases/describe', 'DescribeAlias', ['aliasName*'], alias, (found) => ({ dbName: found.db_name, collectionName: found.collection, aliasName: found.alias }), anyObject),
  rpcRoute('aliases/create', 'CreateAlias', ['collectionName*', 'aliasName*'], alias),
  rpcRoute('aliases/alter', 'AlterAlias', ['collectionName*', 'aliasName*'], alias),
  rpcRoute('aliases/drop', 'DropAlias', ['aliasName*'], (body) => ({ ...db(body), alias: body.text('aliasName') })),
]

const alterDatabase = (body: Body) => ({ ...db(body), properties: body.object('properties').pairs() })

const databaseRoutes: readonly Route[] = [
  rpcRoute('databases/list', 'ListDatabases', [], () => ({}), ({ db_names: found }) => found, names),
  rpcRoute('databases/create', 'CreateDatabase', ['dbName*', 'properties'], alterDatabase),
  rpcRoute('databases/drop', 'DropDatabase', ['dbName*'], db),
  rpcRoute(
    'databases/describe',
    'DescribeDatabase',
    ['dbName*'],
    db,
    (found) => ({ dbName: found.db_name, dbID: found.dbID, properties: found.properties.map(({ key, value }) => ({ key, value })) }),
    anyObject,
  ),
  rpcRoute('databases/alter', 'AlterDatabase', ['dbName*', 'properties'], alterDatabase),
  rpcRoute('databases/alter_properties', 'AlterDatabase', ['dbName*', 'properties'], alterDatabase),
  rpcRoute('databases/drop_properties', 'AlterDatabase', ['dbName*', 'propertyKeys'], (body) => ({ ...db(body), delete_keys: body.texts('propertyKeys') })),
]

export const metadataRoutes: readonly Route[] = [...partitionRoutes, ...indexRoutes, ...aliasRoutes, ...databaseRoutes]
