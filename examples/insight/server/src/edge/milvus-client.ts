/** The official SDK as a remote source needs it. */
import { ConsistencyLevelEnum, MilvusClient, ShowCollectionsType, type ResStatus } from '@zilliz/milvus2-sdk-node'
import type { Json } from '../core/model.ts'
import type { CollectionDescribed, CollectionListed, IndexDescribed, MilvusApi } from '../source/milvus-api.ts'

export interface MilvusClientOptions {
  readonly address: string
  readonly token?: string | undefined
  readonly ssl?: boolean | undefined
  /** A file with the certificate of who signed the server's; default: whom Node trusts. */
  readonly caPath?: string | undefined
  readonly timeoutMs?: number | undefined
}

export function createMilvusApi({ address, token, ssl, caPath, timeoutMs = 10_000 }: MilvusClientOptions): MilvusApi {
  let client: MilvusClient | undefined
  const connected = (): MilvusClient => {
    if (client === undefined) throw new Error('not connected')
    return client
  }
  return {
    async connect() {
      await client?.closeConnection()
      client = new MilvusClient({ address, logLevel: 'error', timeout: timeoutMs, maxRetries: 0, ...(token === undefined ? {} : { token }), ...(ssl === undefined ? {} : { ssl }), ...(caPath === undefined ? {} : { ssl: true, tls: { rootCertPath: caPath } }), channelOptions: { 'grpc.max_receive_message_length': -1 } })
      await within(client.connectPromise, timeoutMs, address)
      const answer = await within(client.getVersion(), timeoutMs, address)
      if (answer.version === undefined || answer.version === '') throw new Error('the server does not say its version')
      return { version: answer.version }
    },
    async databases() {
      const answer = await connected().listDatabases()
      check(answer.status)
      return answer.db_names
    },
    async collections(db_name) {
      const answer = await connected().showCollections({ db_name, type: ShowCollectionsType.All })
      check(answer.status)
      return answer.data.map(({ id, name, timestamp }): CollectionListed => ({ id: String(id), name, createdTs: String(timestamp) }))
    },
    async describe(db_name, collection_name) {
      const answer = await connected().describeCollection({ db_name, collection_name })
      check(answer.status)
      return describedOf(answer)
    },
    async indexes(db_name, collection_name) {
      const answer = await connected().describeIndex({ db_name, collection_name })
      // Milvus says "not found" of a collection that has none.
      if (answer.status.code === 700 || /index not found/i.test(answer.status.reason)) return []
      check(answer.status)
      return answer.index_descriptions.map(indexOf)
    },
    async partitions(db_name, collection_name) {
      const answer = await connected().showPartitions({ db_name, collection_name })
      check(answer.status)
      return answer.data.map(({ id, name }) => ({ id: String(id), name }))
    },
    async loadState(db_name, collection_name) {
      const answer = await connected().getLoadState({ db_name, collection_name })
      check(answer.status)
      const state = LOAD_STATES[answer.state] ?? 'notExist'
      if (state !== 'loading') return { state, percent: state === 'loaded' ? 100 : null }
      const progress = await connected().getLoadingProgress({ db_name, collection_name })
      return { state, percent: Number(progress.progress) }
    },
    async rows(db_name, collection_name) {
      const answer = await connected().getCollectionStatistics({ db_name, collection_name })
      check(answer.status)
      return String(answer.stats.find(({ key }) => key === 'row_count')?.value ?? '0')
    },
    async act(action, db_name, collection_name) {
      const one = { db_name, collection_name }
      if (action === 'flush') check((await connected().flush({ db_name, collection_names: [collection_name] })).status)
      else if (action === 'load') check(await connected().loadCollectionAsync(one))
      else if (action === 'release') check(await connected().releaseCollection(one))
      else check(await connected().dropCollection(one))
    },
    async search({ db, collection, field, vector, key, filter, limit }) {
      const described = await connected().describeCollection({ db_name: db, collection_name: collection })
      check(described.status)
      const primary = described.schema.fields.find(({ is_primary_key }) => is_primary_key)
      const shown = described.schema.fields.filter(({ data_type }) => !String(data_type).endsWith('Vector')).map(({ name }) => name)
      const answer = await connected().search({
        db_name: db,
        collection_name: collection,
        limit,
        output_fields: shown,
        consistency_level: ConsistencyLevelEnum.Bounded,
        ...(field === undefined ? {} : { anns_field: field }),
        ...(filter === undefined ? {} : { filter }),
        ...(vector === undefined ? { ids: [key ?? ''] } : { data: [...vector] }),
      })
      check(answer.status)
      return rowsOf(answer.results).map((row) => ({ ...row, ...(primary === undefined ? {} : { $key: row[primary.name] ?? row['id'] ?? null }) }))
    },
    async close() {
      await client?.closeConnection()
      client = undefined
    },
  }
}

