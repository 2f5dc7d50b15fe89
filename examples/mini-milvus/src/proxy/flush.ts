/** Flush as RPC handlers. A flush is answered when its rows are in segments: clients that poll its state find it done. */
import type { MetaReader } from '../coordinator/api.ts'
import type { CollectionMeta } from '../model/meta.ts'
import type { WireHandlers } from '../server/handlers.ts'
import { MilvusError, success } from '../server/status.ts'
import type { Staging } from '../staging/staging.ts'
import type { Init, Status } from '../wire/index.ts'

export interface FlushOptions {
  readonly meta: MetaReader
  readonly now: () => Promise<bigint>
  readonly flushShard: (key: { readonly collectionId: bigint; readonly vchannel: string }, ts: bigint) => Promise<void>
  readonly wallClock: () => number
  /** Whose flush also commits, where the rule is `flush`. */
  readonly staging: Pick<Staging, 'flush'>
}

export function createFlushHandlers(options: FlushOptions): WireHandlers {
  const { meta, wallClock } = options
  return {
    Flush: {
      kind: 'dml',
      async run(request, call) {
        if (request.collection_names.length === 0) throw new MilvusError(1100, 'collection names is empty')
        const named = request.collection_names.map((name) => meta.collection(call.dbName, name).id)
        const leftOut: string[] = []
        await options.staging.flush(call.client, named, call.signal, (why) => leftOut.push(why))
        const flushed = await Promise.all(
          request.collection_names.map(async (name) => {
            const collection = meta.collection(call.dbName, name)
            return { name, collection, ts: await flushCollection(options, collection, await options.now()) }
          }),
        )
        const sealTime = BigInt(Math.floor(wallClock() / 1000))
        return {
          status: flushedWithout(leftOut),
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
      async run(request, call) {
        const collections = targetsOf(meta, request.db_name, request.flush_targets)
        const leftOut: string[] = []
        await options.staging.flush(call.client, collections.map(({ id }) => id), call.signal, (why) => leftOut.push(why))
        const ts = await options.now()
        await Promise.all(collections.map((collection) => flushCollection(options, collection, ts)))
        const sealTime = BigInt(Math.floor(wallClock() / 1000))
        const databases = [...new Set(collections.map(({ dbName }) => dbName))]
        return {
          status: flushedWithout(leftOut),
          flush_all_ts: ts,
          flush_results: databases.map((db_name) => ({
            db_name,
            collection_results: collections
              .filter(({ dbName }) => dbName === db_name)
              .map((collection) => ({
                collection_name: collection.schema.name,
                segment_ids: { data: [] },
                flush_segment_ids: { data: segmentIds(meta, collection) },
                seal_time: sealTime,
                flush_ts: ts,
              })),
          })),
        }
      },
    },
    GetFlushAllState: {
      kind: 'dql',
      run: async (request) => {
        const stamps = Object.entries(request.flush_all_tss)
        const collections = targetsOf(meta, request.db_name, request.flush_targets)
        if (stamps.length === 0 && request.flush_all_ts === 0n) throw new MilvusError(1100, 'flush_all_ts or flush_all_tss is required')
        if (stamps.length === 0) return { flushed: collections.every((collection) => isFlushed(meta, collection, request.flush_all_ts)) }
        // By database or by channel: whatever the names mean, no collection may lag behind the latest of them.
        const latest = stamps.map(([, ts]) => ts).reduce((a, b) => (a > b ? a : b))
        return { flushed: collections.every((collection) => isFlushed(meta, collection, latest)) }
      },
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

/** So many are told of in words. */
const MAX_TOLD = 10

/** All else is committed: a success, which says what it is without. */
function flushedWithout(leftOut: readonly string[]): Init<Status> {
  if (leftOut.length === 0) return success()
  const more = leftOut.length > MAX_TOLD ? `; and ${leftOut.length - MAX_TOLD} more` : ''
  return { ...success(), reason: leftOut.slice(0, MAX_TOLD).join('; ') + more, extra_info: { 'timetick.left_out': String(leftOut.length) } }
}

/** Resolves with `ts` when every row up to it is in segments. */
export async function flushCollection({ flushShard }: Pick<FlushOptions, 'flushShard'>, collection: CollectionMeta, ts: bigint): Promise<bigint> {
  await Promise.all(collection.shards.map(({ vchannel }) => flushShard({ collectionId: collection.id, vchannel }, ts)))
  return ts
}

type Targets = readonly { readonly db_name: string; readonly collection_names: readonly string[] }[]

/** All collections, or those of the named database, or the targets: a target without names is its whole database. */
function targetsOf(meta: MetaReader, dbName: string, targets: Targets): readonly CollectionMeta[] {
  if (targets.length === 0) return dbName === '' ? meta.collections() : meta.collections(meta.database(dbName).name)
  const chosen = targets.flatMap(({ db_name, collection_names: names }) =>
    names.length === 0 ? meta.collections(meta.database(db_name).name) : names.map((name) => meta.collection(db_name, name)),
  )
  return [...new Map(chosen.map((collection) => [collection.id, collection])).values()]
}

function segmentIds(meta: MetaReader, collection: CollectionMeta): bigint[] {
  return meta
    .segments(collection.id)
    .filter((segment) => segment.level === 'L1')
    .map(({ id }) => id)
}

function isFlushed(meta: MetaReader, collection: CollectionMeta, ts: bigint): boolean {
  return collection.createdTs > ts || collection.shards.every(({ vchannel }) => meta.flushedTs(collection.id, vchannel) >= ts)
}
