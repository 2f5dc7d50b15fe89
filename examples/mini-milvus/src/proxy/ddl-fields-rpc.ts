/** Fields of collections that exist. */
import { type FunctionMeta, functionsOf } from '../model/functions.ts'
import type { CollectionSchema } from '../model/schema.ts'
import { Code, invalid, MilvusError, success } from '../server/status.ts'
import type { CallContext, WireHandlers } from '../server/handlers.ts'
import { type AlterCollectionSchemaRequest_AddRequest, decodeMessage, type FieldSchema, type FunctionSchema as WireFunction } from '../wire/index.ts'
import { collectionOf, ddl, type DdlOptions } from './ddl-context.ts'
import { checkEmpty } from './ddl-functions.ts'
import { addedFieldFromWire, addedStructFromWire } from './ddl-schema.ts'
import { functionFromWire } from './functions.ts'
import { toRecord } from './rpc-values.ts'

function wireField(bytes: Uint8Array): FieldSchema {
  try {
    return decodeMessage('schema.FieldSchema', bytes)
  } catch (error) {
    throw invalid(`the schema is not a FieldSchema: ${error instanceof Error ? error.message : 'unreadable'}`)
  }
}

export function fieldHandlers(options: DdlOptions): WireHandlers {
  const { catalog } = options
  return {
    AddCollectionField: ddl(async (request, call) => {
      const collection = collectionOf(options, call, request.collection_name)
      await catalog.addField(call.dbName, request.collection_name, addedFieldFromWire(wireField(request.schema), collection.schema))
      return success()
    }),
    AddCollectionStructField: ddl(async (request, call) => {
      const { schema } = collectionOf(options, call, request.collection_name)
      if (request.struct_array_field_schema === null) throw invalid('no struct array field to add')
      const { struct, fields } = addedStructFromWire(request.struct_array_field_schema, schema)
      await catalog.addStruct(call.dbName, request.collection_name, struct, fields)
      return success()
    }),
    /** What the newest clients call to add fields, with indexes if they like. */
    AlterCollectionSchema: ddl(async (request, call) => {
      const add = request.action?.add_request
      if (add === undefined) throw new MilvusError(Code.Unimplemented, 'dropping fields is not served by mini-milvus yet')
      await addFields(options, call, request.collection_name, add)
      return { alter_status: success() }
    }),
    AlterCollectionField: ddl(async (request, call) => {
      const set = toRecord(request.properties)
      await catalog.alterField(call.dbName, request.collection_name, request.field_name, set, request.delete_keys)
      return success()
    }),
  }
}

async function addFields(
  options: DdlOptions,
  call: CallContext,
  name: string,
  add: AlterCollectionSchemaRequest_AddRequest,
): Promise<void> {
  const { catalog } = options
  const collection = collectionOf(options, call, name)
  const { schema } = collection
  const filled = new Set(add.func_schema.flatMap(({ output_field_names: names }) => names))
  const infos = add.field_infos.flatMap(({ field_schema: field, ...info }) =>
    field === null ? [] : [{ ...info, field: addedFieldFromWire(field, schema, filled.has(field.name)) }],
  )
  if (infos.length === 0) throw invalid('no field to add')
  const fields = infos.map(({ field }) => field)
  if (add.func_schema.length === 0) await catalog.addFields(call.dbName, name, fields)
  else {
    await checkEmpty(options, collection, 'adding')
    await catalog.addFields(call.dbName, name, fields, (after) => withFunctions(after, add.func_schema))
  }
  for (const { field, index_name: indexName, extra_params: params } of infos) {
    if (indexName !== '' || params.length > 0) await catalog.createIndex(call.dbName, name, field.name, indexName, toRecord(params))
  }
}

function withFunctions(schema: CollectionSchema, wire: readonly WireFunction[]): readonly FunctionMeta[] {
  return wire.reduce((functions, each) => [...functions, functionFromWire(each, schema.fields, functions)], functionsOf(schema))
}
