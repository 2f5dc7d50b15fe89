/** Indexes: one per field (and per JSON path), named or named after their field. */
import type { CollectionMeta, IndexMeta } from '../model/meta.ts'
import { functionInto } from '../model/functions.ts'
import { indexParam } from '../model/json-index.ts'
import { dynamicField, type FieldSchema, isSearchable } from '../model/schema.ts'
import { Code, invalid, MilvusError } from '../server/status.ts'
import { alterRecord, type CatalogContext, refused } from './catalog-context.ts'
import { defineIndex, sameDefinition } from './catalog-index-rules.ts'
import type { CatalogRecord } from './catalog-records.ts'
import { ErrorCode } from '../wire/index.ts'

type Params = Readonly<Record<string, string>>

export async function createIndex(
  { state, nextId, nextTs, change }: CatalogContext,
  dbName: string,
  name: string,
  fieldName: string,
  indexName: string,
  asked: Params,
): Promise<void> {
  await change(async () => {
    const collection = state.collection(dbName, name)
    const field = indexedField(collection, fieldName, asked)
    const { indexType, metricType, params } = defineIndex(field, asked, functionInto(collection.schema, field.id) !== undefined)
    const all = state.indexes(collection.id)
    const path = indexParam(params, 'json_path') ?? ''
    const onField = all.find((index) => index.fieldId === field.id && (indexParam(index.params, 'json_path') ?? '') === path)
    const wantedName = indexName || onField?.name || freeName(all, path === '' ? field.name : fieldName + path)
    const byName = all.find((index) => index.name === wantedName)
    if (byName !== undefined && byName === onField && sameDefinition(byName.params, params)) return []
    if (onField !== undefined) throw refused('CreateIndex failed: at most one distinct index is allowed per field')
    if (byName !== undefined) throw refused(`CreateIndex failed: index name ${wantedName} exists on another field`)
    const [id, createdTs] = await Promise.all([nextId(), nextTs()])
    const value: IndexMeta = {
      id,
      collectionId: collection.id,
      fieldId: field.id,
      name: wantedName,
      params,
      indexType,
      metricType,
      createdTs,
    }
    return [{ kind: 'index', collectionId: collection.id, id, value }]
  })
}

/** The field of that name; with a JSON path also a key of the dynamic field. */
function indexedField({ schema }: CollectionMeta, fieldName: string, params: Params): FieldSchema {
  const field = schema.fields.find((candidate) => candidate.name === fieldName)
  if (field !== undefined) return field
  const dynamic = dynamicField(schema)
  if (dynamic !== undefined && indexParam(params, 'json_path') !== undefined) return dynamic
  throw new MilvusError(Code.ParameterInvalid, `cannot create index on non-exist field: ${fieldName}`, ErrorCode.UnexpectedError)
}

function freeName(all: readonly IndexMeta[], wanted: string): string {
  for (let suffix = 0; ; suffix++) {
    const name = suffix === 0 ? wanted : `${wanted}_${suffix}`
    if (!all.some((index) => index.name === name)) return name
  }
}

export function indexNotFound(name: string): MilvusError {
  return new MilvusError(Code.IndexNotFound, `index not found[indexName=${name}]`)
}

/** Parameters that an existing index takes without being built again. */
const ALTERABLE = ['mmap.enabled', 'warmup', 'index.offset_cache.enabled', 'indexoffsetcache.enabled', 'consistency_level']

export async function alterIndex(
  { state, change }: CatalogContext,
  dbName: string,
  name: string,
  indexName: string,
  set: Params,
  remove: readonly string[],
): Promise<void> {
  await change(() => {
    const collection = state.collection(dbName, name)
    const before = state.indexes(collection.id).find((index) => index.name === indexName)
    if (before === undefined) throw indexNotFound(indexName)
    for (const key of [...Object.keys(set), ...remove]) {
      if (!ALTERABLE.includes(key)) throw invalid(`${key} is not a configable index property`)
    }
    return [
      { kind: 'index', collectionId: collection.id, id: before.id, value: { ...before, params: alterRecord(before.params, set, remove) } },
    ]
  })
}

/** A missing index is no failure (Milvus). An empty name means all of the collection's. */
export async function dropIndex({ state, change }: CatalogContext, dbName: string, name: string, fieldOrIndexName: string): Promise<void> {
  await change(() => {
    const collection = state.collection(dbName, name)
    const all = state.indexes(collection.id)
    const field = collection.schema.fields.find((candidate) => candidate.name === fieldOrIndexName)
    const named = all.filter((index) => fieldOrIndexName === '' || index.name === fieldOrIndexName)
    const gone = named.length > 0 ? named : all.filter((index) => index.fieldId === field?.id)
    const vectors = collection.schema.fields.filter(isSearchable).map((candidate) => candidate.id)
    if (state.load(collection.id) !== undefined && gone.some((index) => vectors.includes(index.fieldId))) {
      throw refused(`vector index cannot be dropped on loaded collection: ${collection.id}`)
    }
    const ids = gone.map((index) => index.id)
    const segments = state.segments(collection.id).filter((segment) => segment.indexes.some((index) => ids.includes(index.indexId)))
    return [
      ...ids.map((id): CatalogRecord => ({ kind: 'index', collectionId: collection.id, id, value: undefined })),
      ...segments.map((segment): CatalogRecord => {
        const value = { ...segment, indexes: segment.indexes.filter((index) => !ids.includes(index.indexId)) }
        return { kind: 'segment', collectionId: collection.id, id: segment.id, value }
      }),
    ]
  })
}
