/**
 * A durable store in a folder, on LMDB. One process writes, others may read.
 *
 * @example
 * import { openLmdbKV } from '@timetick/kv/lmdb'
 * const kv = await openLmdbKV({ path: './data/kv' })
 * await kv.save('config/a', '1') // durable when resolved
 */
import { checkInteger, expected, outOfRange, rootPrefix } from './check.ts'
import type { Clock } from './clock.ts'
import { systemClock } from './edge.ts'
import { createEngineKV } from './engine-kv.ts'
import type { KVFeatures } from './features.ts'
import type { KVBase } from './kv.ts'
import { openDatabase, opening, openReadDatabase } from './lmdb/database.ts'
import { LmdbEngine } from './lmdb/engine.ts'
import { checkDataFile, findFolder, lockFolder, prepareFolder, syncFolder } from './lmdb/folder.edge.ts'
import { ReaderEngine } from './lmdb/reader-engine.ts'
import { checkSums, leaveSums } from './lmdb/sums.edge.ts'

export interface LmdbKVOptions {
  /** The folder; made when it is not there. */
  readonly path: string
  /** Put before every key with a `/`; stores of several roots can share a folder one after the other. At most 512 UTF-8 bytes. */
  readonly rootPath?: string | undefined
  /**
   * `commit` (default): a resolved write has been synced, it survives a power cut. `interval`: a resolved write survives
   * `kill -9`; the sync follows, and a power cut goes back to the last synced state.
   */
  readonly sync?: 'commit' | 'interval' | undefined
  /**
   * Only read what another process (or this one) writes: no lock, any number of readers. Writes and leases are `KV_UNSUPPORTED`,
   * watches see the writer's commits. `sync`, `mapSizeBytes` and the history are the writer's business. Default false.
   */
  readonly readOnly?: boolean | undefined
  /** How often the watches of a reader look for new commits. Default 10. */
  readonly pollMs?: number | undefined
  /** Address space to map at first; it grows by itself. */
  readonly mapSizeBytes?: number | undefined
  /** Changes kept for watches that resume, also after a restart. Default 100,000. Whole groups of writes go at a time. */
  readonly maxHistory?: number | undefined
  /** Bytes of the kept changes. Default 256 MiB. */
  readonly maxHistoryBytes?: number | undefined
  /** Bytes that may wait for the consumer of one watch before it ends with `KV_WATCH_LAGGED`. Default 16 MiB. */
  readonly maxWatchLagBytes?: number | undefined
  /** Time of the leases. Default: the system's. */
  readonly clock?: Clock | undefined
}

/**
 * Opens the store of a folder, or makes it.
 *
 * @throws KVError `KV_LOCKED` (another process, named by `details.pid`, or this one has it open), `KV_DRIVER_MISSING`,
 *   `KV_CORRUPT` (not a store, of a newer format, or changed since it was closed), `KV_STORAGE_FAILED`; with `readOnly` `KV_UNAVAILABLE` (no store there yet).
 */
export async function openLmdbKV(options: LmdbKVOptions): Promise<KVBase> {
  const { path, root, sync, pollMs, readOnly, ...limits } = checkOptions(options)
  const clock = options.clock ?? systemClock
  if (readOnly) {
    const db = await openReadDatabase(await opening(() => findFolder(path)))
    return createEngineKV(new ReaderEngine({ db, clock, pollMs, maxWatchLagBytes: limits.maxWatchLagBytes, features: featuresFor(sync, true) }), root)
  }
  const folder = await opening(() => prepareFolder(path))
  const lock = await opening(() => lockFolder(folder))
  try {
    await opening(() => checkSums(folder))
    await opening(() => checkDataFile(folder))
    const { db, storeId } = await openDatabase({ folder, token: lock.token, sync, mapSizeBytes: limits.mapSizeBytes })
    const engine = new LmdbEngine({
      ...limits,
      db,
      storeId,
      clock,
      features: featuresFor(sync, false),
      onClosed: async (isWhole) => {
        if (isWhole) await leaveSums(folder)
        await lock.release()
      },
    })
    try {
      await syncFolder(folder)
      await engine.start()
    } catch (error) {
      await db.root.close()
      throw error
    }
    return createEngineKV(engine, root)
  } catch (error) {
    await lock.release()
    throw error
  }
}

function featuresFor(sync: 'commit' | 'interval', readOnly: boolean): KVFeatures {
  return Object.freeze({
    backend: 'lmdb',
    durability: sync === 'commit' ? 'power' : 'process',
    sharing: 'readers',
    leases: !readOnly,
    leaseGranularityMs: 1,
    watch: true,
    watchAcrossRestarts: true,
    maxTransactionOps: Infinity,
    maxValueBytes: 64 * 1024 * 1024,
    maxKeyBytes: 1024,
    snapshotPaging: false,
  })
}

function checkOptions(options: LmdbKVOptions) {
  if (typeof options !== 'object' || options === null) throw expected('options', 'an object', options)
  const { path, sync = 'commit', mapSizeBytes, readOnly = false } = options
  if (typeof path !== 'string') throw expected('path', 'a string', path)
  if (path === '' || path.includes('\0')) throw outOfRange('path', 'a path', path)
  if (sync !== 'commit' && sync !== 'interval') throw expected('sync', "'commit' or 'interval'", sync)
  if (typeof readOnly !== 'boolean') throw expected('readOnly', 'a boolean', readOnly)
  if (mapSizeBytes !== undefined) checkInteger('mapSizeBytes', mapSizeBytes, 1024 * 1024, 2 ** 46)
  const amount = (name: 'maxHistory' | 'maxHistoryBytes' | 'maxWatchLagBytes' | 'pollMs', fallback: number, least: number): number => {
    const value = options[name] ?? fallback
    checkInteger(name, value, least, Number.MAX_SAFE_INTEGER)
    return value
  }
  return {
    path,
    root: rootPrefix(options.rootPath),
    sync,
    readOnly,
    pollMs: amount('pollMs', 10, 1),
    mapSizeBytes,
    maxHistory: amount('maxHistory', 100_000, 0),
    maxHistoryBytes: amount('maxHistoryBytes', 256 * 1024 * 1024, 0),
    maxWatchLagBytes: amount('maxWatchLagBytes', 16 * 1024 * 1024, 1),
  }
}
