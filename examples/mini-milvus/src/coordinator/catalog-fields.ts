/** Fields that change or come after a collection's creation. */
import { DataType, dataTypeName, type FieldSchema, type StructMeta } from '../model/schema.ts'
import { isListType, structsOf } from '../model/structs.ts'
import { functionsOf } from '../model/functions.ts'
import { invalid } from '../server/status.ts'
import { checkTextField } from '../text/index.ts'
import type { FunctionPlan } from './api.ts'
import { checkReleased } from './catalog-functions.ts'
import { alterRecord, type CatalogContext } from './catalog-context.ts'

export async function addFields(
  { state, nextTs, change }: CatalogContext,
  dbName: string,
  name: string,
  added: readonly FieldSchema[],
  functions?: FunctionPlan,
  struct?: StructMeta,
): Promise<void> {
  await change(async () => {
    const before = state.collection(dbName, name)
    const { schema } = before
    if (added.length === 0) return []
    const names = new Set([...schema.fields, ...structsOf(schema)].map((existing) => existing.name))
    for (const field of struct === undefined ? added : [...added, struct]) {
      if (names.has(field.name)) throw invalid(`duplicated field name: ${field.name}`)
      names.add(field.name)
    }
    const own = schema.fields.filter((existing) => !existing.isDynamic)
    const dynamic = schema.fields.filter((existing) => existing.isDynamic)
    // A struct comes before its sub-fields.
    const structs = struct === undefined ? schema.structs : [...structsOf(schema), { ...struct, id: before.nextFieldId }]
    const firstId = before.nextFieldId + (struct === undefined ? 0 : 1)
    const numbered = added.map((field, i) => ({ ...field, id: firstId + i }))
    const fields = [...own, ...numbered, ...dynamic]
    if (functions !== undefined) checkReleased(state, before)
    const value = {
      ...before,
      schema: { ...schema, fields, ...(structs === undefined ? {} : { structs }), ...(functions === undefined ? {} : { functions: functions({ ...schema, fields }) }) },
      nextFieldId: firstId + added.length,
      updateTs: await nextTs(),
    }
    return [{ kind: 'collection', id: before.id, value }]
  })
}

/** What may change in a field, and of which types. */
const alterable: Readonly<Record<string, (field: FieldSchema) => boolean>> = {
  'mmap.enabled': () => true,
  mmap_enabled: () => true,
  'field.description': () => true,
  max_length: (field) => (field.type === DataType.Array ? field.elementType : field.type) === DataType.VarChar,
  // Of sub-fields not: their bounds are one.
  max_capacity: (field) => isListType(field.type) && field.struct === undefined,
  enable_analyzer: (field) => field.type === DataType.VarChar,
  enable_match: (field) => field.type === DataType.VarChar,
  analyzer_params: (field) => field.type === DataType.VarChar,
}

export async function alterField(
  { state, nextTs, change }: CatalogContext,
  dbName: string,
  name: string,
  fieldName: string,
  set: Readonly<Record<string, string>>,
  remove: readonly string[],
): Promise<void> {
  await change(async () => {
    const before = state.collection(dbName, name)
    const field = before.schema.fields.find((candidate) => candidate.name === fieldName)
    if (field === undefined) throw invalid(`field ${fieldName} does not exist in collection ${name}`)
    for (const key of [...Object.keys(set), ...remove]) {
      const allowed = Object.hasOwn(alterable, key) ? alterable[key] : undefined
      if (allowed === undefined) throw invalid(`${key} does not allow update in collection field param`)
      if (!allowed(field)) throw invalid(`${key} can not be altered on field ${fieldName} of type ${dataTypeName(field.type)}`)
    }
    const after = altered(field, set, remove)
    checkTextField(after, functionsOf(before.schema).some(({ inputFieldId }) => inputFieldId === field.id))
    const fields = before.schema.fields.map((candidate) => (candidate === field ? after : candidate))
    return [{ kind: 'collection', id: before.id, value: { ...before, schema: { ...before.schema, fields }, updateTs: await nextTs() } }]
  })
}

function altered(field: FieldSchema, set: Readonly<Record<string, string>>, remove: readonly string[]): FieldSchema {
  const { 'field.description': description = field.description, ...params } = set
  for (const key of ['max_length', 'max_capacity']) if (remove.includes(key)) throw invalid(`${key} can not be removed`)
  return {
    ...field,
    description,
    typeParams: alterRecord(field.typeParams, params, remove),
    maxLength: grown('max_length', field.maxLength, params['max_length'], 65_535),
    maxCapacity: grown('max_capacity', field.maxCapacity, params['max_capacity'], 4096),
  }
}

/** A limit's new value: an integer in range. */
function grown(key: string, before: number | undefined, text: string | undefined, max: number): number | undefined {
  if (text === undefined) return before
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0
  if (value < 1 || value > max) throw invalid(`the value for ${key} must be an integer in range [1, ${max}], got ${JSON.stringify(text)}`)
  return value
}
