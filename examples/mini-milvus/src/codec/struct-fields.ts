/** Arrays of structs between the wire, where a struct holds its columns, and the node, where each is a field of its own. */
import type { Column, ListColumn } from '../model/column.ts'
import type { CollectionSchema, FieldSchema, StructMeta } from '../model/schema.ts'
import { DataType } from '../model/schema.ts'
import { nameInStruct, structsOf, subFieldName, subFields } from '../model/structs.ts'
import { encodeMessage } from '../wire/index.ts'
import { withoutNullValues } from './compact-payload.ts'
import { CodecError } from './errors.ts'
import { encodeFieldData } from './field-data.ts'
import type { RawField } from './raw-field.ts'
import { join, varints, wrap } from './wire-parts.ts'

/** Fields of a message with those of structs instead of the structs. */
export function flattenStructs(fields: readonly RawField[]): readonly RawField[] {
  return fields.some(({ subFields: inner }) => inner !== undefined) ? fields.flatMap((field) => flatten(field)) : fields
}

function flatten({ name, valid, subFields: inner, ...field }: RawField): readonly RawField[] {
  if (inner === undefined) return [{ ...field, name, valid }]
  return inner.map((sub) => withoutNullValues({ ...sub, name: subFieldName(name, sub.name), valid: valid ?? sub.valid }))
}

/** The lists of a row must be of one length, and null together. */
export function checkStructs(schema: CollectionSchema, columns: ReadonlyMap<number, Column>): void {
  for (const { name } of structsOf(schema)) {
    const lists = subFields(schema, name).flatMap((field) => {
      const column = columns.get(field.id)
      return column?.kind === 'array' || column?.kind === 'vectors' ? [{ field, column }] : []
    })
    const [first] = lists
    if (first !== undefined) for (const other of lists) if (other !== first) checkPair(name, first, other)
  }
}

interface NamedList {
  readonly field: FieldSchema
  readonly column: ListColumn
}

function checkPair(struct: string, a: NamedList, b: NamedList): void {
  for (let row = 0; row < a.column.length; row++) {
    const [length, other] = [lengthAt(a.column, row), lengthAt(b.column, row)]
    if (length === other) continue
    throw new CodecError(`inconsistent array length of struct array field ${struct}: ${nameInStruct(a.field)} has ${shown(length)}, ${nameInStruct(b.field)} has ${shown(other)}, row number: ${row}`)
  }
}

/** -1 for null. */
function lengthAt({ valid, offsets }: ListColumn, row: number): number {
  return valid?.[row] === 0 ? -1 : (offsets[row + 1] as number) - (offsets[row] as number)
}

function shown(length: number): string {
  return length < 0 ? 'null' : String(length)
}

/** One FieldData of an array of structs with the given sub-fields. Its lists are at full length, null where the struct is. */
export function encodeStructBytes(struct: StructMeta, fields: readonly FieldSchema[], columns: readonly Column[], rows: Uint32Array): Uint8Array {
  const inner = fields.map((field, at) => {
    const column = { ...(columns[at] as Column), valid: undefined }
    return encodeMessage('schema.FieldData', encodeFieldData({ ...field, name: nameInStruct(field), nullable: false }, column, rows))
  })
  const parts = [varints(0x08, DataType.ArrayOfStruct), ...wrap(0x12, [encoder.encode(struct.name)]), varints(0x28, struct.id), ...wrap(0x42, inner.flatMap((bytes) => wrap(0x0a, [bytes])))]
  const valid = columns[0]?.valid
  if (struct.nullable || valid !== undefined) parts.push(...wrap(0x3a, [Uint8Array.from(rows, (row) => (valid === undefined ? 1 : (valid[row] as number)))]))
  return join(parts)
}

const encoder = new TextEncoder()
