/** A collection from JSON: by schema, or the quick way from a name and a dimension. */
import { DataType } from '../model/schema.ts'
import { listTypeOf } from '../model/structs.ts'
import { encodeMessage, type FieldSchema, type Init, type StructArrayFieldSchema, type ValueField } from '../wire/index.ts'
import { asText, Body, isObject, named } from './body.ts'
import { invalidParameter, missing } from './errors.ts'
import { functionOf } from './functions.ts'
import type { Session } from './route.ts'
import { consistencyLevels } from './levels.ts'

function typeOf(name: string, parameter: string): number {
  const type = (DataType as Readonly<Record<string, number>>)[name]
  if (!Object.hasOwn(DataType, name) || type === undefined)
    throw invalidParameter(parameter, `a data type such as Int64 or FloatVector, got ${JSON.stringify(name.slice(0, 60))}`)
  return type
}

export function fieldOf(body: Body, autoId: boolean): Init<FieldSchema> {
  const name = body.text('fieldName') || body.text('name')
  if (name === '') throw missing('fieldName')
  const type = typeOf(body.required('dataType'), 'dataType')
  const isPrimary = body.flag('isPrimary')
  const elementType = body.text('elementDataType')
  const defaultValue = body.value('defaultValue')
  return {
    name,
    description: body.text('description'),
    data_type: type,
    element_type: elementType === '' ? 0 : typeOf(elementType, 'elementDataType'),
    is_primary_key: isPrimary,
    autoID: isPrimary && (body.flag('autoID') || body.flag('autoId') || autoId),
    is_partition_key: body.flag('isPartitionKey'),
    is_clustering_key: body.flag('isClusteringKey'),
    nullable: body.flag('nullable'),
    type_params: body.object('elementTypeParams').pairs(),
    default_value: defaultValue === undefined || defaultValue === null ? null : defaultOf(type, defaultValue),
  }
}

export function structFieldOf(body: Body): Init<StructArrayFieldSchema> {
  return {
    name: body.text('fieldName') || body.text('name'),
    description: body.text('description'),
    nullable: body.flag('nullable'),
    fields: body.objects('fields').map((field) => listField(fieldOf(field, false))),
    type_params: body.object('elementTypeParams').pairs(),
  }
}

/** A sub-field may say what its lists hold instead of being an Array. */
function listField(field: Init<FieldSchema>): Init<FieldSchema> {
  const { data_type: type = 0 } = field
  if (type === DataType.Array || type === DataType.ArrayOfVector) return field
  return { ...field, data_type: listTypeOf(type as DataType), element_type: type }
}

function defaultOf(type: number, value: unknown): Init<ValueField> {
  const fits = { boolean: 'bool_data', string: 'string_data' } as const
  if (type === DataType.JSON) return { bytes_data: new TextEncoder().encode(asText(value)) }
  if (typeof value === 'boolean' || typeof value === 'string') {
    if (type === DataType.Int64 && typeof value === 'string' && /^-?\d{1,19}$/.test(value)) return { long_data: BigInt(value) }
    return { [fits[typeof value as 'boolean' | 'string']]: value }
  }
  if (typeof value !== 'number' && typeof value !== 'bigint') throw invalidParameter('defaultValue', 'a boolean, number or string')
  if (type === DataType.Float) return { float_data: Number(value) }
  if (type === DataType.Double) return { double_data: Number(value) }
  if (!Number.isInteger(Number(value))) throw invalidParameter('defaultValue', 'an integer')
  return type === DataType.Int64 ? { long_data: BigInt(value) } : { int_data: Number(value) }
}

