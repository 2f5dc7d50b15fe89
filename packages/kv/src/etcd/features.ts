import type { KVFeatures } from '../features.ts'

export function etcdFeatures({ maxTransactionOps, maxRequestBytes }: { maxTransactionOps: number; maxRequestBytes: number }): KVFeatures {
  return Object.freeze({
    backend: 'etcd',
    durability: 'power',
    sharing: 'writers',
    leases: true,
    leaseGranularityMs: 1000,
    watch: true,
    watchAcrossRestarts: true,
    maxTransactionOps,
    // Room for the key and the frame around it.
    maxValueBytes: maxRequestBytes - 4096,
    maxKeyBytes: 1024,
    snapshotPaging: false,
  })
}
