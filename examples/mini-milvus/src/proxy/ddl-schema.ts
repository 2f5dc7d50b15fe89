/** A collection's schema, from the wire to the model and back. */
import { functionInto } from '../model/functions.ts'
import { type CollectionSchema, DataType, DYNAMIC_FIELD_NAME, type FieldSchema, FIRST_FIELD_ID, isSearchable, isVectorType, type StructMeta } from '../model/schema.ts'
import { nameInStruct, structsOf, subFields } from '../model/structs.ts'
import { checkTextField } from '../text/index.ts'
import { Code, invalid, MilvusError } from '../server/status.ts'
import type { CollectionSchema as WireSchema, FieldSchema as WireField, Init, StructArrayFieldSchema as WireStruct } from '../wire/index.ts'
import { fieldFromWire } from './ddl-fields.ts'
import { functionsFromWire, functionsToWire } from './functions.ts'
import { structFromWire } from './ddl-structs.ts'
import { defaultToWire, toPairs } from './rpc-values.ts'

const MAX_FIELDS = 64
const MAX_VECTOR_FIELDS = 10

/** @param name of the collection: the request's, which wins over the schema's own */
export function schemaFromWire(wire: WireSchema, name: string): CollectionSchema {
  if (wire.external_source !== '' || wire.external_spec !== '') throw new MilvusError(Code.Unimplemented, 'external collections are not served by mini-milvus: it reads no files of others')
  const structCount = wire.struct_array_fields.reduce((sum, { fields: inner }) => sum + 1 + inner.length, 0)
  if (wire.fields.length + structCount > MAX_FIELDS) throw invalid(`maximum field's number should be limited to ${MAX_FIELDS}`)
  // The schema's own autoID is an older way to say it of the primary key.
  const given = wire.fields.map((field) => (wire.autoID && field.is_primary_key ? { ...field, autoID: true } : field))
  const fields = given.map((field, i) => fieldFromWire(field, FIRST_FIELD_ID + i, name))
  const structs: StructMeta[] = []
  for (const struct of wire.struct_array_fields) {
    const made = structFromWire(struct, FIRST_FIELD_ID + fields.length + structs.length, name)
    structs.push(made.struct)
    fields.push(...made.fields)
  }
  checkTogether(fields, structs)
  for (const field of fields) checkTextField(field)
  const functions = functionsFromWire(wire.functions, fields)
  if (wire.enable_dynamic_field) fields.push(dynamicMeta(FIRST_FIELD_ID + fields.length + structs.length))
  return { name, description: wire.description, fields, enableDynamicField: wire.enable_dynamic_field, ...(structs.length === 0 ? {} : { structs }), ...(functions.length === 0 ? {} : { functions }) }
}

function checkTogether(fields: readonly FieldSchema[], structs: readonly StructMeta[]): void {
  const names = new Set<string>()
  for (const { name } of [...fields, ...structs]) {
    if (names.has(name)) throw invalid(`duplicated field name: ${name}`)
    names.add(name)
  }
  const atMostOne = (what: string, found: readonly FieldSchema[]): void => {
    if (found.length > 1) throw invalid(`there are more than one ${what}, field name = ${found[0]?.name}, ${found[1]?.name}`)
  }
  const primary = fields.filter((field) => field.isPrimary)
  if (primary.length === 0) throw invalid('primary key is not specified')
  atMostOne('primary key', primary)
  atMostOne(
    'partition key',
    fields.filter((field) => field.isPartitionKey),
  )
  atMostOne(
    'clustering key',
    fields.filter((field) => field.isClusteringKey),
  )
  const vectors = fields.filter(isSearchable)
  if (vectors.length === 0) throw invalid('schema does not contain vector field')
  if (vectors.length > MAX_VECTOR_FIELDS) throw invalid(`maximum vector field's number should be limited to ${MAX_VECTOR_FIELDS}`)
}

