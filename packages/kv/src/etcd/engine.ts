/** The engine on etcd: one request for each operation, every request with a deadline, nothing applied twice. */
import type { Clock } from '../clock.ts'
import { Columns } from '../columns.ts'
import type { Engine, EngineLease, EnginePage, StoredEntry, Txn, TxnResult } from '../engine.ts'
import { KVError } from '../errors.ts'
import type { KVFeatures } from '../features.ts'
import type { Revision } from '../kv.ts'
import { revisionReader } from '../revisions.ts'
import { leaseNotFound } from '../lease-book.ts'
import { RemoteFeed } from '../remote-feed.ts'
import type { WatchFeed, WatchTarget } from '../watch-hub.ts'
import type { EtcdCallOptions, EtcdClient, EtcdKeepAliveResponse } from './client.ts'
import { etcdError, mayRepeat } from './failures.ts'
import { checkRequestBytes, entryOf, guardsItself, keyBytes, keyText, putOf, rangeOf, txnOf } from './requests.ts'
import { Watcher } from './watcher.ts'

export interface EtcdEngineOptions {
  readonly client: EtcdClient
  /** Close the client with the store. */
  readonly ownsClient: boolean
  readonly clock: Clock
  readonly random: () => number
  readonly features: KVFeatures
  readonly timeoutMs: number
  readonly maxRequestBytes: number
  readonly maxWatchLagBytes: number
}

/** Pauses before the second, third and fourth try of what may be tried again. */
const PAUSES_MS = [30, 100, 300]
const FIRST_PAGE = 1000
/** An answer of a prefix read has about so many bytes, to delay no other call on the connection for long. */
const PAGE_BYTES = 4 * 1024 * 1024
const LEASE_ID = /^[0-9]{1,19}$/

export class EtcdEngine implements Engine {
  readonly features: KVFeatures
  readonly #options: EtcdEngineOptions
  readonly #client: EtcdClient
  readonly #feeds = new Set<RemoteFeed>()
  readonly #pending = new Set<Promise<unknown>>()
  #closed = false

  constructor(options: EtcdEngineOptions) {
    this.#options = options
    this.features = options.features
    this.#client = options.client
  }

  async get(key: string): Promise<StoredEntry | undefined> {
    const { kvs } = await this.#call('load', false, (options) => this.#client.kv.range({ key: keyBytes(key) }, options))
    return kvs[0] === undefined ? undefined : entryOf(kvs[0])
  }

