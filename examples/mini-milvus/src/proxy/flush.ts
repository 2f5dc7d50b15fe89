/** Flush as RPC handlers. A flush is answered when its rows are in segments: clients that poll its state find it done. */
import type { MetaReader } from '../coordinator/api.ts'
import type { CollectionMeta } from '../model/meta.ts'
import type { WireHandlers } from '../server/handlers.ts'
import { MilvusError } from '../server/status.ts'

export interface FlushOptions {
  readonly meta: MetaReader
  readonly now: () => Promise<bigint>
  readonly flushShard: (key: { readonly collectionId: bigint; readonly vchannel: string }, ts: bigint) => Promise<void>
  readonly wallClock: () => number
}

export function createFlushHandlers(options: FlushOptions): WireHandlers {
  const { meta, wallClock } = options
  return {
    Flush: {
      kind: 'dml',
      async run(request, call) {
        if (request.collection_names.length === 0) throw new MilvusError(1100, 'collection names is empty')
        const flushed = await Promise.all(
          request.collection_names.map(async (name) => {
            const collection = meta.collection(call.dbName, name)
            return { name, collection, ts: await flushCollection(options, collection) }
          }),
        )
        const sealTime = BigInt(Math.floor(wallClock() / 1000))
        return {
          db_name: call.dbName,
          coll_segIDs: Object.fromEntries(flushed.map(({ name }) => [name, { data: [] }])),
          flush_coll_segIDs: Object.fromEntries(flushed.map(({ name, collection }) => [name, { data: segmentIds(meta, collection) }])),
          coll_seal_times: Object.fromEntries(flushed.map(({ name }) => [name, sealTime])),
          coll_flush_ts: Object.fromEntries(flushed.map(({ name, ts }) => [name, ts])),
        }
      },
    },
    GetFlushState: {
      kind: 'dql',
      run: async (request, call) => {
        if (request.collection_name === '') return { flushed: request.segmentIDs.every((id) => meta.segment(id) !== undefined) }
        const collection = meta.collection(request.db_name === '' ? call.dbName : request.db_name, request.collection_name)
        const ts = request.flush_ts
        return { flushed: collection.shards.every(({ vchannel }) => ts === 0n || meta.flushedTs(collection.id, vchannel) >= ts) }
      },
    },
    FlushAll: {
      kind: 'dml',
      async run() {
        const collections = meta.collections()
        const stamps = await Promise.all(collections.map((collection) => flushCollection(options, collection)))
        return { flush_all_ts: stamps.reduce((a, b) => (a > b ? a : b), await options.now()) }
      },
    },
    GetFlushAllState: {
      kind: 'dql',
      run: async (request) => ({
        flushed: meta.collections().every((collection) => collection.createdTs > request.flush_all_ts || !hasUnflushedBefore(meta, collection, request.flush_all_ts)),
      }),
    },
    GetPersistentSegmentInfo: {
      kind: 'dql',
      run: async (request, call) => {
        const collection = meta.collection(request.dbName === '' ? call.dbName : request.dbName, request.collectionName)
        return {
          infos: meta
            .segments(collection.id)
            .filter((segment) => segment.level === 'L1')
            .map(({ id, partitionId, rows }) => ({ segmentID: id, collectionID: collection.id, partitionID: partitionId, num_rows: BigInt(rows), state: FLUSHED, level: LEVEL_L1, is_sorted: true })),
        }
      },
    },
  }
}

/** `common.SegmentState.Flushed` and `common.SegmentLevel.L1`. */
const FLUSHED = 4
const LEVEL_L1 = 2

/** Resolves with the timestamp up to which every row is in segments. */
export async function flushCollection({ now, flushShard }: Pick<FlushOptions, 'now' | 'flushShard'>, collection: CollectionMeta): Promise<bigint> {
  const ts = await now()
  await Promise.all(collection.shards.map(({ vchannel }) => flushShard({ collectionId: collection.id, vchannel }, ts)))
  return ts
}

function segmentIds(meta: MetaReader, collection: CollectionMeta): bigint[] {
  return meta
    .segments(collection.id)
    .filter((segment) => segment.level === 'L1')
    .map(({ id }) => id)
}

function hasUnflushedBefore(meta: MetaReader, collection: CollectionMeta, ts: bigint): boolean {
  return collection.shards.some(({ vchannel }) => meta.flushedTs(collection.id, vchannel) < ts)
}
