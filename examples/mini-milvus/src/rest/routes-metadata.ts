/** `/v2/vectordb/` partitions, indexes, aliases, databases. */
import { IndexState } from '../wire/index.ts'
import { type Body, named } from './body.ts'
import { indexRequest } from './create-collection.ts'
import { missing } from './errors.ts'
import { type Route, rpcRoute } from './route.ts'
import { countOf, describeIndexes, valueOf } from './routes-collections.ts'

const db = (body: Body) => ({ db_name: body.text('dbName') })
const partition = (body: Body) => ({ ...named(body), partition_name: body.text('partitionName') })
const partitions = (body: Body) => ({ ...named(body), partition_names: body.texts('partitionNames') })
const index = (body: Body) => ({ ...named(body), index_name: body.text('indexName') })
const alias = (body: Body) => ({ ...named(body), alias: body.text('aliasName') })

const indexStates = new Map<number, string>(Object.entries(IndexState).map(([name, value]) => [value, name]))

const partitionRoutes: readonly Route[] = [
  rpcRoute('partitions/list', 'ShowPartitions', ['collectionName'], named, ({ partition_names: names }) => names),
  rpcRoute('partitions/has', 'HasPartition', ['collectionName', 'partitionName'], partition, ({ value }) => ({ has: value })),
  rpcRoute('partitions/create', 'CreatePartition', ['collectionName', 'partitionName'], partition),
  rpcRoute('partitions/drop', 'DropPartition', ['collectionName', 'partitionName'], partition),
  rpcRoute('partitions/load', 'LoadPartitions', ['collectionName', 'partitionNames'], partitions),
  rpcRoute('partitions/release', 'ReleasePartitions', ['collectionName', 'partitionNames'], partitions),
  rpcRoute('partitions/get_stats', 'GetPartitionStatistics', ['collectionName', 'partitionName'], partition, ({ stats }) => ({
    rowCount: countOf(stats),
  })),
]

const indexRoutes: readonly Route[] = [
  {
    path: 'indexes/list',
    required: ['collectionName'],
    run: async (body, session) => {
      // A collection that does not exist is an error, one without indexes is not.
      await session.call('DescribeCollection', named(body))
      return { data: (await describeIndexes(session, named(body))).map(({ index_name: name }) => name) }
    },
  },
  {
    path: 'indexes/describe',
    required: ['collectionName', 'indexName'],
    run: async (body, session) => ({
      data: (await describeIndexes(session, index(body))).map((found) => ({
        indexName: found.index_name,
        fieldName: found.field_name,
        indexType: valueOf(found.params, 'index_type'),
        metricType: valueOf(found.params, 'metric_type'),
        totalRows: Number(found.total_rows),
        pendingRows: Number(found.pending_index_rows),
        indexedRows: Number(found.indexed_rows),
        indexState: indexStates.get(found.state) ?? '',
        failReason: found.index_state_fail_reason,
      })),
    }),
  },
  {
    path: 'indexes/create',
    required: ['collectionName', 'indexParams'],
    run: async (body, session) => {
      const requests = body.objects('indexParams').map((one) => indexRequest(one, body))
      if (requests.length === 0) throw missing('indexParams')
      for (const request of requests) await session.call('CreateIndex', request)
      return {}
    },
  },
  rpcRoute('indexes/drop', 'DropIndex', ['collectionName', 'indexName'], index),
  rpcRoute('indexes/alter_properties', 'AlterIndex', ['collectionName', 'indexName'], (body) => ({
    ...index(body),
    extra_params: body.object('properties').pairs(),
  })),
  rpcRoute('indexes/drop_properties', 'AlterIndex', ['collectionName', 'indexName'], (body) => ({
    ...index(body),
    delete_keys: body.texts('propertyKeys'),
  })),
]

const aliasRoutes: readonly Route[] = [
  rpcRoute('aliases/list', 'ListAliases', [], named, ({ aliases }) => aliases),
  rpcRoute('aliases/describe', 'DescribeAlias', ['aliasName'], alias, (found) => ({
    dbName: found.db_name,
    collectionName: found.collection,
    aliasName: found.alias,
  })),
  rpcRoute('aliases/create', 'CreateAlias', ['collectionName', 'aliasName'], alias),
  rpcRoute('aliases/alter', 'AlterAlias', ['collectionName', 'aliasName'], alias),
  rpcRoute('aliases/drop', 'DropAlias', ['aliasName'], (body) => ({ ...db(body), alias: body.text('aliasName') })),
]

const alterDatabase = (body: Body) => ({ ...db(body), properties: body.object('properties').pairs() })

const databaseRoutes: readonly Route[] = [
  rpcRoute(
    'databases/list',
    'ListDatabases',
    [],
    () => ({}),
    ({ db_names: names }) => names,
  ),
  rpcRoute('databases/create', 'CreateDatabase', ['dbName'], alterDatabase),
  rpcRoute('databases/drop', 'DropDatabase', ['dbName'], db),
  rpcRoute('databases/describe', 'DescribeDatabase', ['dbName'], db, (found) => ({
    dbName: found.db_name,
    dbID: found.dbID,
    properties: found.properties.map(({ key, value }) => ({ key, value })),
  })),
  rpcRoute('databases/alter', 'AlterDatabase', ['dbName'], alterDatabase),
  rpcRoute('databases/alter_properties', 'AlterDatabase', ['dbName'], alterDatabase),
  rpcRoute('databases/drop_properties', 'AlterDatabase', ['dbName'], (body) => ({ ...db(body), delete_keys: body.texts('propertyKeys') })),
]

export const metadataRoutes: readonly Route[] = [...partitionRoutes, ...indexRoutes, ...aliasRoutes, ...databaseRoutes]
