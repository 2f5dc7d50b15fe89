/** The vectors that a search looks for, from its placeholder group or from stored rows. */
import { gatherColumn, sparseColumn } from '../codec/index.ts'
import { isNull } from '../model/column.ts'
import { type FunctionMeta, functionInto } from '../model/functions.ts'
import { primaryKeyList } from '../model/primary-keys.ts'
import type { CollectionMeta } from '../model/meta.ts'
import { DataType, dataTypeName, isSearchable, vectorBytes, type FieldSchema } from '../model/schema.ts'
import type { CallContext } from '../server/handlers.ts'
import { MilvusError } from '../server/status.ts'
import { fieldAnalyzer, termColumn } from '../text/index.ts'
import { decodeMessage, type SearchRequest } from '../wire/index.ts'
import { partitionIds, type DqlOptions } from './dql-context.ts'
import { guaranteeTimestamp } from './guarantee.ts'
import { isListIndex, listQueries, singleQueries } from './list-queries.ts'
import { MAX_TOPK } from './read-params.ts'

export function vectorField(collection: CollectionMeta, name: string): FieldSchema {
  const fields = collection.schema.fields.filter(isSearchable)
  if (name === '') {
    const [only] = fields
    if (fields.length !== 1 || only === undefined) {
      throw new MilvusError(1100, 'multiple anns_fields exist, please specify a anns_field in search_params')
    }
    return only
  }
  const field = fields.find((candidate) => candidate.name === name)
  if (field === undefined) throw new MilvusError(1100, `failed to get field schema by name: fieldName(${name}) not found`)
  return field
}

const decoder = new TextDecoder()

export interface QueryVectors {
  readonly queries: Uint8Array
  /** Of sparse vectors in bytes, of lists in vectors. */
  readonly queryOffsets?: Uint32Array | undefined
  readonly nq: number
}

export async function queryVectors(options: DqlOptions, collection: CollectionMeta, field: FieldSchema, request: SearchRequest, call: CallContext): Promise<QueryVectors> {
  if (request.ids !== undefined) return vectorsOfIds(options, collection, field, request, call)
  const [placeholder] = decodePlaceholders(request.placeholder_group)
  if (placeholder === undefined || placeholder.values.length === 0) throw new MilvusError(1100, 'nq (number of search vector per search request) should be in range [1, 16384], but got 0')
  const { values, type } = placeholder
  if (values.length > MAX_TOPK) throw new MilvusError(1100, `nq (number of search vector per search request) should be in range [1, ${MAX_TOPK}], but got ${values.length}`)
  const filledBy = functionInto(collection.schema, field.id)
  if (filledBy !== undefined) {
    if (type !== DataType.VarChar) throw new MilvusError(1100, `please provide varchar/text for BM25 Function based search, got ${dataTypeName(type)}`)
    return textQueries(values, collection, filledBy)
  }
  if (field.type === DataType.ArrayOfVector) return listQueries(values, type, field, isListIndex(options, collection, field))
  if (type !== field.type) throw new MilvusError(1100, `vector type must be the same, field ${field.name} - type ${field.type}, search info type ${type}`)
  if (field.type === DataType.SparseFloatVector) return sparseVectors(values, field)
  return singleQueries(values, vectorBytes(field.type, field.dim ?? 0))
}

function sparseVectors(values: readonly Uint8Array[], field: FieldSchema): QueryVectors {
  const { data, offsets } = sparseColumn(values, field.name)
  return { queries: data, queryOffsets: offsets, nq: values.length }
}

/** Texts become what the function made of those of the rows. */
function textQueries(values: readonly Uint8Array[], { schema }: CollectionMeta, { inputFieldId }: FunctionMeta): QueryVectors {
  const field = schema.fields.find(({ id }) => id === inputFieldId)
  if (field === undefined) throw new Error(`function of ${schema.name} has no input field`)
  const { data, offsets } = termColumn(fieldAnalyzer(field), values.map((value) => decoder.decode(value)))
  return { queries: data, queryOffsets: offsets, nq: values.length }
}

/** What a search by text looks for, one text per query. */
export function searchTexts({ ids, placeholder_group: group }: Pick<SearchRequest, 'ids' | 'placeholder_group'>): string[] {
  const [placeholder] = ids === undefined ? decodePlaceholders(group) : []
  if (placeholder?.type !== DataType.VarChar) throw new MilvusError(1100, `please provide varchar/text for BM25 Function based search, got ${placeholder === undefined ? 'none' : dataTypeName(placeholder.type)}`)
  return placeholder.values.map((value) => decoder.decode(value))
}

function decodePlaceholders(group: Uint8Array | undefined) {
  try {
    return decodeMessage('common.PlaceholderGroup', group ?? new Uint8Array(0)).placeholders
  } catch {
    throw new MilvusError(1100, 'placeholder_group is no message of type PlaceholderGroup')
  }
}

/** Search by primary keys: the stored vectors of these rows are the queries, in the order of the keys. */
async function vectorsOfIds(options: DqlOptions, collection: CollectionMeta, field: FieldSchema, request: SearchRequest, call: CallContext): Promise<QueryVectors> {
  const keys = [...(request.ids?.int_id?.data ?? request.ids?.str_id?.data ?? [])]
  if (keys.length === 0 || keys.length > MAX_TOPK) throw new MilvusError(1100, `expected 1 to ${MAX_TOPK} ids, got ${keys.length}`)
  const found = await options.queryNode.query({
    collectionId: collection.id,
    partitionIds: partitionIds(options.meta, collection, request.partition_names),
    filter: '',
    templates: new Map(),
    guaranteeTs: await guaranteeTimestamp(request, collection, options),
    ignoreGrowing: false,
    outputFields: [field.id],
    signal: call.signal,
    limit: undefined,
    offset: 0,
    count: false,
    keys,
  })
  const column = found.columns.get(field.id)
  const isLists = column?.kind === 'vectors' && isListIndex(options, collection, field)
  if (column?.kind !== 'vector' && column?.kind !== 'sparse' && !isLists) throw new MilvusError(1100, `field ${field.name} holds no vectors to search by`)
  const rowOf = new Map(primaryKeyList(found.keys).map((key, row) => [key, row]))
  const rows = keys.map((key) => {
    const row = rowOf.get(key)
    if (row === undefined) throw new MilvusError(1100, `some of the provided primary key IDs do not exist: ${String(key)}`)
    if (isNull(column, row) || (column.kind === 'vectors' && column.offsets[row] === column.offsets[row + 1])) throw new MilvusError(1100, `the vector of field ${field.name} is null in the row of primary key ${String(key)}`)
    return row
  })
  const picked = gatherColumn(column, rows)
  if (picked.kind === 'vectors') return { queries: picked.elements.data, queryOffsets: picked.offsets, nq: keys.length }
  return { queries: picked.data, queryOffsets: picked.kind === 'sparse' ? picked.offsets : undefined, nq: keys.length }
}
