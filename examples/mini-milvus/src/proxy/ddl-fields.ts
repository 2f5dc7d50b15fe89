/** One field, from the wire to the model, by Milvus's rules and in its words. */
import { DataType, dataTypeName, type FieldSchema, isVectorType } from '../model/schema.ts'
import { Code, invalid, MilvusError } from '../server/status.ts'
import type { FieldSchema as WireField } from '../wire/index.ts'
import { checkName, defaultFromWire, toRecord } from './rpc-values.ts'

const MAX_DIM = 32_768
const MAX_LENGTH = 65_535
const MAX_CAPACITY = 4096

export const elementVectorTypes: readonly number[] = [DataType.BinaryVector, DataType.FloatVector, DataType.Float16Vector, DataType.BFloat16Vector, DataType.Int8Vector]
const vectorTypes: readonly number[] = [
  DataType.BinaryVector,
  DataType.FloatVector,
  DataType.Float16Vector,
  DataType.BFloat16Vector,
  DataType.SparseFloatVector,
  DataType.Int8Vector,
]
const scalarTypes: readonly number[] = [
  DataType.Bool,
  DataType.Int8,
  DataType.Int16,
  DataType.Int32,
  DataType.Int64,
  DataType.Float,
  DataType.Double,
  DataType.VarChar,
  DataType.Array,
  DataType.JSON,
  DataType.Geometry,
  DataType.Timestamptz,
]
export const elementTypes: readonly number[] = [
  DataType.Bool,
  DataType.Int8,
  DataType.Int16,
  DataType.Int32,
  DataType.Int64,
  DataType.Float,
  DataType.Double,
  DataType.VarChar,
]

function notYet(what: string): MilvusError {
  return new MilvusError(Code.Unimplemented, `${what} not served by mini-milvus yet`)
}

/** Everything of a field that does not depend on its neighbours. */
export function fieldFromWire(wire: WireField, id: number, collection: string): FieldSchema {
  checkName('field name', wire.name)
  const type = checkType(wire)
  const typeParams = toRecord(wire.type_params)
  const elementType = type === DataType.Array ? checkElementType(wire) : undefined
  const text = (elementType ?? type) === DataType.VarChar
  const field = {
    id,
    name: wire.name,
    description: wire.description,
    type,
    elementType,
    isPrimary: wire.is_primary_key,
    autoId: wire.autoID,
    isPartitionKey: wire.is_partition_key,
    isClusteringKey: wire.is_clustering_key,
    isDynamic: false,
    nullable: wire.nullable,
    dim: isVectorType(type) ? dimension(wire, type, typeParams['dim']) : undefined,
    maxLength: text ? maxLength(wire, typeParams['max_length'], collection) : undefined,
    maxCapacity: type === DataType.Array ? maxCapacity(wire, typeParams['max_capacity']) : undefined,
    typeParams,
    indexParams: toRecord(wire.index_params),
  }
  checkRoles(field)
  const defaultValue = wire.default_value === null ? undefined : defaultFromWire(field, wire.default_value)
  if (defaultValue !== undefined && field.isPrimary) throw invalid('primary field not support default_value')
  return withoutUndefined({ ...field, defaultValue })
}

export function withoutUndefined(field: FieldSchema): FieldSchema {
  return Object.fromEntries(Object.entries(field).filter(([, value]) => value !== undefined)) as unknown as FieldSchema
}

function checkType(wire: WireField): DataType {
  const type = wire.data_type
  if (vectorTypes.includes(type) || scalarTypes.includes(type)) return type as DataType
  if (type === DataType.String) throw invalid('string data type not supported yet, please use VarChar type instead')
  const name = dataTypeName(type)
  if (type === DataType.None || name.startsWith('Unknown')) throw invalid(`data type ${name} of field ${wire.name} is not valid`)
  throw notYet(`field ${wire.name}: data type ${name} is`)
}

function checkElementType(wire: WireField): DataType {
  if (!elementTypes.includes(wire.element_type))
    throw invalid(`element type ${dataTypeName(wire.element_type)} is not supported, field: ${wire.name}`)
  return wire.element_type as DataType
}

function checkRoles(field: Omit<FieldSchema, 'defaultValue'>): void {
  const { name, type, isPrimary, isPartitionKey, isClusteringKey, nullable, autoId } = field
  const key = type === DataType.Int64 || type === DataType.VarChar
  if (isPrimary && !key) throw invalid('the data type of primary key should be Int64 or VarChar')
  if (isPrimary && nullable) throw invalid('primary field not support null')
  if (isPrimary && isPartitionKey) throw invalid('the partition key field must not be primary field')
  if (autoId && !isPrimary) throw invalid(`only primary field can speficy AutoID with true, field name = ${name}`)
  if (isPartitionKey && !key) throw invalid('the data type of partition key should be Int64 or VarChar')
  if (isPartitionKey && nullable) throw invalid('partition key field not support nullable')
  if (isClusteringKey && (type === DataType.JSON || type === DataType.Array || type === DataType.Bool || type === DataType.Geometry)) {
    throw invalid(`clustering key field ${name} has type ${dataTypeName(type)}, which can not be a clustering key`)
  }
}

function integer(text: string): number {
  return /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
}

export function dimension({ name }: Pick<WireField, 'name'>, type: DataType, text: string | undefined): number | undefined {
  if (type === DataType.SparseFloatVector) {
    if (text !== undefined) throw invalid(`dim should not be specified for sparse vector field ${name}(${DataType.SparseFloatVector})`)
    return undefined
  }
  if (text === undefined)
    throw invalid(`dimension is not defined in field type params, check type param \`dim\` for vector field, field: ${name}`)
  const dim = integer(text)
  if (type === DataType.BinaryVector) {
    if (!(dim >= 8 && dim <= MAX_DIM * 8)) throw invalid(`invalid dimension: ${text} of field ${name}. binary vector dimension should be in range 8 ~ ${MAX_DIM * 8}`)
    if (dim % 8 !== 0) throw invalid(`invalid dimension: ${text} of field ${name}. binary vector dimension should be multiple of 8.`)
    return dim
  }
  if (!(dim >= 2 && dim <= MAX_DIM)) {
    throw invalid(`invalid dimension: ${text} of field ${name}. float vector dimension should be in range 2 ~ ${MAX_DIM}`)
  }
  return dim
}

export function maxLength({ name }: Pick<WireField, 'name'>, text: string | undefined, collection: string): number {
  if (text === undefined) throw invalid(`type param(max_length) should be specified for the field(${name}) of collection ${collection}`)
  const length = integer(text)
  if (!(length >= 1 && length <= MAX_LENGTH)) {
    throw invalid(`the maximum length specified for the field(${name}) should be in (0, ${MAX_LENGTH}], but got ${text} instead`)
  }
  return length
}

export function maxCapacity({ name }: Pick<WireField, 'name'>, text: string | undefined): number {
  if (text === undefined) throw invalid(`type param(max_capacity) should be specified for array field ${name}`)
  const capacity = integer(text)
  if (!(capacity >= 1 && capacity <= MAX_CAPACITY)) {
    throw invalid(`the maximum capacity specified for a Array should be in (0, ${MAX_CAPACITY}], field: ${name}, got ${text}`)
  }
  return capacity
}
