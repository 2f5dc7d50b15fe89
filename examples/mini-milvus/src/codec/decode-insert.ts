/** Insert and Upsert requests from their bytes. */
import { ProtoReader } from './proto-reader.ts'
import { readField } from './raw-field.ts'
import type { RawField } from './raw-field.ts'
import { flattenStructs } from './struct-fields.ts'

export type FieldOp = 'replace' | 'array-append' | 'array-remove'

export interface InsertMessage {
  readonly dbName: string
  readonly collectionName: string
  readonly partitionName: string
  readonly numRows: number
  /** What the client knows as the schema's update timestamp; 0n where it does not say. */
  readonly schemaTimestamp: bigint
  /** Sub-fields of structs are fields of their own. */
  readonly fields: readonly RawField[]
  /** Of an upsert: only the given fields change. */
  readonly partialUpdate?: boolean | undefined
  readonly fieldOps?: readonly { readonly fieldName: string; readonly op: FieldOp }[] | undefined
}

/** @throws {Error} for bytes that are no InsertRequest. Payloads are views of `bytes`. */
export function decodeInsert(bytes: Uint8Array): InsertMessage {
  return decode(bytes, false)
}

/** @throws {Error} for bytes that are no UpsertRequest. Payloads are views of `bytes`. */
export function decodeUpsert(bytes: Uint8Array): InsertMessage {
  return decode(bytes, true)
}

function decode(bytes: Uint8Array, isUpsert: boolean): InsertMessage {
  const reader = new ProtoReader(bytes)
  const names = ['', '', '']
  const fields: RawField[] = []
  const fieldOps: { fieldName: string; op: FieldOp }[] = []
  let numRows = 0
  let schemaTimestamp = 0n
  let partialUpdate = false
  while (!reader.done) {
    const tag = reader.varint()
    if (tag === 0x12 || tag === 0x1a || tag === 0x22) names[(tag >>> 3) - 2] = reader.string()
    else if (tag === 0x2a) fields.push(readField(reader.message()))
    else if (tag === 0x38) numRows = reader.varint()
    else if (tag === 0x40) schemaTimestamp = reader.uint64()
    else if (isUpsert && tag === 0x48) partialUpdate = reader.varint() !== 0
    else if (isUpsert && tag === 0x5a) fieldOps.push(readFieldOp(reader.message()))
    else reader.skip(tag & 7)
  }
  const [dbName = '', collectionName = '', partitionName = ''] = names
  const message = { dbName, collectionName, partitionName, numRows, schemaTimestamp, fields: flattenStructs(fields) }
  return isUpsert ? { ...message, partialUpdate, fieldOps } : message
}

function readFieldOp(reader: ProtoReader): { fieldName: string; op: FieldOp } {
  let fieldName = ''
  let op: FieldOp = 'replace'
  while (!reader.done) {
    const tag = reader.varint()
    if (tag === 0x0a) fieldName = reader.string()
    else if (tag === 0x10) {
      const value = reader.varint()
      op = value === 1 ? 'array-append' : value === 2 ? 'array-remove' : 'replace'
    } else reader.skip(tag & 7)
  }
  return { fieldName, op }
}
