/** The engine on LMDB: reads are synchronous snapshots, writes are committed in groups, one group at a time. */
import type { Clock } from '../clock.ts'
import type { Change, Engine, EngineLease, EnginePage, StoredEntry, Txn, TxnResult } from '../engine.ts'
import type { KVFeatures } from '../features.ts'
import type { Revision } from '../kv.ts'
import { LeaseBook, leaseNotFound } from '../lease-book.ts'
import { type WatchFeed, WatchHub, type WatchTarget } from '../watch-hub.ts'
import type { Database } from './driver.ts'
import { leaseKey } from './format.ts'
import type { GroupLimits } from './group.ts'
import { DiskLog } from './log.ts'
import { readEntry, readRange, readRevision } from './reads.ts'
import { WriteQueue } from './write-queue.ts'

export interface LmdbEngineOptions extends GroupLimits {
  readonly db: Database
  readonly storeId: string
  readonly clock: Clock
  readonly features: KVFeatures
  readonly maxWatchLagBytes: number
  /** Frees the folder; after the database is closed, or could not be. */
  readonly onClosed: (isWhole: boolean) => Promise<void>
}

const READER_CHECK_MS = 30_000

export class LmdbEngine implements Engine {
  readonly features: KVFeatures
  readonly #options: LmdbEngineOptions
  readonly #db: Database
  readonly #queue: WriteQueue
  readonly #hub: WatchHub
  readonly #leases: LeaseBook
  #cancelReaderCheck: () => void = () => undefined

  constructor(options: LmdbEngineOptions) {
    this.#options = options
    this.features = options.features
    this.#db = options.db
    this.#hub = new WatchHub(new DiskLog(options.db), readRevision(options.db), options.maxWatchLagBytes)
    this.#queue = new WriteQueue(options, (revisions) => this.#publish(revisions))
    this.#leases = new LeaseBook(options.clock, (id) => {
      // A failed store cannot end leases any more; its writers have been told.
      this.revokeLease(id).catch(() => undefined)
    })
  }

  /** Leases that ended while the store was closed go before anybody sees it; the others live out their time. */
  async start(): Promise<void> {
    const now = this.#options.clock.now()
    const over: string[] = []
    for (const { key, value } of this.#db.leases.getRange({ start: leaseKey(0n) })) {
      if (key[0] !== leaseKey(0n)[0]) break
      const id = this.#leaseId(Buffer.from(key).readBigUInt64BE(1))
      const fields = new DataView(value.buffer, value.byteOffset, value.length)
      const ttlMs = Number(fields.getBigUint64(0))
      const restMs = Math.min(Number(fields.getBigUint64(8)) - now, ttlMs)
      if (restMs <= 0) over.push(id)
      else this.#leases.add(id, ttlMs, restMs)
    }
    await Promise.all(over.map((id) => this.revokeLease(id)))
    this.#checkReaders()
  }

  get(key: string): StoredEntry | undefined {
    return readEntry(this.#db, key)
  }

  getMany(keys: readonly string[]): (StoredEntry | undefined)[] {
    return keys.map((key) => readEntry(this.#db, key))
  }

  range(prefix: string, startAfter: string | undefined, limit: number): EnginePage {
    return readRange(this.#db, prefix, startAfter, limit)
  }

  write(txn: Txn, signal: AbortSignal | undefined): Promise<TxnResult> {
    return this.#queue.add((group) => {
      if (txn.leaseId === undefined) return group.write(txn, undefined)
      this.#leases.check(txn.leaseId)
      return group.write(txn, this.#leaseNumber(txn.leaseId))
    }, { signal, first: txn.removePrefix !== undefined })
  }

  watch(target: WatchTarget, from: Revision | undefined): WatchFeed {
    return this.#hub.open(target, from)
  }

  async grantLease(ttlMs: number): Promise<EngineLease> {
    const { clock } = this.#options
    const lease = await this.#queue.add((group) => group.grantLease(ttlMs, clock.now() + ttlMs))
    const id = this.#leaseId(lease)
    this.#leases.add(id, ttlMs)
    return { id, ttlMs }
  }

  async keepAlive(leaseId: string): Promise<void> {
    this.#leases.check(leaseId)
    await this.#queue.add((group) => {
      this.#leases.renew(leaseId)
      const ttlMs = this.#leases.ttlMs(leaseId)
      group.saveLease(this.#leaseNumber(leaseId), ttlMs, this.#options.clock.now() + ttlMs)
    })
  }

  async revokeLease(leaseId: string): Promise<void> {
    await this.#queue.add((group) => {
      this.#leases.drop(leaseId)
      group.endLease(this.#leaseNumber(leaseId))
    }, { first: true })
  }

  async close(): Promise<void> {
    this.#leases.close()
    this.#cancelReaderCheck()
    await this.#queue.close()
    this.#hub.endAll()
    let isWhole = false
    try {
      await this.#db.root.close()
      isWhole = true
    } finally {
      await this.#options.onClosed(isWhole)
    }
  }

  /** A reader that was killed would hold what it last saw for ever, and the file would grow. */
  #checkReaders(): void {
    this.#db.root.readerCheck()
    this.#cancelReaderCheck = this.#options.clock.setTimer(() => this.#checkReaders(), READER_CHECK_MS)
  }

  #publish(revisions: readonly (readonly Change[])[]): void {
    // Whoever learns of a write must be able to read it in the same turn.
    this.#db.root.resetReadTxn()
    for (const changes of revisions) this.#hub.publish(changes, changes[0]?.revision ?? this.#hub.revision)
  }

  #leaseId(lease: bigint): string {
    return `${this.#options.storeId}-${lease}`
  }

  #leaseNumber(id: string): bigint {
    const prefix = `${this.#options.storeId}-`
    if (!id.startsWith(prefix)) throw leaseNotFound(id)
    return BigInt(id.slice(prefix.length))
  }
}