/** A server that takes the connection and says nothing is a failure, not a wait without end. */
async function within<T>(answer: Promise<T>, timeoutMs: number, address: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${address} did not answer within ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}

const LOAD_STATES: Readonly<Record<string, string>> = { LoadStateNotExist: 'notExist', LoadStateNotLoad: 'notLoad', LoadStateLoading: 'loading', LoadStateLoaded: 'loaded' }
const INDEX_STATES: Readonly<Record<string, string>> = { IndexStateNone: 'none', Unissued: 'unissued', InProgress: 'inProgress', Finished: 'finished', Failed: 'failed', Retry: 'retry' }

function check(status: ResStatus): void {
  if (status.error_code !== 'Success') throw new Error(status.reason === '' ? String(status.error_code) : status.reason)
}

function describedOf(answer: Awaited<ReturnType<MilvusClient['describeCollection']>>): CollectionDescribed {
  const { schema } = answer
  return {
    id: String(answer.collectionID),
    name: schema.name,
    createdTs: String(answer.created_timestamp),
    description: schema.description,
    shards: answer.shards_num,
    consistency: answer.consistency_level,
    dynamicField: schema.enable_dynamic_field,
    fields: schema.fields.map((field) => ({
      id: String(field.fieldID),
      name: field.name,
      type: String(field.data_type),
      dim: String(field.type_params?.find(({ key }) => key === 'dim')?.value ?? '') || null,
      pk: field.is_primary_key,
      autoId: field.autoID,
      partitionKey: field.is_partition_key ?? false,
      nullable: field.nullable ?? false,
    })),
    properties: Object.fromEntries(answer.properties.map(({ key, value }) => [key, String(value)])),
    channels: answer.virtual_channel_names,
    aliases: answer.aliases,
    updatedTs: answer.update_timestamp_str === undefined || answer.update_timestamp_str === '' ? undefined : answer.update_timestamp_str,
  }
}

function indexOf(description: { readonly index_name: string; readonly field_name: string; readonly params: readonly { readonly key: string; readonly value: string | number }[]; readonly state: string; readonly indexed_rows: string; readonly total_rows: string; readonly pending_index_rows: string; readonly index_state_fail_reason: string }): IndexDescribed {
  const params = Object.fromEntries(description.params.map(({ key, value }) => [key, String(value)]))
  return {
    name: description.index_name,
    field: description.field_name,
    indexType: params['index_type'] ?? '',
    metric: params['metric_type'] ?? '',
    params,
    state: INDEX_STATES[description.state] ?? description.state,
    indexedRows: String(description.indexed_rows),
    totalRows: String(description.total_rows),
    pendingRows: String(description.pending_index_rows),
    reason: description.index_state_fail_reason,
  }
}

/** Values as the page shows them: what JSON has no form for becomes text. */
function rowsOf(results: unknown): { readonly [field: string]: Json }[] {
  const list = results as readonly unknown[]
  const flat = Array.isArray(list[0]) ? (list[0] as readonly unknown[]) : list
  return JSON.parse(JSON.stringify(flat, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value))) as { readonly [field: string]: Json }[]
}
