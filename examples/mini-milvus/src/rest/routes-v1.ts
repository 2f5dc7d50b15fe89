/** `/v1/vector`, the REST of Milvus 2.3: ten routes over one vector field, success code 200. */
import { DataType, dataTypeName } from '../model/schema.ts'
import { encodeMessage, type FieldSchema } from '../wire/index.ts'
import { Body, named } from './body.ts'
import { invalidParameter, missing } from './errors.ts'
import { type HttpMethod, paramsOf, type Reply, type Route, type Session, type Takes } from './route.ts'
import { describeIndexes, loadStateOf, valueOf } from './routes-collections.ts'
import { get, insert, keyOf, primaryOf, query, remove, schemaOf, upsert } from './routes-entities.ts'
import { search } from './routes-search.ts'
import { anyObject, deletedCount, insertedKeys, type JsonSchema, names, nothing, rowList, upsertedKeys } from './schemas.ts'
import type { RpcName } from '../server/handlers.ts'

const INDEX = 'vector_idx'

function v1Route(method: HttpMethod, path: string, rpc: RpcName, takes: Takes, gives: JsonSchema, run: Route['run']): Route {
  const params = paramsOf(['dbName', ...takes], method === 'GET' ? 'query' : 'body')
  return { family: 'v1', method, path: `/v1/vector/${path}`, rpc, params, gives, run }
}

const read = ['outputFields', 'limit', 'offset'] as const

export const v1Routes: readonly Route[] = [
  v1Route('GET', 'collections', 'ShowCollections', [], names, async (body, session) => ({
    data: (await session.call('ShowCollections', { db_name: body.text('dbName') })).collection_names,
  })),
  v1Route(
    'POST',
    'collections/create',
    'CreateCollection',
    ['collectionName*', 'dimension*', 'metricType', 'primaryField', 'vectorField', 'enableDynamicField', 'description'],
    nothing,
    create,
  ),
  v1Route('GET', 'collections/describe', 'DescribeCollection', ['collectionName*'], anyObject, describe),
  v1Route('POST', 'collections/drop', 'DropCollection', ['collectionName*'], nothing, drop),
  v1Route('POST', 'insert', 'Insert', ['collectionName*', 'data*'], insertedKeys, insert),
  v1Route('POST', 'upsert', 'Upsert', ['collectionName*', 'data*'], upsertedKeys, upsert),
  v1Route('POST', 'query', 'Query', ['collectionName*', 'filter*', ...read], rowList, query),
  v1Route('POST', 'get', 'Query', ['collectionName*', 'id*', 'outputFields'], rowList, get),
  v1Route('POST', 'delete', 'Delete', ['collectionName*', 'id', 'filter'], deletedCount, removeByIdOrFilter),
  v1Route('POST', 'search', 'Search', ['collectionName*', 'vector*', 'filter', 'params', ...read], rowList, async (body, session) => {
    const { data } = await search(new Body({ ...body.all(), data: [body.value('vector')], searchParams: { params: body.value('params') ?? {} } }), session)
    return { data }
  }),
]

/** Primary key and vector by name, autoID, indexed and loaded. */
async function create(body: Body, session: Session): Promise<Reply> {
  const dimension = body.integer('dimension', 0)
  if (dimension === 0) throw missing('dimension')
  const vector = body.text('vectorField') || 'vector'
  await session.call('CreateCollection', {
    ...named(body),
    schema: encodeMessage('schema.CollectionSchema', {
      name: body.text('collectionName'),
      description: body.text('description'),
      fields: [
        { name: body.text('primaryField') || 'id', data_type: DataType.Int64, is_primary_key: true, autoID: true },
        { name: vector, data_type: DataType.FloatVector, type_params: [{ key: 'dim', value: String(dimension) }] },
      ],
      enable_dynamic_field: body.flag('enableDynamicField', true),
    }),
    shards_num: 1,
    consistency_level: 2,
  })
  const metric = { key: 'metric_type', value: body.text('metricType') || 'L2' }
  await session.call('CreateIndex', { ...named(body), field_name: vector, index_name: INDEX, extra_params: [metric] })
  await session.call('LoadCollection', named(body))
  return {}
}

/** Here a collection that does not exist is an error, on gRPC it is not. */
async function drop(body: Body, session: Session): Promise<Reply> {
  await session.call('DescribeCollection', named(body))
  await session.call('DropCollection', named(body))
  return {}
}

async function describe(body: Body, session: Session): Promise<Reply> {
  const found = await schemaOf(body, session)
  const indexes = await describeIndexes(session, named(body))
  return {
    data: {
      collectionName: found.collection_name,
      description: found.schema.description,
      fields: found.schema.fields.map(shownField),
      indexes: indexes.map((index) => ({
        indexName: index.index_name,
        fieldName: index.field_name,
        metricType: valueOf(index.params, 'metric_type'),
      })),
      load: await loadStateOf(named(body), session),
      shardsNum: found.shards_num,
      enableDynamicField: found.schema.enable_dynamic_field,
    },
  }
}

/** A length is part of the type's name: `FloatVector(4)`, `VarChar(100)`. */
function shownField(field: FieldSchema): object {
  const length = valueOf(field.type_params, 'dim') || valueOf(field.type_params, 'max_length')
  const type = dataTypeName(field.data_type)
  return {
    name: field.name,
    type: length === '' ? type : `${type}(${length})`,
    primaryKey: field.is_primary_key,
    autoId: field.autoID,
    description: field.description,
  }
}

async function removeByIdOrFilter(body: Body, session: Session): Promise<Reply> {
  if (body.text('filter') !== '') return remove(body, session)
  const asked = body.value('id')
  if (asked === undefined || asked === null) throw invalidParameter('id', 'a primary key where there is no filter')
  const { schema } = await schemaOf(body, session)
  const key = primaryOf(schema)
  const ids = (Array.isArray(asked) ? (asked as readonly unknown[]) : [asked]).map((id) => keyOf(key, id))
  return remove(new Body({ ...body.all(), filter: `${key.name} in {ids}`, exprParams: { ids } }), session)
}
