/** AddCollectionFunction, AlterCollectionFunction, DropCollectionFunction. */
import type { CollectionMeta } from '../model/meta.ts'
import { type FunctionMeta, functionsOf } from '../model/functions.ts'
import type { WireHandlers } from '../server/handlers.ts'
import { invalid, success } from '../server/status.ts'
import type { FunctionSchema as WireFunction } from '../wire/index.ts'
import { collectionOf, ddl, type DdlOptions } from './ddl-context.ts'
import { functionFromWire } from './functions.ts'

export function functionHandlers(options: DdlOptions): WireHandlers {
  const { catalog } = options
  return {
    AddCollectionFunction: ddl(async ({ collection_name: name, functionSchema }, call) => {
      const collection = collectionOf(options, call, name)
      const wire = given(functionSchema)
      // What does not fit is said before what is in the way.
      functionFromWire(wire, collection.schema.fields, functionsOf(collection.schema))
      await checkEmpty(options, collection, 'adding')
      await catalog.changeFunctions(call.dbName, name, (schema) => [...functionsOf(schema), functionFromWire(wire, schema.fields, functionsOf(schema))])
      return success()
    }),
    AlterCollectionFunction: ddl(async ({ collection_name: name, function_name: functionName, functionSchema }, call) => {
      const collection = collectionOf(options, call, name)
      const wire = given(functionSchema)
      if (wire.name !== functionName) throw invalid(`invalid function config, name not match: ${functionName}, ${wire.name}`)
      const changed = altered(collection.schema.fields, functionsOf(collection.schema), wire)
      if (changed.some((each, i) => movesData(each, functionsOf(collection.schema)[i]))) await checkEmpty(options, collection, 'altering the fields of')
      await catalog.changeFunctions(call.dbName, name, (schema) => altered(schema.fields, functionsOf(schema), wire))
      return success()
    }),
    /** One that is not there: success, as often. */
    DropCollectionFunction: ddl(async ({ collection_name: name, function_name: functionName }, call) => {
      const collection = collectionOf(options, call, name)
      if (functionName === '') throw invalid('function name cannot be empty')
      if (!functionsOf(collection.schema).some((each) => each.name === functionName)) return success()
      await catalog.changeFunctions(call.dbName, name, (schema) => functionsOf(schema).filter((each) => each.name !== functionName))
      return success()
    }),
  }
}

function given(wire: WireFunction | null): WireFunction {
  if (wire === null) throw invalid('function schema is required')
  return wire
}

function altered(fields: CollectionMeta['schema']['fields'], functions: readonly FunctionMeta[], wire: WireFunction): readonly FunctionMeta[] {
  const before = functions.find(({ name }) => name === wire.name)
  if (before === undefined) throw invalid(`function ${wire.name} not exists`)
  const after = { ...functionFromWire(wire, fields, functions.filter((each) => each !== before)), id: before.id }
  return functions.map((each) => (each === before ? after : each))
}

function movesData(after: FunctionMeta, before: FunctionMeta | undefined): boolean {
  return after.inputFieldId !== before?.inputFieldId || after.outputFieldId !== before.outputFieldId
}

/** Rows that are there would keep what was written into the field by hand, or computed of another. */
export async function checkEmpty({ progress }: DdlOptions, collection: CollectionMeta, what: string): Promise<void> {
  if ((await progress.rowCount(collection)) > 0) throw invalid(`${what} a BM25 function of a collection that has rows is not supported: create a new collection`)
}
