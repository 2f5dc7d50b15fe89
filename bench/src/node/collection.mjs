/** The bench's collection, filled through the official client. */
import { DataType, MilvusClient } from '@zilliz/milvus2-sdk-node'
import { setTimeout as sleep } from 'node:timers/promises'
import { latentVectors } from '../data.mjs'

export const DIM = 128
export const SDK_BATCH = 1000
export const index = { field_name: 'vec', index_type: 'HNSW', metric_type: 'L2', params: { M: 16, efConstruction: 200 } }

export const connect = async (address) => {
  const client = new MilvusClient({ address, timeout: 120_000 })
  await client.connectPromise
  return client
}

export function check(answer) {
  const status = answer.status ?? answer
  if (status.error_code !== 'Success') throw new Error(`${status.error_code}: ${status.reason}`)
  return answer
}

/** `bucket` is the row's number modulo 100: filters keep 1 % or 50 % by it. */
export async function createCollection(client, collection_name) {
  check(
    await client.createCollection({
      collection_name,
      fields: [
        { name: 'id', data_type: DataType.Int64, is_primary_key: true },
        { name: 'bucket', data_type: DataType.Int64 },
        { name: 'vec', data_type: DataType.FloatVector, dim: DIM },
      ],
      consistency_level: 'Bounded',
    }),
  )
}

export function rowsOf(vectors, first, count) {
  return Array.from({ length: count }, (_, i) => {
    const id = first + i
    return { id, bucket: id % 100, vec: Array.from(vectors.subarray(id * DIM, (id + 1) * DIM)) }
  })
}

export async function insertAll(client, collection_name, vectors, batch = 5000) {
  for (let first = 0; first < vectors.length / DIM; first += batch) {
    check(await client.insert({ collection_name, data: rowsOf(vectors, first, Math.min(batch, vectors.length / DIM - first)) }))
  }
}

/** Seals, indexes and loads; resolves when searches go through the index. */
export async function indexAndLoad(client, collection_name) {
  await flush(client, collection_name)
  check(await client.createIndex({ collection_name, ...index }))
  const begin = performance.now()
  for (;;) {
    const { index_descriptions: [description] = [] } = check(await client.describeIndex({ collection_name, field_name: 'vec' }))
    if (description?.state === 'Finished' && Number(description.pending_index_rows) === 0) break
    await sleep(20)
  }
  const buildMs = performance.now() - begin
  await loadAll(client, collection_name)
  return buildMs
}

/** As the client's `flushSync` does it, which sleeps 100 ms when it has been told that all is done. */
async function flush(client, collection_name) {
  const { coll_segIDs } = check(await client.flush({ collection_names: [collection_name] }))
  const segmentIDs = Object.values(coll_segIDs).flatMap(({ data }) => data)
  while (!check(await client.getFlushState({ segmentIDs })).flushed) await sleep(20)
}

/** As the client's `loadCollectionSync` does it, which sleeps 400 ms. */
async function loadAll(client, collection_name) {
  check(await client.loadCollectionAsync({ collection_name }))
  while (Number(check(await client.getLoadingProgress({ collection_name })).progress) < 100) await sleep(20)
}

export const vectors100k = () => latentVectors(100_000, { dim: DIM })
