/** Fields of collections that exist. */
import { Code, invalid, MilvusError, success } from '../server/status.ts'
import type { CallContext, WireHandlers } from '../server/handlers.ts'
import { type AlterCollectionSchemaRequest_AddRequest, decodeMessage, type FieldSchema } from '../wire/index.ts'
import { collectionOf, ddl, type DdlOptions } from './ddl-context.ts'
import { addedFieldFromWire } from './ddl-schema.ts'
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
    /** What the newest clients call to add fields, with indexes if they like. */
    AlterCollectionSchema: ddl(async (request, call) => {
      const add = request.action?.add_request
      if (add === undefined) throw new MilvusError(Code.Unimplemented, 'dropping fields and functions is not served by mini-milvus yet')
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
  const { schema } = collectionOf(options, call, name)
  if (add.func_schema.length > 0) throw new MilvusError(Code.Unimplemented, 'functions are not served by mini-milvus yet')
  const infos = add.field_infos.flatMap(({ field_schema: field, ...info }) =>
    field === null ? [] : [{ ...info, field: addedFieldFromWire(field, schema) }],
  )
  if (infos.length === 0) throw invalid('no field to add')
  await catalog.addFields(
    call.dbName,
    name,
    infos.map(({ field }) => field),
  )
  for (const { field, index_name: indexName, extra_params: params } of infos) {
    if (indexName !== '' || params.length > 0) await catalog.createIndex(call.dbName, name, field.name, indexName, toRecord(params))
  }
}
