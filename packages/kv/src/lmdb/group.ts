/** One group of writes that becomes one LMDB transaction: planned on the committed state, then handed over as a whole. */
import type { Change, Txn, TxnResult } from '../engine.ts'
import { planTxn } from '../plan.ts'
import type { Bytes, Database } from './driver.ts'
import {
  decodeHead, encodeChanges, encodeCounters, encodeRow, leasedKey, leaseKey, measureChanges, type RowHead, STATE_KEY, type StoreCounters,
  u64,
} from './format.ts'

export interface GroupLimits {
  readonly maxHistory: number
  readonly maxHistoryBytes: number
}

const NOTHING = Buffer.alloc(0)

export class Group {
  /** One list of changes for each revision made. */
  readonly revisions: Change[][] = []
  readonly #db: Database
  readonly #limits: GroupLimits
  #counters: StoreCounters
  readonly #changes: Change[] = []
  readonly #rows: (Bytes | undefined)[] = []
  /** What this group has made of the keys it touched, over the committed state. */
  readonly #heads = new Map<string, RowHead | undefined>()
  readonly #leaseWrites: (readonly [key: Bytes, value: Bytes | undefined])[] = []
  readonly #trimmed: Bytes[] = []

  constructor(db: Database, committed: StoreCounters, limits: GroupLimits) {
    this.#db = db
    this.#counters = committed
    this.#limits = limits
  }

  /** As they will be once this group is committed. */
  get counters(): StoreCounters {
    return this.#counters
  }

  /** False when all conditions failed or nothing was there to remove: no commit is needed. */
  get hasWrites(): boolean {
    return this.#changes.length > 0 || this.#leaseWrites.length > 0
  }

  /** With `removePrefix` it must be the first of its group: the prefix is looked up in the committed state. */
  write(txn: Txn, lease: bigint | undefined): TxnResult {
    const changes = planTxn(this, txn, this.#counters.revision + 1n)
    if (changes === undefined) return { applied: false, revision: this.#counters.revision }
    this.#apply(changes, lease)
    return { applied: true, revision: this.#counters.revision }
  }

  grantLease(ttlMs: number, expiresAt: number): bigint {
    const lease = this.#counters.leasesGranted + 1n
    this.#counters = { ...this.#counters, leasesGranted: lease }
    this.saveLease(lease, ttlMs, expiresAt)
    return lease
  }

  saveLease(lease: bigint, ttlMs: number, expiresAt: number): void {
    this.#leaseWrites.push([leaseKey(lease), Buffer.concat([u64(BigInt(ttlMs)), u64(BigInt(Math.max(Math.ceil(expiresAt), 0)))])])
  }

  /** Removes the lease and its keys in one revision. Must be the first of its group, as it looks at the committed state. */
  endLease(lease: bigint): void {
    const prefix = leasedKey(lease, '')
    const revision = this.#counters.revision + 1n
    const changes: Change[] = []
    for (const bytes of this.#db.leases.getKeys({ start: prefix })) {
      if (!prefix.equals(bytes.subarray(0, prefix.length))) break
      const key = Buffer.from(bytes.subarray(prefix.length)).toString('utf8')
      changes.push({ key, value: undefined, revision, created: false })
    }
    this.#apply(changes, undefined)
    this.#leaseWrites.push([leaseKey(lease), undefined])
  }

  /** Adds the log of the group, trims old ones, and hands everything to the driver; inside its batch, so that it is atomic. */
  handOver(batch: (puts: () => void) => Promise<boolean>): Promise<boolean> {
    const first = this.#changes[0]
    const log = first === undefined ? undefined : encodeChanges(this.#changes, this.#rows)
    if (log !== undefined) this.#trim(log.length)
    const { data, leases, meta } = this.#db
    return batch(() => {
      this.#changes.forEach((change, index) => {
        const row = this.#rows[index]
        if (row === undefined) data.remove(change.key)
        else data.put(change.key, row)
      })
      for (const [key, value] of this.#leaseWrites) {
        if (value === undefined) leases.remove(key)
        else leases.put(key, value)
      }
      for (const key of this.#trimmed) this.#db.log.remove(key)
      if (log !== undefined && first !== undefined && this.#keepsLog) this.#db.log.put(u64(first.revision), log)
      meta.put(STATE_KEY, encodeCounters(this.#counters))
    })
  }

  get(key: string): RowHead | undefined {
    const touched = this.#heads.get(key)
    if (touched !== undefined || this.#heads.has(key)) return touched
    const bytes = this.#db.data.getBinaryFast(key)
    return bytes === undefined ? undefined : decodeHead(bytes)
  }

  *keysWithPrefix(prefix: string): Iterable<string> {
    for (const key of this.#db.data.getKeys({ start: prefix === '' ? '\0' : prefix })) {
      if (!key.startsWith(prefix)) return
      yield key
    }
  }

  #apply(changes: Change[], lease: bigint | undefined): void {
    if (changes.length === 0) return
    for (const change of changes) {
      const { key, value, revision } = change
      // A key that is new has no former lease to look for.
      const former = change.created ? undefined : this.get(key)?.lease
      const kept = value === undefined ? undefined : lease
      if (former !== kept) this.#moveLease(key, former, kept)
      this.#changes.push(change)
      this.#rows.push(value === undefined ? undefined : encodeRow(value, revision, kept))
      this.#heads.set(key, value === undefined ? undefined : { revision, lease: kept })
    }
    this.revisions.push(changes)
    this.#counters = { ...this.#counters, revision: this.#counters.revision + 1n }
  }

  #moveLease(key: string, former: bigint | undefined, kept: bigint | undefined): void {
    if (former !== undefined) this.#leaseWrites.push([leasedKey(former, key), undefined])
    if (kept !== undefined) this.#leaseWrites.push([leasedKey(kept, key), NOTHING])
  }

  get #keepsLog(): boolean {
    return this.#limits.maxHistory > 0 && this.#limits.maxHistoryBytes > 0
  }

  /** Whole old groups go, the oldest first; the newest stays, unless nothing shall be kept. */
  #trim(newBytes: number): void {
    const { maxHistory, maxHistoryBytes } = this.#limits
    let { compacted, logChanges, logBytes } = this.#counters
    logChanges += this.#changes.length
    logBytes += newBytes
    if (logChanges > maxHistory || logBytes > maxHistoryBytes) {
      for (const { key, value } of this.#db.log.getRange({ start: u64(0n) })) {
        if (logChanges <= maxHistory && logBytes <= maxHistoryBytes) break
        const old = measureChanges(value)
        this.#trimmed.push(key)
        compacted = old.last
        logChanges -= old.count
        logBytes -= value.length
      }
    }
    if (!this.#keepsLog) {
      compacted = this.#changes.at(-1)?.revision ?? compacted
      logChanges = 0
      logBytes = 0
    }
    this.#counters = { ...this.#counters, compacted, logChanges, logBytes }
  }
}

