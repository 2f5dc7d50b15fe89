/** What a resolved write survives: nothing, `kill -9` of the process, or a power cut. */
export type Durability = 'memory' | 'process' | 'power'

/** What a backend can do. Frozen; a call of something absent rejects with `KV_UNSUPPORTED`. */
export interface KVFeatures {
  readonly backend: string
  readonly durability: Durability
  /** Other processes can open the same store at the same time: not at all, to read, or to write. */
  readonly sharing: 'none' | 'readers' | 'writers'
  readonly leases: boolean
  /** Smallest step of a lease's time to live, in ms. */
  readonly leaseGranularityMs: number
  readonly watch: boolean
  /** Watches can resume at a revision of an earlier life of the store. */
  readonly watchAcrossRestarts: boolean
  /** Operations of one transaction, `Infinity` where unbounded. */
  readonly maxTransactionOps: number
  /** Bytes of one value. */
  readonly maxValueBytes: number
  readonly maxKeyBytes: number
  /** Pages of one prefix read can be pinned to one revision. */
  readonly snapshotPaging: boolean
}
