import type { Durability, KVFeatures } from '../features.ts'

export function redisFeatures(durability: Durability): KVFeatures {
  return Object.freeze({
    backend: 'redis',
    durability,
    sharing: 'writers',
    leases: true,
    leaseGranularityMs: 1,
    watch: true,
    watchAcrossRestarts: true,
    // A script that is longer would keep everybody waiting.
    maxTransactionOps: 10_000,
    maxValueBytes: 64 * 1024 * 1024,
    maxKeyBytes: 1024,
    snapshotPaging: false,
  })
}
