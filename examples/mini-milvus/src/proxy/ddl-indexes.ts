/** Indexes: create, alter, drop, describe, state, progress, statistics. */
import { servedBy } from '../coordinator/catalog-index-rules.ts'
import { indexNotFound } from '../coordinator/catalog-indexes.ts'
import type { CollectionMeta, IndexMeta } from '../model/meta.ts'
import { scalarStructure } from '../model/scalar-index.ts'
import { invalid, success } from '../server/status.ts'
import type { CallContext, WireHandlers } from '../server/handlers.ts'
import { type IndexDescription, IndexState, type Init } from '../wire/index.ts'
import { collectionOf, ddl, type DdlOptions, type IndexProgress } from './ddl-context.ts'
import { checkName, toPairs, toRecord } from './rpc-values.ts'

const states: Readonly<Record<IndexProgress['state'], number>> = {
  none: IndexState.IndexStateNone,
  building: IndexState.InProgress,
  finished: IndexState.Finished,
  failed: IndexState.Failed,
}

function fieldName(collection: CollectionMeta, index: IndexMeta): string {
  return collection.schema.fields.find((field) => field.id === index.fieldId)?.name ?? ''
}

const structures = { sorted: 'STL_SORT', grams: 'NGRAM', boxes: 'RTREE' } as const

/** Names that stand for another index say which: `HNSW` behind `IVF_FLAT`, `DISKANN`, …, `STL_SORT` behind `INVERTED`, …; `SCAN`: none, filters read the column. */
function paramsOf({ schema }: CollectionMeta, index: IndexMeta): Readonly<Record<string, string>> {
  const field = schema.fields.find(({ id }) => id === index.fieldId)
  const structure = field && index.metricType === '' ? scalarStructure(field, index) : undefined
  const served = structure === undefined ? servedBy(index) : structures[structure.kind]
  const isPlain = index.indexType === served || index.indexType === 'AUTOINDEX'
  return isPlain ? index.params : { ...index.params, served_by: served }
}

export function indexHandlers(options: DdlOptions): WireHandlers {
  const { meta, catalog, progress } = options

  /** Throws 700 where none fits; empty names fit all. */
  const select = (
    call: CallContext,
    name: string,
    indexName: string,
    field: string,
  ): { collection: CollectionMeta; found: readonly IndexMeta[] } => {
    const collection = collectionOf(options, call, name)
    const found = meta
      .indexes(collection.id)
      .filter(
        (index) =>
          (indexName === '' || index.name === indexName) && (indexName !== '' || field === '' || fieldName(collection, index) === field),
      )
    if (found.length === 0) throw indexNotFound(indexName || field)
    return { collection, found }
  }
  const describe = ({ collection, found }: ReturnType<typeof select>): Init<IndexDescription>[] =>
    found.map((index) => {
      const { totalRows, indexedRows, pendingRows, state, reason } = progress.indexProgress(collection, index)
      return {
        index_name: index.name,
        indexID: index.id,
        params: toPairs(paramsOf(collection, index)),
        field_name: fieldName(collection, index),
        indexed_rows: BigInt(indexedRows),
        total_rows: BigInt(totalRows),
        pending_index_rows: BigInt(pendingRows),
        state: states[state],
        index_state_fail_reason: reason,
      }
    })
  return {
    CreateIndex: ddl(async (request, call) => {
      if (request.index_name !== '') checkName('index name', request.index_name)
      await catalog.createIndex(
        call.dbName,
        request.collection_name,
        request.field_name,
        request.index_name,
        toRecord(request.extra_params),
      )
      return success()
    }),
    AlterIndex: ddl(async (request, call) => {
      if (request.extra_params.length > 0 && request.delete_keys.length > 0) throw invalid('cannot provide both DeleteKeys and ExtraParams')
      await catalog.alterIndex(
        call.dbName,
        request.collection_name,
        request.index_name,
        toRecord(request.extra_params),
        request.delete_keys,
      )
      return success()
    }),
    DropIndex: ddl(async (request, call) => {
      await catalog.dropIndex(call.dbName, request.collection_name, request.index_name || request.field_name)
      return success()
    }),
    DescribeIndex: ddl(async (request, call) => {
      return { index_descriptions: describe(select(call, request.collection_name, request.index_name, request.field_name)) }
    }),
    GetIndexStatistics: ddl(async (request, call) => {
      return { index_descriptions: describe(select(call, request.collection_name, request.index_name, '')) }
    }),
    GetIndexState: ddl(async (request, call) => {
      const { collection, found } = select(call, request.collection_name, request.index_name, request.field_name)
      const all = found.map((index) => progress.indexProgress(collection, index))
      const worst = all.find(({ state }) => state === 'failed') ?? all.find(({ state }) => state !== 'finished') ?? all[0]
      return { state: worst === undefined ? IndexState.IndexStateNone : states[worst.state], fail_reason: worst?.reason ?? '' }
    }),
    GetIndexBuildProgress: ddl(async (request, call) => {
      const { collection, found } = select(call, request.collection_name, request.index_name, request.field_name)
      const all = found.map((index) => progress.indexProgress(collection, index))
      return {
        indexed_rows: BigInt(all.reduce((sum, { indexedRows }) => sum + indexedRows, 0)),
        total_rows: BigInt(all.reduce((sum, { totalRows }) => sum + totalRows, 0)),
      }
    }),
  }
}
