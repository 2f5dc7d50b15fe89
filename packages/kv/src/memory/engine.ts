/** The reference engine: every call is one synchronous step, so it is serial by construction. */
import type { Clock } from '../clock.ts'
import type { Change, Engine, EngineLease, EnginePage, Stored, StoredEntry, Txn, TxnResult } from '../engine.ts'
import type { KVFeatures } from '../features.ts'
import type { Revision } from '../kv.ts'
import { LeaseBook } from '../lease-book.ts'
import { planTxn } from '../plan.ts'
import { type WatchFeed, WatchHub, type WatchTarget } from '../watch-hub.ts'
import { History } from './history.ts'
import { LeasedKeys } from './leased-keys.ts'
import { type Row, Table } from './table.ts'

export interface MemoryEngineOptions {
  readonly clock: Clock
  readonly maxHistory: number
  readonly maxHistoryBytes: number
  readonly maxWatchLagBytes: number
  readonly features: KVFeatures
}

/** Lease ids are unique in the process, so a lease of one store is unknown to another. */
let granted = 0

export class MemoryEngine implements Engine {
  readonly features: KVFeatures
  readonly #table = new Table()
  readonly #history: History
  readonly #hub: WatchHub
  readonly #leases: LeaseBook
  readonly #leasedKeys = new LeasedKeys()
  #revision: Revision = 0n

  constructor(options: MemoryEngineOptions) {
    this.features = options.features
    this.#history = new History(options.maxHistory, options.maxHistoryBytes)
    this.#hub = new WatchHub(this.#history, 0n, options.maxWatchLagBytes)
    this.#leases = new LeaseBook(options.clock, (id) => this.#endLease(id))
  }

  get(key: string): StoredEntry | undefined {
    return this.#table.get(key)
  }

  getMany(keys: readonly string[]): (StoredEntry | undefined)[] {
    return keys.map((key) => this.get(key))
  }

  range(prefix: string, startAfter: string | undefined, limit: number): EnginePage {
    return { ...this.#table.range(prefix, startAfter, limit), revision: this.#revision }
  }

  write(txn: Txn): TxnResult {
    if (txn.leaseId !== undefined) this.#checkLease(txn.leaseId)
    const { when, removals, removePrefix, saves } = txn
    const [only] = saves
    if (only !== undefined && saves.length === 1 && when.length === 0 && removals.length === 0 && removePrefix === undefined) {
      this.#save(only[0], only[1], txn.leaseId)
      return { applied: true, revision: this.#revision }
    }
    const changes = planTxn(this.#table, txn, this.#revision + 1n)
    if (changes === undefined) return { applied: false, revision: this.#revision }
    this.#commit(changes, txn.leaseId)
    return { applied: true, revision: this.#revision }
  }

  watch(target: WatchTarget, from: Revision | undefined): WatchFeed {
    return this.#hub.open(target, from)
  }

  grantLease(ttlMs: number): EngineLease {
    const id = `memory-${++granted}`
    this.#leases.add(id, ttlMs)
    this.#leasedKeys.begin(id)
    return { id, ttlMs }
  }

  keepAlive(leaseId: string): void {
    this.#checkLease(leaseId)
    this.#leases.renew(leaseId)
  }

  revokeLease(leaseId: string): void {
    this.#endLease(leaseId)
  }

  /** Ends all watches as a lost connection would. */
  cutWatches(makeError: (lastRevision: Revision) => unknown): void {
    this.#hub.endAll(makeError)
  }

  close(): Promise<void> {
    this.#hub.endAll()
    this.#leases.close()
    this.#leasedKeys.clear()
    this.#table.clear()
    return Promise.resolve()
  }

  /** A lease whose time is over ends here and now, even if its timer is late. */
  #checkLease(id: string): void {
    try {
      this.#leases.check(id)
    } catch (error) {
      this.#endLease(id)
      throw error
    }
  }

  #endLease(id: string): void {
    this.#leases.drop(id)
    const keys = this.#leasedKeys.end(id)
    if (keys === undefined) return
    const revision = this.#revision + 1n
    this.#commit([...keys].map((key) => ({ key, value: undefined, revision, created: false })), undefined)
  }

  /** A commit of one change, without what only several need. */
  #save(key: string, value: Stored, leaseId: string | undefined): void {
    this.#revision += 1n
    const row: Row & { created: boolean } = { key, value, revision: this.#revision, created: false }
    row.created = this.#table.set(row)
    this.#leasedKeys.move(key, leaseId)
    this.#history.push(row)
    if (this.#hub.isIdle) this.#hub.skip(this.#revision)
    else this.#hub.publish([row], this.#revision)
  }

  #commit(changes: readonly Change[], leaseId: string | undefined): void {
    if (changes.length === 0) return
    this.#revision += 1n
    for (const change of changes) {
      if (isRow(change)) this.#table.set(change)
      else this.#table.delete(change.key)
      this.#leasedKeys.move(change.key, change.value === undefined ? undefined : leaseId)
      this.#history.push(change)
    }
    this.#hub.publish(changes, this.#revision)
  }
}

const isRow = (change: Change): change is Row => change.value !== undefined