  /** More keys than one transaction takes are read at the revision of the first part. */
  async getMany(keys: readonly string[]): Promise<readonly (StoredEntry | undefined)[]> {
    return this.#unlessCompacted(async () => {
      const found: (StoredEntry | undefined)[] = []
      let revision: string | undefined
      while (found.length < keys.length) {
        const part = keys.slice(found.length, found.length + Math.min(this.features.maxTransactionOps, 128))
        const success = part.map((key) => ({ request_range: { key: keyBytes(key), ...(revision === undefined ? {} : { revision }) } }))
        const answer = await this.#call('multiLoad', false, (options) => this.#client.kv.txn({ compare: [], success, failure: [] }, options))
        revision ??= answer.header.revision
        for (const { response_range: range } of answer.responses) {
          const first = range?.kvs[0]
          found.push(first === undefined ? undefined : entryOf(first))
        }
      }
      return found
    })
  }

  range(prefix: string, startAfter: string | undefined, limit: number): Promise<EnginePage> {
    const { key, range_end = keyBytes('') } = rangeOf({ key: prefix, isPrefix: true })
    const after = startAfter === undefined ? undefined : Buffer.concat([keyBytes(startAfter), Buffer.alloc(1)])
    const start = after !== undefined && Buffer.compare(after, key) > 0 ? after : key
    return this.#unlessCompacted(() => this.#pages(start, range_end, limit))
  }

  /** All pages of one prefix read at the revision of the first. */
  async #pages(start: Buffer, end: Buffer, limit: number): Promise<EnginePage> {
    const pairs = new Columns()
    if (end[0] !== 0 && Buffer.compare(start, end) >= 0) return { pairs, revision: await this.#revision(), more: false }
    let revision: string | undefined
    let pageSize = FIRST_PAGE
    let bytes = 0
    const revisions = revisionReader()
    for (let key = start; ;) {
      const request = { key, range_end: end, limit: Math.min(pageSize, limit - pairs.size), ...(revision === undefined ? {} : { revision }) }
      const page = await this.#call('loadWithPrefix', false, (options) => this.#client.kv.range(request, options))
      revision ??= page.header.revision
      for (const pair of page.kvs) {
        pairs.add(keyText(pair.key), pair.value, revisions(pair.mod_revision))
        bytes += pair.key.length + pair.value.length + 64
      }
      const last = page.kvs.at(-1)
      if (last === undefined || !page.more || pairs.size >= limit) return { pairs, revision: BigInt(revision), more: page.more }
      key = Buffer.concat([last.key, Buffer.alloc(1)])
      pageSize = Math.min(Math.max(Math.floor(PAGE_BYTES / (bytes / pairs.size)), 1), 50_000)
    }
  }

  async write(txn: Txn): Promise<TxnResult> {
    checkRequestBytes(txn, this.#options.maxRequestBytes)
    if (txn.leaseId !== undefined) checkLease(txn.leaseId)
    const [saved] = txn.saves
    if (saved !== undefined && txn.saves.length === 1 && txn.removals.length === 0 && txn.when.length === 0) {
      const put = putOf(saved[0], saved[1], txn.leaseId)
      const { header } = await this.#call('save', true, (options) => this.#client.kv.put(put, options))
      return { applied: true, revision: BigInt(header.revision) }
    }
    try {
      return await this.#txn(txn)
    } catch (error) {
      if (!(error instanceof KVError) || error.outcome !== 'unknown' || !guardsItself(txn)) throw error
      // It cannot be applied twice: if it is applied now, it was not before. If not, nobody knows whose change was first.
      const again = await this.#txn(txn).catch(() => undefined)
      if (again?.applied === true) return again
      throw error
    }
  }

  async #txn(txn: Txn): Promise<TxnResult> {
    const request = txnOf(txn)
    const { header, succeeded } = await this.#call('transaction', true, (options) => this.#client.kv.txn(request, options))
    return { applied: succeeded, revision: BigInt(header.revision) }
  }

  watch(target: WatchTarget, from: Revision | undefined): WatchFeed {
    const { client, clock, random, timeoutMs, maxWatchLagBytes } = this.#options
    const feed = new RemoteFeed(target, from === undefined || from === 0n ? 0n : from - 1n, maxWatchLagBytes)
    const renewToken = (): Promise<unknown> => this.get(target.key === '' ? '\0' : target.key)
    void new Watcher(feed, from, { client, clock, random, timeoutMs, renewToken })
    const { onEnd } = feed
    this.#feeds.add(feed)
    feed.onEnd = () => {
      this.#feeds.delete(feed)
      onEnd?.()
    }
    return feed
  }

  async grantLease(ttlMs: number): Promise<EngineLease> {
    const request = { TTL: String(Math.ceil(ttlMs / 1000)) }
    const { ID, TTL } = await this.#call('grantLease', true, (options) => this.#client.leaseClient.leaseGrant(request, options))
    return { id: ID, ttlMs: Number(TTL) * 1000 }
  }

  async keepAlive(leaseId: string): Promise<void> {
    checkLease(leaseId)
    const ttl = await this.#call('keepAlive', true, (options) => this.#keepAliveOnce(leaseId, options))
    if (ttl === '0') throw leaseNotFound(leaseId)
  }

  async #keepAliveOnce(ID: string, options: EtcdCallOptions): Promise<string> {
    const stream = await this.#client.leaseClient.leaseKeepAlive(options)
    return new Promise<string>((resolve, reject) => {
      stream.on('data', (answer: EtcdKeepAliveResponse) => {
        resolve(answer.TTL)
        stream.end()
      })
      stream.on('error', reject)
      stream.on('end', () => reject(new Error('14 UNAVAILABLE: the stream ended')))
      stream.write({ ID })
    })
  }

  async revokeLease(leaseId: string): Promise<void> {
    checkLease(leaseId)
    try {
      await this.#call('revoke', true, (options) => this.#client.leaseClient.leaseRevoke({ ID: leaseId }, options))
    } catch (error) {
      if (!(error instanceof KVError) || error.code !== 'KV_LEASE_NOT_FOUND') throw error
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const feed of this.#feeds) feed.end()
    await Promise.allSettled(this.#pending)
    if (this.#options.ownsClient) this.#client.close()
  }

  async #revision(): Promise<Revision> {
    const { header } = await this.#call('read', false, (options) => this.#client.kv.range({ key: Buffer.alloc(1), limit: 1 }, options))
    return BigInt(header.revision)
  }

  /** One request with a deadline. What surely did nothing is tried again a few times, within the deadline. */
  #call<T>(what: string, isWrite: boolean, act: (options: EtcdCallOptions) => Promise<T>): Promise<T> {
    const answer = this.#attempts(what, isWrite, act)
    this.#pending.add(answer)
    const settled = (): void => void this.#pending.delete(answer)
    answer.then(settled, settled)
    return answer
  }

  async #attempts<T>(what: string, isWrite: boolean, act: (options: EtcdCallOptions) => Promise<T>): Promise<T> {
    const { clock, timeoutMs } = this.#options
    const deadline = clock.now() + timeoutMs
    for (let attempt = 0; ; attempt++) {
      try {
        return await act({ deadline })
      } catch (cause) {
        const error = etcdError(cause, what, isWrite)
        const pauseMs = PAUSES_MS[attempt]
        if (pauseMs === undefined || this.#closed || !mayRepeat(error, isWrite) || clock.now() + pauseMs >= deadline) throw error
        await new Promise<void>((resolve) => {
          clock.setTimer(resolve, pauseMs)
        })
      }
    }
  }

  /** Reads at a pinned revision start over when it was compacted meanwhile. */
  async #unlessCompacted<T>(read: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await read()
      } catch (error) {
        if (attempt === 3 || !(error instanceof KVError) || error.code !== 'KV_COMPACTED') throw error
      }
    }
  }
}

function checkLease(leaseId: string): void {
  if (!LEASE_ID.test(leaseId)) throw leaseNotFound(leaseId)
}
