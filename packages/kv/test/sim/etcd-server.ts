/** What an etcd does, without a network: revisions, transactions, leases, a log that can be compacted. */
import type { EtcdKeyValue, EtcdOperation, EtcdRange, EtcdRangeResult, EtcdTxn, EtcdTxnResult } from '../../src/etcd/client.ts'
import type { Clock } from '../../src/index.ts'

export interface EtcdEvent {
  readonly type: 'Put' | 'Delete'
  readonly kv: EtcdKeyValue
  readonly revision: number
}

interface Row extends EtcdKeyValue {
  readonly lease: string | undefined
}

export class EtcdFailure extends Error {}

export class EtcdServer {
  revision = 1
  compacted = 0
  /** All there ever was; asked for only above `compacted`. */
  readonly log: EtcdEvent[] = []
  onEvents: () => void = () => undefined
  readonly #rows = new Map<string, Row>()
  readonly #leases = new Map<string, { readonly ttl: number; deadline: number }>()
  readonly #clock: Clock
  #granted = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  range({ key, range_end, limit, revision }: EtcdRange): EtcdRangeResult {
    this.#expire()
    const at = revision === undefined ? this.revision : Number(revision)
    if (at <= this.compacted && revision !== undefined) throw new EtcdFailure('11 OUT_OF_RANGE: etcdserver: mvcc: required revision has been compacted')
    const all = [...this.#rowsAt(at)].filter(([name]) => inRange(name, key, range_end)).sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row)
    const count = Number(limit ?? 0)
    const kvs = count > 0 ? all.slice(0, count) : all
    return { header: this.#header(), kvs, more: kvs.length < all.length }
  }

  txn({ compare, success, failure }: EtcdTxn): EtcdTxnResult {
    this.#expire()
    const succeeded = compare.every((test) => {
      const row = this.#rows.get(test.key.toString())
      const [have, want] = test.target === 'Mod' ? [row?.mod_revision, test.mod_revision] : [row?.create_revision, test.create_revision]
      return test.result === 'Equal' ? Number(have ?? 0) === Number(want) : Number(have ?? 0) > Number(want)
    })
    const operations = succeeded ? success : failure
    for (const { request_put: put } of operations) if (put?.lease !== undefined && !this.#leases.has(String(put.lease))) throw new EtcdFailure('5 NOT_FOUND: etcdserver: requested lease not found')
    const events: EtcdEvent[] = []
    const responses = operations.map((operation) => this.#apply(operation, events))
    this.#commit(events)
    return { header: this.#header(), succeeded, responses }
  }

  grant(ttl: number): { readonly ID: string; readonly TTL: string; readonly error: string } {
    const ID = String(7000 + ++this.#granted)
    this.#leases.set(ID, { ttl, deadline: this.#clock.monotonic() + ttl * 1000 })
    return { ID, TTL: String(ttl), error: '' }
  }

  /** Seconds left; '0' when it has ended. */
  keepAlive(id: string): string {
    this.#expire()
    const lease = this.#leases.get(id)
    if (lease === undefined) return '0'
    lease.deadline = this.#clock.monotonic() + lease.ttl * 1000
    return String(lease.ttl)
  }

  revoke(id: string): void {
    if (!this.#leases.delete(id)) throw new EtcdFailure('5 NOT_FOUND: etcdserver: requested lease not found')
    const events: EtcdEvent[] = []
    for (const [key, row] of this.#rows) if (row.lease === id) events.push(this.#deleted(key))
    this.#commit(events)
  }

  /** A new leader gives every lease its full time. */
  renewAll(): void {
    for (const lease of this.#leases.values()) lease.deadline = this.#clock.monotonic() + lease.ttl * 1000
  }

  tick(): void {
    this.#expire()
  }

  #expire(): void {
    const now = this.#clock.monotonic()
    for (const [id, { deadline }] of this.#leases) if (deadline <= now) this.revoke(id)
  }

  #apply(operation: EtcdOperation, events: EtcdEvent[]): { response_range?: EtcdRangeResult } {
    const { request_put: put, request_delete_range: gone, request_range: read } = operation
    if (read !== undefined) return { response_range: this.range(read) }
    const revision = String(this.revision + 1)
    if (put !== undefined) {
      const key = put.key.toString()
      const row: Row = { key: put.key, value: put.value, create_revision: this.#rows.get(key)?.create_revision ?? revision, mod_revision: revision, lease: put.lease === undefined ? undefined : String(put.lease) }
      this.#rows.set(key, row)
      events.push({ type: 'Put', kv: row, revision: this.revision + 1 })
    }
    if (gone !== undefined) for (const key of this.#rows.keys()) if (inRange(key, gone.key, gone.range_end)) events.push(this.#deleted(key))
    return {}
  }

  #deleted(key: string): EtcdEvent {
    return { type: 'Delete', kv: { key: Buffer.from(key), value: Buffer.alloc(0), create_revision: '0', mod_revision: String(this.revision + 1) }, revision: this.revision + 1 }
  }

  #commit(events: readonly EtcdEvent[]): void {
    if (events.length === 0) return
    for (const { type, kv } of events) if (type === 'Delete') this.#rows.delete(kv.key.toString())
    this.revision++
    this.log.push(...events)
    this.onEvents()
  }

  #rowsAt(revision: number): ReadonlyMap<string, EtcdKeyValue> {
    if (revision >= this.revision) return this.#rows
    const rows = new Map<string, EtcdKeyValue>()
    for (const { type, kv, revision: at } of this.log) {
      if (at > revision) break
      if (type === 'Put') rows.set(kv.key.toString(), kv)
      else rows.delete(kv.key.toString())
    }
    return rows
  }

  #header(): { revision: string } {
    return { revision: String(this.revision) }
  }
}

export function inRange(name: string, key: Buffer, end: Buffer | undefined): boolean {
  const bytes = Buffer.from(name)
  if (end === undefined) return bytes.equals(key)
  return Buffer.compare(bytes, key) >= 0 && (end.equals(Buffer.alloc(1)) || Buffer.compare(bytes, end) < 0)
}
