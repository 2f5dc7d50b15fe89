/**
 * Bytes on disk, format 1. Numbers are big-endian.
 *
 *     root  "timetick-kv" -> JSON { format, storeId }
 *     meta  "state"       -> revision, compacted, logChanges, logBytes, leases granted (u64 each)
 *     owner "owner"       -> token of the process that may write; its version is what each commit is conditional on
 *     data  key (UTF-8)   -> flags u8, revision u64, [lease u64,] value
 *     log   revision u64  -> changes of one group: flags u8, revision u64, key length u16, value length u32, key, value
 *     leases "L" lease u64 -> ttlMs u64, expiry in ms since 1970 u64;  "K" lease u64 key -> nothing
 */
import type { Change, Stored } from '../engine.ts'
import { KVError } from '../errors.ts'
import type { Revision } from '../kv.ts'
import type { Bytes, Row } from './driver.ts'

export const FORMAT = 1
export const STATE_KEY = Buffer.from('state')

const LEASED = 1
const TEXT = 2
const PUT = 4
const CREATED = 8
const ROW_HEAD = 9
const CHANGE_HEAD = 15

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function u64(value: bigint): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigUInt64BE(value)
  return bytes
}

export interface StoreCounters {
  readonly revision: Revision
  readonly compacted: Revision
  readonly logChanges: number
  readonly logBytes: number
  readonly leasesGranted: bigint
}

export function encodeCounters(counters: StoreCounters): Buffer {
  const bytes = Buffer.allocUnsafe(40)
  bytes.writeBigUInt64BE(counters.revision, 0)
  bytes.writeBigUInt64BE(counters.compacted, 8)
  bytes.writeBigUInt64BE(BigInt(counters.logChanges), 16)
  bytes.writeBigUInt64BE(BigInt(counters.logBytes), 24)
  bytes.writeBigUInt64BE(counters.leasesGranted, 32)
  return bytes
}

export function decodeCounters(bytes: Bytes | undefined): StoreCounters {
  if (bytes === undefined) return { revision: 0n, compacted: 0n, logChanges: 0, logBytes: 0, leasesGranted: 0n }
  if (bytes.length !== 40) throw corrupt('the state record has a wrong length')
  const view = new DataView(bytes.buffer, bytes.byteOffset, 40)
  return {
    revision: view.getBigUint64(0),
    compacted: view.getBigUint64(8),
    logChanges: Number(view.getBigUint64(16)),
    logBytes: Number(view.getBigUint64(24)),
    leasesGranted: view.getBigUint64(32),
  }
}

export function encodeRow(value: Stored, revision: Revision, lease: bigint | undefined): Buffer {
  const head = lease === undefined ? ROW_HEAD : ROW_HEAD + 8
  const isText = typeof value === 'string'
  const bytes = Buffer.allocUnsafe(head + (isText ? Buffer.byteLength(value) : value.length))
  bytes[0] = (isText ? TEXT : 0) | (lease === undefined ? 0 : LEASED)
  bytes.writeBigUInt64BE(revision, 1)
  if (lease !== undefined) bytes.writeBigUInt64BE(lease, ROW_HEAD)
  if (isText) bytes.write(value, head, 'utf8')
  else bytes.set(value, head)
  return bytes
}

/** The driver reads most rows into one buffer: one view of it serves them all. */
let view: DataView<ArrayBufferLike> = new DataView(new ArrayBuffer(0))

function viewOf(bytes: Bytes): DataView {
  if (view.buffer !== bytes.buffer || view.byteOffset !== bytes.byteOffset) view = new DataView(bytes.buffer, bytes.byteOffset)
  return view
}

export interface RowHead {
  readonly revision: Revision
  readonly lease: bigint | undefined
}

export function decodeHead(bytes: Bytes): RowHead {
  if (bytes.length < ROW_HEAD) throw corrupt('a row is too short')
  const fields = viewOf(bytes)
  const leased = (fields.getUint8(0) & LEASED) !== 0
  if (leased && bytes.length < ROW_HEAD + 8) throw corrupt('a row is too short')
  return { revision: fields.getBigUint64(1), lease: leased ? fields.getBigUint64(ROW_HEAD) : undefined }
}

interface Sliceable {
  utf8Slice(start: number, end: number): string
}

/** UTF-8 of a part: Node's own slice, without the checks of `toString` around it, which a scan pays for every row. */
export function sliceText(bytes: Bytes, start: number, end: number): string {
  if ('utf8Slice' in bytes) return (bytes as Bytes & Sliceable).utf8Slice(start, end)
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8', start, end)
}

/** Neighbours that were saved together share one bigint. */
let [lastHigh, lastLow, last] = [0, 0, 0n]

