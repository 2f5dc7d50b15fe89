/**
 * What the DML channels carry: inserts and deletes of one shard and partition, as columns behind a message whose
 * properties name collection, partition and shard, so that readers route without decoding.
 */
import { createTsMsg, MsgType, type TsMsg } from '@timetick/msgstream'
import { decodeColumns, encodeColumns } from '../codec/column-codec.ts'
import type { RowBatch } from '../model/column.ts'
import { isPrimaryKeyColumn, type PrimaryKeys } from '../model/primary-keys.ts'

/** Where a message belongs. `partitionId` 0n of a delete means all partitions. */
export interface DmlTarget {
  readonly collectionId: bigint
  readonly partitionId: bigint
  readonly vchannel: string
  /** Of a flush: the message counts where its transaction does. */
  readonly transaction?: string | undefined
  /** W3C's, of the call that writes. */
  readonly traceparent?: string | undefined
}

export interface DmlHeader extends DmlTarget {
  readonly kind: 'insert' | 'delete'
  readonly ts: bigint
}

const KEY_FIELD = 0

export function insertMessage(target: DmlTarget, body: Uint8Array, ts: bigint): TsMsg {
  return createTsMsg({ type: MsgType.insert, beginTs: ts, endTs: ts, properties: propertiesOf(target), body })
}

export function deleteMessage(target: DmlTarget, body: Uint8Array, ts: bigint): TsMsg {
  return createTsMsg({ type: MsgType.delete, beginTs: ts, endTs: ts, properties: propertiesOf(target), body })
}

export function encodeRows(batch: RowBatch): Uint8Array {
  return encodeColumns(batch.columns, batch.length)
}

export function encodeKeys(keys: PrimaryKeys): Uint8Array {
  return encodeRows(keyBatch(keys))
}

/** What the body of a delete holds, as rows. */
export function keyBatch(keys: PrimaryKeys): RowBatch {
  return { length: keys.length, columns: new Map([[KEY_FIELD, keys]]) }
}

/** The routing part of a message, or undefined when it is no insert or delete of ours. */
export function dmlHeader(message: TsMsg): DmlHeader | undefined {
  if (message.type !== MsgType.insert && message.type !== MsgType.delete) return undefined
  const { c, p, v, x, traceparent } = message.properties
  if (c === undefined || p === undefined || v === undefined) return undefined
  const kind = message.type === MsgType.insert ? 'insert' : 'delete'
  return { kind, collectionId: BigInt(c), partitionId: BigInt(p), vchannel: v, ts: message.endTs, transaction: x, traceparent }
}

export function rowsOf(message: TsMsg): RowBatch {
  return decodeColumns(message.body)
}

export function keysOf(message: TsMsg): PrimaryKeys {
  const keys = decodeColumns(message.body).columns.get(KEY_FIELD)
  if (!isPrimaryKeyColumn(keys)) throw new Error('a delete message holds no primary keys')
  return keys
}

function propertiesOf(target: DmlTarget): Record<string, string> {
  const properties: Record<string, string> = { c: target.collectionId.toString(), p: target.partitionId.toString(), v: target.vchannel }
  if (target.transaction !== undefined) properties['x'] = target.transaction
  if (target.traceparent !== undefined) properties['traceparent'] = target.traceparent
  return properties
}
