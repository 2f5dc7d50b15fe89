/**
 * Upserts that name only some fields, as Milvus does them: the rows that are there are read, the given fields are put over theirs, and
 * whole rows are written. Keys that have no row yet are inserted, where the missing fields allow it.
 */
import { combineArrays } from '../codec/array-ops.ts'
import { checkValues, fillColumn, gatherColumn, concatColumns, mergeJsonObjects, textColumn, type FieldOp } from '../codec/index.ts'
import type { Column, JsonColumn, RowBatch } from '../model/column.ts'
import { textAt } from '../model/column.ts'
import { DataType, type FieldSchema } from '../model/schema.ts'
import { primaryKeyList, type PrimaryKeys } from '../model/primary-keys.ts'
import type { QueryResult } from '../querynode/api.ts'
import { MilvusError } from '../server/status.ts'

/** What is done to fields other than being replaced. */
export type FieldOps = ReadonlyMap<string, Exclude<FieldOp, 'replace'>>

/** Throws 1100 for an operation on a field that is not there, not given, or no array. */
export function checkFieldOps(ops: readonly { readonly fieldName: string; readonly op: FieldOp }[], fields: readonly FieldSchema[], given: RowBatch): FieldOps {
  const checked = new Map<string, Exclude<FieldOp, 'replace'>>()
  for (const { fieldName, op } of ops) {
    const field = fields.find(({ name }) => name === fieldName)
    if (field === undefined || !given.columns.has(field.id)) throw new MilvusError(1100, `field_ops: field ${fieldName} is not among the fields of the upsert`)
    if (op === 'replace') continue
    if (field.type !== DataType.Array) throw new MilvusError(1100, `field_ops: ${op} needs an array, field ${fieldName} is none`)
    if (checked.has(fieldName)) throw new MilvusError(1100, `field_ops: field ${fieldName} is named twice`)
    checked.set(fieldName, op)
  }
  return checked
}

/**
 * @param given the columns of the request; its keys are `keys`, each once
 * @param existing the whole rows of those keys that there are
 */
export function completeRows(fields: readonly FieldSchema[], given: RowBatch, keys: PrimaryKeys, existing: QueryResult, ops: FieldOps): RowBatch {
  const rowOf = new Map(primaryKeyList(existing.keys).map((key, row) => [key, row]))
  const oldRows = primaryKeyList(keys).map((key) => rowOf.get(key) ?? -1)
  const columns = new Map<number, Column>()
  for (const field of fields) columns.set(field.id, field.isPrimary ? keys : completeColumn(field, given.columns.get(field.id), existing.columns.get(field.id), oldRows, ops))
  return { length: given.length, columns }
}

function completeColumn(field: FieldSchema, given: Column | undefined, old: Column | undefined, oldRows: readonly number[], ops: FieldOps): Column {
  if (old === undefined) throw new Error(`field ${field.name} is missing in a result`)
  const op = ops.get(field.name)
  if (given === undefined) return oldColumn(field, old, oldRows)
  if (field.isDynamic && given.kind === 'json' && old.kind === 'json') return mergedJson(given, old, oldRows)
  if (op === undefined || given.kind !== 'array' || old.kind !== 'array') return given
  const combined = combineArrays(old, oldRows, given, op)
  checkValues(field, combined)
  return combined
}

/** A row that is new needs no value of the field. */
export function canBeLeftOut(field: FieldSchema): boolean {
  return field.isDynamic || field.nullable || field.defaultValue !== undefined
}

export function missingField(field: FieldSchema): MilvusError {
  return new MilvusError(1100, `fieldSchema(${field.name}) has no corresponding fieldData pass in`)
}

/** The old values; rows that are new get the default or null, if the field has either. */
function oldColumn(field: FieldSchema, old: Column, oldRows: readonly number[]): Column {
  if (!oldRows.includes(-1)) return gatherColumn(old, oldRows)
  if (!canBeLeftOut(field)) throw missingField(field)
  const filled = concatColumns([trimmed(old), fillColumn(field, 1)])
  return gatherColumn(filled, oldRows.map((row) => (row < 0 ? old.length : row)))
}

function trimmed(column: Column): Column {
  return gatherColumn(column, Uint32Array.from({ length: column.length }, (_, row) => row))
}

function mergedJson(given: JsonColumn, old: JsonColumn, oldRows: readonly number[]): JsonColumn {
  const texts = oldRows.map((oldRow, row) => (oldRow < 0 ? textAt(given, row) : mergeJsonObjects(textAt(old, oldRow), textAt(given, row))))
  return { ...given, valid: undefined, ...textColumn(texts) }
}
