/** The contract's operations as etcd's requests. */
import type { Stored, StoredEntry, Txn } from '../engine.ts'
import { KVError } from '../errors.ts'
import type { KVCondition } from '../kv.ts'
import type { WatchTarget } from '../watch-hub.ts'
import type { EtcdCompare, EtcdKeyValue, EtcdOperation, EtcdPut, EtcdTxn } from './client.ts'

const OPEN_END = Buffer.from([0])
const MAX_INT64 = 2n ** 63n - 1n

export function keyBytes(key: string): Buffer {
  return Buffer.from(key, 'utf8')
}

/** The smallest key behind all with this prefix. UTF-8 has no byte 0xff, so the last one can always grow. */
export function prefixEnd(prefix: string): Buffer {
  if (prefix === '') return OPEN_END
  const end = keyBytes(prefix)
  const last = end.length - 1
  end[last] = (end[last] ?? 0) + 1
  return end
}

export function rangeOf({ key, isPrefix }: WatchTarget): { key: Buffer; range_end?: Buffer } {
  if (!isPrefix) return { key: keyBytes(key) }
  return { key: key === '' ? OPEN_END : keyBytes(key), range_end: prefixEnd(key) }
}

export function keyText(key: Buffer): string {
  const text = key.toString('utf8')
  if (text.includes('\ufffd') && !keyBytes(text).equals(key)) throw new KVError('KV_CORRUPT', 'a key below this root is not UTF-8')
  return text
}

export function entryOf({ key, value, mod_revision }: EtcdKeyValue): StoredEntry {
  return { key: keyText(key), value, revision: BigInt(mod_revision) }
}

function valueBytes(value: Stored): Buffer {
  return typeof value === 'string' ? Buffer.from(value, 'utf8') : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

export function putOf(key: string, value: Stored, leaseId: string | undefined): EtcdPut {
  const put: EtcdPut = { key: keyBytes(key), value: valueBytes(value) }
  if (leaseId !== undefined) put.lease = leaseId
  return put
}

function compareOf(condition: KVCondition): EtcdCompare {
  const key = keyBytes(condition.key)
  if ('exists' in condition) return { key, target: 'Create', result: condition.exists ? 'Greater' : 'Equal', create_revision: '0' }
  // No revision is that large: the comparison fails, as it should.
  const revision = condition.modRevision > MAX_INT64 ? MAX_INT64 : condition.modRevision
  return { key, target: 'Mod', result: 'Equal', mod_revision: String(revision) }
}

function removalsOf({ removals, saves }: Txn): readonly string[] {
  if (removals.length === 0) return removals
  const saved = new Set(saves.map(([key]) => key))
  return [...new Set(removals)].filter((key) => !saved.has(key))
}

/** Removals that a save of the same key overrides are left out: etcd refuses a key twice. */
export function txnOf(txn: Txn): EtcdTxn {
  const success: EtcdOperation[] = removalsOf(txn).map((key) => ({ request_delete_range: { key: keyBytes(key) } }))
  if (txn.removePrefix !== undefined) success.push({ request_delete_range: rangeOf({ key: txn.removePrefix, isPrefix: true }) })
  for (const [key, value] of txn.saves) success.push({ request_put: putOf(key, value, txn.leaseId) })
  return { compare: txn.when.map(compareOf), success, failure: [] }
}

/** Refuses what the server would: about the size that it will see, never less. */
export function checkRequestBytes(txn: Txn, limit: number): void {
  // No text has more than three bytes a unit: most requests are small enough without counting.
  if (requestBytes(txn, (text) => text.length * 3) <= limit) return
  const bytes = requestBytes(txn, (text) => Buffer.byteLength(text))
  if (bytes <= limit) return
  throw new KVError('KV_TOO_LARGE', `about ${bytes} bytes are more than the ${limit} of one request`, { outcome: 'not-applied', details: { bytes, maxRequestBytes: limit } })
}

function requestBytes({ when, removals, saves }: Txn, sizeOf: (text: string) => number): number {
  let bytes = 512
  for (const { key } of when) bytes += 48 + key.length * 3
  for (const key of removals) bytes += 24 + key.length * 3
  for (const [key, value] of saves) bytes += 32 + sizeOf(key) + (typeof value === 'string' ? sizeOf(value) : value.length)
  return bytes
}

/**
 * Applied once it can never be applied again, so it can be sent again when nobody knows whether it was applied: a revision does
 * not come back. That a key is absent, or there, does come back, when others remove and save it meanwhile.
 */
export function guardsItself(txn: Txn): boolean {
  const changed = new Set([...txn.removals, ...txn.saves.map(([key]) => key)])
  return txn.when.some((condition) => changed.has(condition.key) && 'modRevision' in condition && condition.modRevision > 0n)
}
