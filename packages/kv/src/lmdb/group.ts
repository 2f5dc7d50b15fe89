/** One group of writes inside one LMDB transaction: everything that happens between begin and commit. */
import type { Change, Txn, TxnResult } from '../engine.ts'
import { KVError } from '../errors.ts'
import type { Revision } from '../kv.ts'
import { planTxn } from '../plan.ts'
import type { Bytes, Database } from './driver.ts'
import {
  decodeCounters, decodeHead, encodeChanges, encodeCounters, encodeRow, leasedKey, leaseKey, OWNER_KEY, type RowHead, STATE_KEY,
  type StoreCounters, u64,
} from './format.ts'

export interface GroupLimits {
  readonly maxHistory: number
  readonly maxHistoryBytes: number
}

export class Group {
  /** One list of changes for each revision made. */
  readonly revisions: Change[][] = []
  readonly #db: Database
  readonly #limits: GroupLimits
  #counters: StoreCounters
  #changes: Change[] = []
  #rows: (Bytes | undefined)[] = []
  #heads = new Map<string, RowHead | undefined>()

  /** Must be called inside the transaction. Throws `KV_LOCKED` when another process has taken the store over. */
  constructor(db: Database, token: string, limits: GroupLimits) {
    this.#db = db
    this.#limits = limits
    const owner = db.meta.get(OWNER_KEY)
    if (owner === undefined || !Buffer.from(token).equals(owner)) {
      throw new KVError('KV_LOCKED', 'another process has opened this store for writing', { outcome: 'not-applied' })
    }
    this.#counters = decodeCounters(db.meta.get(STATE_KEY))
  }

  get counters(): StoreCounters {
    return this.#counters
  }

  write(txn: Txn, lease: bigint | undefined): TxnResult {
    this.#heads.clear()
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
    this.#db.leases.put(leaseKey(lease), Buffer.concat([u64(BigInt(ttlMs)), u64(BigInt(Math.max(Math.ceil(expiresAt), 0)))]))
  }

  /** Removes the lease and its keys, in one revision. */
  endLease(lease: bigint): void {
    const prefix = leasedKey(lease, '')
    const keys: string[] = []
    for (const bytes of this.#db.leases.getKeys({ start: prefix })) {
      if (!prefix.equals(bytes.subarray(0, prefix.length))) break
      keys.push(Buffer.from(bytes.subarray(prefix.length)).toString('utf8'))
    }
    this.#heads.clear()
    const revision = this.#counters.revision + 1n
    this.#apply(keys.map((key) => ({ key, value: undefined, revision, created: false })), undefined)
    this.#db.leases.remove(leaseKey(lease))
  }

  /** Writes the log of the group, trims old groups, saves the counters. */
  finish(): void {
    const first = this.#changes[0]
    if (first !== undefined) {
      const bytes = encodeChanges(this.#changes, this.#rows)
      this.#db.log.put(u64(first.revision), bytes)
      const { logChanges, logBytes } = this.#counters
      this.#counters = { ...this.#counters, logChanges: logChanges + this.#changes.length, logBytes: logBytes + bytes.length }
      this.#trim(first.revision)
    }
    this.#db.meta.put(STATE_KEY, encodeCounters(this.#counters))
  }

  get(key: string): RowHead | undefined {
    if (this.#heads.has(key)) return this.#heads.get(key)
    const bytes = this.#db.data.getBinaryFast(key)
    const head = bytes === undefined ? undefined : decodeHead(bytes)
    this.#heads.set(key, head)
    return head
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
      const former = this.get(change.key)?.lease
      const kept = change.value === undefined ? undefined : lease
      if (former !== undefined && former !== kept) this.#db.leases.remove(leasedKey(former, change.key))
      if (kept !== undefined && former !== kept) this.#db.leases.put(leasedKey(kept, change.key), Buffer.alloc(0))
      const row = change.value === undefined ? undefined : encodeRow(change.value, change.revision, kept)
      if (row === undefined) this.#db.data.remove(change.key)
      else this.#db.data.put(change.key, row)
      this.#changes.push(change)
      this.#rows.push(row)
    }
    this.revisions.push(changes)
    this.#counters = { ...this.#counters, revision: this.#counters.revision + 1n }
  }

  #trim(newest: Revision): void {
    const { maxHistory, maxHistoryBytes } = this.#limits
    while (this.#counters.logChanges > maxHistory || this.#counters.logBytes > maxHistoryBytes) {
      const [oldest] = this.#db.log.getRange({ start: u64(0n), limit: 1 })
      if (oldest === undefined) return
      const { changes, last } = measure(oldest.value)
      const isNewest = Buffer.from(oldest.key).equals(u64(newest))
      // The newest group stays unless nothing shall be kept: whoever watches gets it from memory, who resumes from here.
      if (isNewest && maxHistory > 0 && maxHistoryBytes > 0) return
      this.#db.log.remove(oldest.key)
      this.#counters = {
        ...this.#counters,
        compacted: last,
        logChanges: this.#counters.logChanges - changes,
        logBytes: this.#counters.logBytes - oldest.value.length,
      }
    }
  }
}

/** Number of changes and last revision of a group, without decoding its keys and values. */
function measure(bytes: Bytes): { changes: number; last: Revision } {
  const fields = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let changes = 0
  let last = 0n
  for (let at = 0; at + 15 <= bytes.length; at += 15 + fields.getUint16(at + 9) + fields.getUint32(at + 11)) {
    changes++
    last = fields.getBigUint64(at + 1)
  }
  return { changes, last }
}
