/** Wire rows to full columns of a collection, checked as Milvus's proxy checks them, with its texts. */
import type { Column, RowBatch } from '../model/column.ts'
import { functionInto } from '../model/functions.ts'
import { dataTypeName } from '../model/schema.ts'
import type { CollectionSchema, FieldSchema } from '../model/schema.ts'
import { checkDynamic, checkValues } from './checks.ts'
import { columnOfPayload } from './convert.ts'
import type { InsertMessage } from './decode-insert.ts'
import { CodecError } from './errors.ts'
import { expandColumn } from './expand.ts'
import { fillColumn } from './fill.ts'
import { checkStructs } from './struct-fields.ts'
import type { RawField } from './raw-field.ts'

export interface RowBatchOptions {
  /** The collection's property `allow_insert_auto_id`, or an upsert: a column of an auto-id primary key may come. */
  readonly allowInsertAutoId: boolean
  /** Of a partial upsert: fields that the message does not give have no column. */
  readonly givenOnly?: boolean | undefined
}

/**
 * Columns for every field of the schema, except those that functions fill, and an auto-id primary key that the message does not give. Nulls are expanded, defaults
 * filled in; fields that may be missing are filled.
 * @throws {CodecError} for rows that do not fit.
 */
export function toRowBatch(message: InsertMessage, schema: CollectionSchema, options: RowBatchOptions): RowBatch {
  const { numRows } = message
  const given = givenFields(message.fields, schema)
  const columns = new Map<number, Column>()
  for (const field of schema.fields) {
    const raw = given.get(field)
    if (functionInto(schema, field.id) !== undefined) {
      if (raw !== undefined) throw new CodecError(`not allowed to provide input data for function output field: ${field.name}`)
      continue
    }
    if (field.isPrimary && field.autoId && !checkAutoId(field, raw, options)) continue
    if (raw === undefined && options.givenOnly === true) continue
    const column = raw === undefined ? missingColumn(field, numRows) : givenColumn(field, raw, numRows)
    if (raw !== undefined) checkValues(field, column)
    if (raw !== undefined && field.isDynamic) checkDynamic(column, schema)
    columns.set(field.id, column)
  }
  if (schema.structs !== undefined) checkStructs(schema, columns)
  return { length: numRows, columns }
}

function givenFields(fields: readonly RawField[], schema: CollectionSchema): Map<FieldSchema, RawField> {
  const byName = new Map(schema.fields.map((field) => [field.name, field]))
  const dynamic = schema.fields.find((field) => field.isDynamic)
  const given = new Map<FieldSchema, RawField>()
  for (const raw of fields) {
    const field = raw.isDynamic ? dynamic : byName.get(raw.name)
    if (field === undefined) {
      throw new CodecError(raw.isDynamic ? `collection ${schema.name} has no dynamic field` : `fieldName ${raw.name} not exist in collection schema`)
    }
    if (given.has(field)) throw new CodecError(`duplicated field name: ${field.name}`)
    given.set(field, raw)
  }
  return given
}

/** Whether the client gives the keys of an auto-id collection. */
function checkAutoId(field: FieldSchema, raw: RawField | undefined, options: RowBatchOptions): boolean {
  if (raw === undefined) return false
  if (!options.allowInsertAutoId) {
    throw new CodecError(`can not assign primary field data when auto id enabled and allow_insert_auto_id is false: ${field.name}`)
  }
  return true
}

function missingColumn(field: FieldSchema, numRows: number): Column {
  if (!field.isDynamic && !field.nullable && field.defaultValue === undefined) {
    throw new CodecError(`fieldSchema(${field.name}) has no corresponding fieldData pass in`)
  }
  return fillColumn(field, numRows)
}

function givenColumn(field: FieldSchema, raw: RawField, numRows: number): Column {
  if (raw.type !== 0 && raw.type !== field.type && !(isText(raw.type) && isText(field.type))) {
    throw new CodecError(`field data type mismatch: field ${field.name} is of type ${dataTypeName(field.type)}, got ${dataTypeName(raw.type)}`)
  }
  const valid = raw.valid !== undefined && raw.valid.length > 0 ? raw.valid : undefined
  if (valid !== undefined && valid.length !== numRows) throw new CodecError(`the length of valid_data of field(${field.name}) is wrong: ${valid.length}, expected ${numRows}`)
  const compact = columnOfPayload(field, raw.payload)
  if (valid === undefined) {
    if (compact.length !== numRows) throw wrongRows(field, compact.length, numRows)
    return compact
  }
  const count = valid.reduce((sum, bit) => sum + bit, 0)
  if (compact.length !== count) throw new CodecError(`the length of field ${field.name} is wrong: ${compact.length} values for ${count} valid rows`)
  if (count < numRows && !field.nullable && field.defaultValue === undefined) {
    throw new CodecError(`field ${field.name} is not nullable, row number: ${valid.indexOf(0)}`)
  }
  return expandColumn(field, compact, valid)
}

function isText(type: number): boolean {
  return type === 20 || type === 21 || type === 25
}

function wrongRows(field: FieldSchema, length: number, numRows: number): CodecError {
  return new CodecError(`the num_rows (${length}) of field (${field.name}) is not equal to passed num_rows (${numRows})`)
}
