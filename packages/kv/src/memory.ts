/**
 * A store in this process's memory: the reference of the contract, and the store for tests.
 *
 * @example
 * import { createMemoryKV } from '@timetick/kv/memory'
 * const kv = createMemoryKV()
 * await kv.save('config/a', '1')
 */
import { checkInteger, expected, rootPrefix } from './check.ts'
import type { Clock } from './clock.ts'
import { systemClock } from './edge.ts'
import { createEngineKV } from './engine-kv.ts'
import { KVError } from './errors.ts'
import type { KVFaults } from './faults.ts'
import type { KVFeatures } from './features.ts'
import type { KVBase, Revision } from './kv.ts'
import { MemoryEngine } from './memory/engine.ts'

export type { KVFaults, KVOperation } from './faults.ts'

export interface MemoryKVOptions {
  /** As on other backends; a memory store is nobody else's, so it only counts against nothing. At most 512 UTF-8 bytes. */
  readonly rootPath?: string | undefined
  /** Time of the leases. Default: the system's. */
  readonly clock?: Clock | undefined
  /** Changes kept for watches that resume; 0 keeps none. Default 10,000. */
  readonly maxHistory?: number | undefined
  /** Bytes of the kept changes. Default 64 MiB. */
  readonly maxHistoryBytes?: number | undefined
  /** Bytes that may wait for the consumer of one watch before it ends with `KV_WATCH_LAGGED`. Default 16 MiB. */
  readonly maxWatchLagBytes?: number | undefined
  /** Bytes of one value. Default 64 MiB. */
  readonly maxValueBytes?: number | undefined
  /** Operations of one transaction. Default: any number; set 128 to be as strict as etcd. */
  readonly maxTransactionOps?: number | undefined
  /** Faults on purpose, for tests. */
  readonly faults?: KVFaults | undefined
}

export interface MemoryKV extends KVBase {
  /**
   * Ends all open watches as a lost connection would: with `error`, or with `KV_UNAVAILABLE` and the last delivered
   * `details.revision`, from which + 1 they can be resumed.
   */
  cutWatches(error?: unknown): void
}

export function createMemoryKV(options: MemoryKVOptions = {}): MemoryKV {
  if (typeof options !== 'object' || options === null) throw expected('options', 'an object', options)
  const root = rootPrefix(options.rootPath)
  const amount = (name: keyof MemoryKVOptions, fallback: number, least: number): number => {
    const value = options[name] ?? fallback
    if (value === Infinity) return Infinity
    checkInteger(name, value, least, Number.MAX_SAFE_INTEGER)
    return value
  }
  const features: KVFeatures = Object.freeze({
    backend: 'memory',
    durability: 'memory',
    sharing: 'none',
    leases: true,
    leaseGranularityMs: 1,
    watch: true,
    watchAcrossRestarts: false,
    maxTransactionOps: amount('maxTransactionOps', Infinity, 1),
    maxValueBytes: amount('maxValueBytes', 64 * 1024 * 1024, 1),
    maxKeyBytes: 1024,
    snapshotPaging: false,
  })
  const engine = new MemoryEngine({
    clock: options.clock ?? systemClock,
    maxHistory: amount('maxHistory', 10_000, 0),
    maxHistoryBytes: amount('maxHistoryBytes', 64 * 1024 * 1024, 0),
    maxWatchLagBytes: amount('maxWatchLagBytes', 16 * 1024 * 1024, 1),
    features,
  })
  const cutWatches = (error?: unknown): void => engine.cutWatches((revision: Revision) => error ?? cutError(revision))
  return Object.assign(createEngineKV(engine, root, options.faults), { cutWatches })
}

function cutError(revision: Revision): KVError {
  return new KVError('KV_UNAVAILABLE', 'the watch was cut; resume it', { details: { revision } })
}