function dynamicMeta(id: number): FieldSchema {
  return {
    id,
    name: DYNAMIC_FIELD_NAME,
    description: 'dynamic schema',
    type: DataType.JSON,
    isPrimary: false,
    autoId: false,
    isPartitionKey: false,
    isClusteringKey: false,
    isDynamic: true,
    nullable: false,
    typeParams: {},
    indexParams: {},
  }
}

/**
 * A field for a collection that has rows already: those must have something to show.
 * @param isFilled by a function, which comes only where there are no rows
 */
export function addedFieldFromWire(wire: WireField, schema: CollectionSchema, isFilled = false): FieldSchema {
  const field = fieldFromWire(wire, 0, schema.name)
  checkTextField(field)
  if (schema.fields.filter((existing) => !existing.isDynamic).length >= MAX_FIELDS)
    throw invalid(`The number of fields has reached the maximum value ${MAX_FIELDS}`)
  if (field.isPrimary) throw invalid(`not support to add pk field, field name = ${field.name}`)
  if (field.isPartitionKey) throw invalid(`not support to add partition key field, field name  = ${field.name}`)
  if (field.isClusteringKey && schema.fields.some((existing) => existing.isClusteringKey)) {
    throw invalid(`already has another clutering key field, field name: ${field.name}`)
  }
  const vectors = schema.fields.filter(isSearchable).length
  if (isVectorType(field.type) && vectors >= MAX_VECTOR_FIELDS) throw invalid(`maximum vector field's number should be limited to ${MAX_VECTOR_FIELDS}`)
  if (!field.nullable && !isFilled) throw invalid(`added field must be nullable, please check it, field name = ${field.name}`)
  return field
}

/** An array of structs for a collection that has rows already: those get null. */
export function addedStructFromWire(wire: WireStruct, schema: CollectionSchema): { readonly struct: StructMeta; readonly fields: readonly FieldSchema[] } {
  const made = structFromWire(wire, 0, schema.name)
  const existing = schema.fields.filter(({ isDynamic }) => !isDynamic)
  if (existing.length + structsOf(schema).length + 1 + made.fields.length > MAX_FIELDS) throw invalid(`The number of fields has reached the maximum value ${MAX_FIELDS}`)
  if (existing.filter(isSearchable).length + made.fields.filter(isSearchable).length > MAX_VECTOR_FIELDS) throw invalid(`maximum vector field's number should be limited to ${MAX_VECTOR_FIELDS}`)
  if (!made.struct.nullable) throw invalid(`added field must be nullable, please check it, field name = ${wire.name}`)
  return made
}

/** As describe shows it: `$meta` is hidden. */
export function schemaToWire(schema: CollectionSchema): Init<WireSchema> {
  const fields = schema.fields.filter((field) => !field.isDynamic)
  return {
    name: schema.name,
    description: schema.description,
    autoID: fields.some((field) => field.isPrimary && field.autoId),
    fields: fields.filter(({ struct }) => struct === undefined).map((field) => ({ ...fieldToWire(field), is_function_output: functionInto(schema, field.id) !== undefined })),
    struct_array_fields: structsOf(schema).map((struct) => structToWire(struct, subFields(schema, struct.name))),
    functions: functionsToWire(schema),
    enable_dynamic_field: schema.enableDynamicField,
  }
}

function structToWire({ id, name, description, nullable, typeParams }: StructMeta, fields: readonly FieldSchema[]): Init<WireStruct> {
  return { fieldID: BigInt(id), name, description, nullable, type_params: toPairs(typeParams), fields: fields.map(fieldToWire) }
}

function fieldToWire(field: FieldSchema): Init<WireField> {
  return {
    fieldID: BigInt(field.id),
    name: nameInStruct(field),
    is_primary_key: field.isPrimary,
    description: field.description,
    data_type: field.type,
    type_params: toPairs(field.typeParams),
    index_params: toPairs(field.indexParams),
    autoID: field.autoId,
    element_type: field.elementType ?? 0,
    default_value: defaultToWire(field),
    is_partition_key: field.isPartitionKey,
    is_clustering_key: field.isClusteringKey,
    nullable: field.nullable,
  }
}