function readRevision(bytes: Bytes): Revision {
  const high = (bytes[1] ?? 0) * 0x1000000 + (((bytes[2] ?? 0) << 16) | ((bytes[3] ?? 0) << 8) | (bytes[4] ?? 0))
  const low = (bytes[5] ?? 0) * 0x1000000 + (((bytes[6] ?? 0) << 16) | ((bytes[7] ?? 0) << 8) | (bytes[8] ?? 0))
  if (high !== lastHigh || low !== lastLow) {
    lastHigh = high
    lastLow = low
    last = (BigInt(high) << 32n) | BigInt(low)
  }
  return last
}

/** Copies: the bytes are the driver's. */
export function decodeRow(bytes: Bytes): Row {
  const size = bytes.length
  if (size < ROW_HEAD) throw corrupt('a row is too short')
  const flags = bytes[0] ?? 0
  const start = (flags & LEASED) === 0 ? ROW_HEAD : ROW_HEAD + 8
  if (start > size) throw corrupt('a row is too short')
  return { value: readValue(bytes, start, size, flags), revision: readRevision(bytes) }
}

function readValue(bytes: Bytes, start: number, end: number, flags: number): Stored {
  if ((flags & TEXT) !== 0) {
    return sliceText(bytes, start, end)
  }
  return Uint8Array.prototype.slice.call(bytes, start, end)
}

function valueStart(row: Bytes): number {
  return ((row[0] ?? 0) & LEASED) === 0 ? ROW_HEAD : ROW_HEAD + 8
}

/** `rows[i]` is the encoded row of `changes[i]`, whose value bytes are taken over. */
export function encodeChanges(changes: readonly Change[], rows: readonly (Bytes | undefined)[]): Buffer {
  let most = 0
  changes.forEach((change, index) => {
    most += CHANGE_HEAD + change.key.length * 3 + (rows[index]?.length ?? 0)
  })
  const bytes = Buffer.allocUnsafe(most)
  const fields = new DataView(bytes.buffer, bytes.byteOffset, most)
  let at = 0
  changes.forEach((change, index) => {
    const row = rows[index]
    const keyLength = bytes.write(change.key, at + CHANGE_HEAD, 'utf8')
    fields.setUint8(at, row === undefined ? 0 : PUT | ((row[0] ?? 0) & TEXT) | (change.created ? CREATED : 0))
    fields.setBigUint64(at + 1, change.revision)
    fields.setUint16(at + 9, keyLength)
    const from = row === undefined ? 0 : valueStart(row)
    const valueLength = row === undefined ? 0 : row.length - from
    fields.setUint32(at + 11, valueLength)
    at += CHANGE_HEAD + keyLength
    if (row !== undefined) bytes.set(from === 0 ? row : row.subarray(from), at)
    at += valueLength
  })
  return bytes.subarray(0, at)
}

export function decodeChanges(bytes: Bytes): Change[] {
  const changes: Change[] = []
  const fields = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = 0
  while (at < bytes.length) {
    if (at + CHANGE_HEAD > bytes.length) throw corrupt('a change of the log is cut')
    const flags = fields.getUint8(at)
    const keyStart = at + CHANGE_HEAD
    const keyEnd = keyStart + fields.getUint16(at + 9)
    const end = keyEnd + fields.getUint32(at + 11)
    if (end > bytes.length) throw corrupt('a change of the log is cut')
    changes.push({
      key: keyText(bytes.subarray(keyStart, keyEnd)),
      value: (flags & PUT) === 0 ? undefined : readValue(bytes, keyEnd, end, flags),
      revision: fields.getBigUint64(at + 1),
      created: (flags & CREATED) !== 0,
    })
    at = end
  }
  return changes
}

function keyText(bytes: Bytes): string {
  try {
    return strict.decode(bytes)
  } catch (cause) {
    throw corrupt('a key of the log is not UTF-8', cause)
  }
}

/** Number of changes and last revision of a group, without decoding its keys and values. */
export function measureChanges(bytes: Bytes): { count: number; last: Revision } {
  const fields = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let count = 0
  let last = 0n
  for (let at = 0; at + CHANGE_HEAD <= bytes.length; at += CHANGE_HEAD + fields.getUint16(at + 9) + fields.getUint32(at + 11)) {
    count++
    last = fields.getBigUint64(at + 1)
  }
  return { count, last }
}

export function leaseKey(lease: bigint): Buffer {
  return Buffer.concat([Buffer.from('L'), u64(lease)])
}

export function leasedKey(lease: bigint, key: string): Buffer {
  return Buffer.concat([Buffer.from('K'), u64(lease), Buffer.from(key)])
}

export function corrupt(what: string, cause?: unknown): KVError {
  return new KVError('KV_CORRUPT', what, { cause })
}