/** Quick mode without `schema.fields`: key and vector by name, one index, loaded. Schema mode else. */
export async function createCollection(body: Body, session: Session): Promise<object> {
  const params = body.object('params')
  const schema = body.object('schema')
  const isQuick = schema.list('fields').length === 0
  const indexes = isQuick ? quickIndexes(body) : body.objects('indexParams').map((index) => indexRequest(index, body))
  const keyPartitions = params.integer('partitionsNum', 0)
  await session.call('CreateCollection', {
    ...named(body),
    schema: encodeMessage('schema.CollectionSchema', {
      name: body.text('collectionName'),
      description: body.text('description') || schema.text('description'),
      fields: isQuick
        ? quickFields(body)
        : schema.objects('fields').map((field) => fieldOf(field, schema.flag('autoID') || schema.flag('autoId'))),
      struct_array_fields: schema.objects('structFields').map(structFieldOf),
      functions: schema.objects('functions').map(functionOf),
      enable_dynamic_field: isQuick
        ? params.flag('enableDynamicField', true)
        : schema.flag('enableDynamicField') || params.flag('enableDynamicField'),
    }),
    shards_num: params.integer('shardsNum', 1),
    consistency_level: consistencyOf(params.value('consistencyLevel') ?? body.value('consistencyLevel')),
    num_partitions: BigInt(keyPartitions),
    properties: propertiesOf(body, params),
  })
  for (const index of indexes) await session.call('CreateIndex', index)
  if (indexes.length > 0) await session.call('LoadCollection', named(body))
  return {}
}

function propertiesOf(body: Body, params: Body): { key: string; value: string }[] {
  const settings = [
    ['collection.ttl.seconds', params.value('ttlSeconds')],
    ['partitionkey.isolation', params.value('partitionKeyIsolation')],
  ] as const
  const given = settings.filter(([, value]) => value !== undefined && value !== null).map(([key, value]) => ({ key, value: asText(value) }))
  return [...body.object('properties').pairs(), ...given]
}

function consistencyOf(value: unknown): number {
  const level = typeof value === 'string' ? consistencyLevels.indexOf(value) : (value ?? 2)
  if (typeof level !== 'number' || !(level >= 0 && level <= 4))
    throw invalidParameter('consistencyLevel', 'Strong, Session, Bounded or Eventually')
  return level
}

function quickFields(body: Body): Init<FieldSchema>[] {
  const dimension = body.value('dimension')
  if (dimension === undefined || dimension === null || dimension === 0) throw missing('dimension')
  const idType = body.text('idType') || 'Int64'
  const maxLength = body.object('params').value('max_length')
  const idParams = maxLength === undefined ? [] : [{ key: 'max_length', value: asText(maxLength) }]
  const key = {
    name: body.text('primaryFieldName') || 'id',
    data_type: typeOf(idType === 'Varchar' ? 'VarChar' : idType, 'idType'),
    is_primary_key: true,
  }
  const vector = { name: vectorName(body), data_type: typeOf(body.text('vectorFieldType') || 'FloatVector', 'vectorFieldType') }
  return [
    { ...key, autoID: body.flag('autoID') || body.flag('autoId'), type_params: idParams },
    { ...vector, type_params: [{ key: 'dim', value: asText(dimension) }] },
  ]
}

function vectorName(body: Body): string {
  return body.text('vectorFieldName') || 'vector'
}

function quickIndexes(body: Body) {
  const extra_params = [{ key: 'metric_type', value: body.text('metricType') || 'COSINE' }]
  return [{ ...named(body), field_name: vectorName(body), index_name: vectorName(body), extra_params }]
}

/** One entry of `indexParams`; `index_type` may also sit in its `params`. */
export function indexRequest(index: Body, body: Body) {
  const nested = isObject(index.value('params')) ? index.object('params') : new Body({})
  const type = index.text('indexType') || nested.text('index_type')
  const metric = index.text('metricType') || nested.text('metric_type')
  const extra = nested.entries().filter(([key]) => key !== 'index_type' && key !== 'metric_type')
  const extra_params = [
    ...(type === '' ? [] : [{ key: 'index_type', value: type }]),
    ...(metric === '' ? [] : [{ key: 'metric_type', value: metric }]),
    ...(extra.length === 0 ? [] : [{ key: 'params', value: JSON.stringify(Object.fromEntries(extra)) }]),
  ]
  return { ...named(body), field_name: index.required('fieldName'), index_name: index.text('indexName'), extra_params }
}
