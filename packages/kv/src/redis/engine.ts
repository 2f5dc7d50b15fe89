/** The engine on Redis: one script for each operation. */
import { Columns } from '../columns.ts'
import type { Engine, EngineLease, EnginePage, Stored, StoredEntry, Txn, TxnResult } from '../engine.ts'
import { KVError } from '../errors.ts'
import type { KVFeatures } from '../features.ts'
import type { Revision } from '../kv.ts'
import { leaseNotFound } from '../lease-book.ts'
import type { WatchFeed, WatchTarget } from '../watch-hub.ts'
import type { RedisArgument } from './client.ts'
import type { Connection } from './connection.ts'
import { GetBatch } from './get-batch.ts'
import { bytesOf, entryOf, listOf, revisionOf, rowReader, textOf } from './replies.ts'
import { type Script, scriptHead, scripts } from './scripts.ts'
import type { Tail } from './tail.ts'

export interface RedisEngineOptions {
  readonly main: Connection
  readonly tail: Tail
  readonly keys: readonly string[]
  readonly maxHistory: number
  readonly features: KVFeatures
}

const LEASE_ID = /^[0-9]{1,20}-[0-9]{1,16}-([0-9]{1,10})$/

export class RedisEngine implements Engine {
  readonly features: KVFeatures
  readonly #options: RedisEngineOptions
  readonly #gets = new GetBatch((keys) => this.#stored('load', keys), storedEntry)

  readonly #head: readonly RedisArgument[]

  constructor(options: RedisEngineOptions) {
    this.#options = options
    this.#head = scriptHead(options.keys, options.maxHistory)
    this.features = options.features
  }

  get(key: string): Promise<StoredEntry | undefined> {
    return this.#gets.get(key)
  }

  async getMany(keys: readonly string[]): Promise<readonly (StoredEntry | undefined)[]> {
    const rows = await this.#stored('multiLoad', keys)
    return keys.map((key, index) => storedEntry(key, rows[index]))
  }

  async #stored(what: string, keys: readonly string[]): Promise<readonly unknown[]> {
    const [, ...parts] = listOf(await this.#run(what, scripts.get, keys), 'values')
    return parts.length === 1 ? listOf(parts[0], 'values') : parts.flatMap((part) => listOf(part, 'values'))
  }

  async range(prefix: string, startAfter: string | undefined, limit: number): Promise<EnginePage> {
    const [min, max] = lexRange(prefix)
    const isAfter = startAfter !== undefined && Buffer.compare(Buffer.from(startAfter), Buffer.from(prefix)) >= 0
    const count = Number.isFinite(limit) ? Math.min(limit, 2 ** 31) : -1
    const reply = listOf(await this.#run('loadWithPrefix', scripts.range, [isAfter ? `(${startAfter}` : min, max, count]), 'a page')
    const [revision, more, keyList, ...parts] = reply
    const keys = listOf(keyList, 'keys')
    const pairs = new Columns()
    const read = rowReader()
    for (const part of parts) {
      for (const packed of listOf(part, 'values')) read(bytesOf(keys[pairs.size], 'a key').toString('utf8'), packed, pairs)
    }
    return { pairs, revision: revisionOf(revision), more: more === 1 }
  }

  async write(txn: Txn): Promise<TxnResult> {
    const { leaseId = '', when, removals, removePrefix, saves } = txn
    if (leaseId !== '') leaseTtlMs(leaseId)
    const args: RedisArgument[] = [...this.#head, leaseId, when.length, removals.length, removePrefix === undefined ? 0 : 1]
    for (const condition of when) {
      if ('exists' in condition) args.push('e', condition.key, condition.exists ? '1' : '0')
      else args.push('r', condition.key, String(condition.modRevision))
    }
    args.push(...removals)
    if (removePrefix !== undefined) args.push(...lexRange(removePrefix))
    for (const [key, value] of saves) args.push(key, valueOf(value))
    const [code, revision] = listOf(await this.#options.main.run(scripts.write, args, { what: 'write', isWrite: true }), 'a result')
    if (code === 2) throw leaseNotFound(leaseId)
    return { applied: code === 1, revision: revisionOf(revision) }
  }

  watch(target: WatchTarget, from: Revision | undefined): WatchFeed {
    return this.#options.tail.open(target, from)
  }

  async grantLease(ttlMs: number): Promise<EngineLease> {
    return { id: textOf(await this.#run('grantLease', scripts.grant, [ttlMs], true), 'a lease'), ttlMs }
  }

  async keepAlive(leaseId: string): Promise<void> {
    if ((await this.#run('keepAlive', scripts.keep, [leaseId, leaseTtlMs(leaseId)], true)) !== 1) throw leaseNotFound(leaseId)
  }

  async revokeLease(leaseId: string): Promise<void> {
    leaseTtlMs(leaseId)
    await this.#run('revoke', scripts.revoke, [leaseId], true)
  }

  async close(): Promise<void> {
    await this.#options.tail.close()
    await this.#options.main.close()
  }

  #run(what: string, script: Script, args: readonly RedisArgument[], isWrite = false): Promise<unknown> {
    return this.#options.main.run(script, [...this.#head, ...args], { what, isWrite })
  }
}

function storedEntry(key: string, stored: unknown): StoredEntry | undefined {
  return stored === null ? undefined : entryOf(key, stored)
}

/** The id carries the time to live that was granted. */
function leaseTtlMs(leaseId: string): number {
  const ttlMs = LEASE_ID.exec(leaseId)?.[1]
  if (ttlMs === undefined) throw leaseNotFound(leaseId)
  return Number(ttlMs)
}

function valueOf(value: Stored): string | Buffer {
  return typeof value === 'string' ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

/** Bounds of a prefix in byte order: UTF-8 has no byte 0xff. */
function lexRange(prefix: string): [min: string, max: string | Buffer] {
  return prefix === '' ? ['-', '+'] : [`[${prefix}`, Buffer.concat([Buffer.from(`(${prefix}`), Buffer.from([0xff])])]
}

/** What the server's settings promise of a resolved write. */
export async function durabilityOf(main: Connection): Promise<KVFeatures['durability']> {
  const setting = async (name: string): Promise<string> => {
    try {
      const reply = listOf(await main.command('config', ['GET', name], { what: 'open', isWrite: false }), 'a setting')
      return textOf(reply[1], 'a setting')
    } catch (error) {
      // Hosted servers often forbid the question.
      if (error instanceof KVError) return ''
      throw error
    }
  }
  if ((await setting('appendonly')) !== 'yes') return 'memory'
  return (await setting('appendfsync')) === 'always' ? 'power' : 'process'
}
