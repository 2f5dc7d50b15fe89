/** An array of structs, from the wire to the model, by Milvus's rules and in its words. */
import { DataType, dataTypeName, type FieldSchema, isVectorType, type StructMeta } from '../model/schema.ts'
import { subFieldName } from '../model/structs.ts'
import { invalid } from '../server/status.ts'
import type { FieldSchema as WireField, StructArrayFieldSchema as WireStruct } from '../wire/index.ts'
import { dimension, elementTypes, elementVectorTypes, maxCapacity, maxLength, withoutUndefined } from './ddl-fields.ts'
import { checkName, toRecord } from './rpc-values.ts'

export interface StructFields {
  readonly struct: StructMeta
  readonly fields: readonly FieldSchema[]
}

/** @param id of the struct; its sub-fields have those behind it */
export function structFromWire(wire: WireStruct, id: number, collection: string): StructFields {
  const { name, description, nullable } = wire
  checkName('field name', name)
  if (wire.fields.length === 0) throw invalid(`struct array field ${name} has no sub-fields`)
  const typeParams = toRecord(wire.type_params)
  const names = new Set<string>()
  const fields = wire.fields.map((field, at) => {
    if (names.has(field.name)) throw invalid(`duplicated field name: ${field.name} in struct array field ${name}`)
    names.add(field.name)
    return subFieldFromWire(field, { struct: name, nullable, capacity: typeParams['max_capacity'] }, id + 1 + at, collection)
  })
  // The lists of a row are of one length: so are their bounds.
  const [first] = fields
  const other = fields.find(({ maxCapacity: capacity }) => capacity !== first?.maxCapacity)
  if (other !== undefined) throw invalid(`the max_capacity of all fields in struct array field ${name} must be the same, field: ${other.name}`)
  return { struct: { id, name, description, nullable, typeParams }, fields }
}

interface Owner {
  readonly struct: string
  readonly nullable: boolean
  /** Where the struct says it instead of its sub-fields. */
  readonly capacity: string | undefined
}

function subFieldFromWire(wire: WireField, { struct, nullable, capacity }: Owner, id: number, collection: string): FieldSchema {
  checkName('field name', wire.name)
  const at = `field ${wire.name} in struct array field ${struct}`
  const elementType = checkTypes(wire, at)
  if (wire.is_primary_key || wire.autoID) throw invalid(`primary key is not supported for ${at}`)
  if (wire.is_partition_key) throw invalid(`partition key is not supported for ${at}`)
  if (wire.is_clustering_key) throw invalid(`clustering key is not supported for ${at}`)
  if (wire.default_value !== null) throw invalid(`default value is not supported for ${at}`)
  if (wire.nullable && !nullable) throw invalid(`nullable is not supported for ${at}: make the struct array field nullable`)
  const typeParams = toRecord(wire.type_params)
  const name = subFieldName(struct, wire.name)
  return withoutUndefined({
    id,
    name,
    struct,
    description: wire.description,
    type: wire.data_type as DataType,
    elementType,
    isPrimary: false,
    autoId: false,
    isPartitionKey: false,
    isClusteringKey: false,
    isDynamic: false,
    nullable,
    dim: isVectorType(elementType) ? dimension({ name }, elementType, typeParams['dim']) : undefined,
    maxLength: elementType === DataType.VarChar ? maxLength({ name }, typeParams['max_length'], collection) : undefined,
    maxCapacity: maxCapacity({ name }, typeParams['max_capacity'] ?? capacity),
    typeParams,
    indexParams: toRecord(wire.index_params),
  })
}

function checkTypes({ data_type: type, element_type: element }: WireField, at: string): DataType {
  if (type !== DataType.Array && type !== DataType.ArrayOfVector) {
    throw invalid(`fields in a struct array field can only be Array or ArrayOfVector, but ${at} is ${dataTypeName(type)}`)
  }
  const allowed = type === DataType.Array ? elementTypes : elementVectorTypes
  if (!allowed.includes(element)) throw invalid(`element type ${dataTypeName(element)} is not supported by ${dataTypeName(type)}: ${at}`)
  return element as DataType
}
