/** Rows to Parquet, in the layout that Milvus imports: a row group at a time, so that a file of any size needs the memory of one. */
import type { SchemaElement } from 'hyparquet'
import { ByteWriter, type ColumnSource, ParquetWriter } from 'hyparquet-writer'
import { writeColumn } from 'hyparquet-writer/src/column.js'
import { encodeNestedValues } from 'hyparquet-writer/src/dremel.js'
import { snappyCompress } from 'hyparquet-writer/src/snappy.js'
import { parquetSchema } from 'hyparquet/src/metadata.js'
import type { SchemaTree } from 'hyparquet/src/types.js'
import { stringifyJson } from '../rest/json.ts'
import { rowToJson } from '../codec/row-json.ts'
import type { Column, RowBatch, VectorColumn } from '../model/column.ts'
import { isNull, textAt } from '../model/column.ts'
import { formatTimestamptz } from '../codec/timestamptz.ts'
import { DataType, type FieldSchema } from '../model/schema.ts'
import { elementField, nameInStruct } from '../model/structs.ts'
import { vectorElements, writeVectors } from './parquet-vectors.ts'

export interface ParquetFileWriter {
  readonly rows: number
  /** The bytes of one more row group. */
  add(batch: RowBatch): Uint8Array
  /** The last bytes. */
  finish(): Uint8Array
}

/** @param fields columns of the file, in order */
export function createParquetWriter(fields: readonly FieldSchema[]): ParquetFileWriter {
  const columnsOfFile = groupsOf(fields)
  const schema: SchemaElement[] = [{ name: 'schema', num_children: columnsOfFile.length }, ...columnsOfFile.flatMap((group) => (group.struct === undefined ? elementsOf(group.fields[0] as FieldSchema) : structElements(group.struct, group.fields)))]
  const writer = new ByteWriter()
  const file = new ParquetWriter({ writer, schema, codec: 'SNAPPY', statistics: false, createdBy: 'mini-milvus' })
  const tree = parquetSchema({ schema })
  let rows = 0
  const taken = (): Uint8Array => {
    const bytes = writer.getBytes().slice()
    writer.index = 0
    return bytes
  }
  return {
    get rows() {
      return rows
    },
    add(batch) {
      const start = writer.offset
      const columns = columnsOfFile.flatMap(({ struct, fields: own }, at) =>
        own.map((field, member) => {
          const column = batch.columns.get(field.id)
          if (column === undefined) throw new Error(`a batch has no column ${field.name}`)
          if (column.kind === 'vector') return writeVectors(writer, field.name, column, field.nullable, 0, batch.length)
          const node = tree.children[at] as SchemaTree
          if (struct === undefined) return writeValues(writer, [tree, node], valuesOf(field, column))
          return writeValues(writer, memberPath(tree, node, member), memberValues(field, column))
        }),
      )
      const bytes = BigInt(writer.offset - start)
      file.row_groups.push({ columns, total_byte_size: bytes, num_rows: BigInt(batch.length), total_compressed_size: bytes })
      file.num_rows += BigInt(batch.length)
      rows += batch.length
      return taken()
    },
    finish() {
      void file.finish()
      return taken()
    },
  }
}

interface FieldGroup {
  readonly struct: string | undefined
  /** One, or the sub-fields of the struct. */
  readonly fields: readonly FieldSchema[]
}

/** Sub-fields stand together where the first of them does. */
function groupsOf(fields: readonly FieldSchema[]): readonly FieldGroup[] {
  return fields.flatMap((field): FieldGroup[] => {
    const { struct } = field
    if (struct === undefined) return [{ struct, fields: [field] }]
    const own = fields.filter((other) => other.struct === struct)
    return own[0] === field ? [{ struct, fields: own }] : []
  })
}

function structElements(name: string, fields: readonly FieldSchema[]): SchemaElement[] {
  const repetition_type = fields[0]?.nullable === true ? 'OPTIONAL' : 'REQUIRED'
  return [
    { name, repetition_type, converted_type: 'LIST', num_children: 1 },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', repetition_type: 'REQUIRED', num_children: fields.length },
    ...fields.flatMap((field) => elementsOf({ ...elementField(field), name: nameInStruct(field) })),
  ]
}

function memberPath(tree: SchemaTree, node: SchemaTree, member: number): readonly SchemaTree[] {
  const list = node.children[0] as SchemaTree
  const element = list.children[0] as SchemaTree
  return [tree, node, list, element, element.children[member] as SchemaTree]
}

/** Lists of objects that have this member alone. */
function memberValues(field: FieldSchema, column: Column): unknown[] {
  const name = nameInStruct(field)
  const isBytes = column.kind === 'vectors' && column.elementType !== DataType.FloatVector && column.elementType !== DataType.Int8Vector
  return Array.from({ length: column.length }, (_, row) => {
    if (isNull(column, row) || (column.kind !== 'array' && column.kind !== 'vectors')) return null
    const start = column.offsets[row] as number
    return Array.from({ length: (column.offsets[row + 1] as number) - start }, (_item, i) => ({
      [name]: column.kind === 'array' ? valueAt(field, column.elements, start + i) : vectorItems(column.elements, start + i, isBytes),
    }))
  })
}

/** Numbers, or the bytes of what Parquet has no number for. */
function vectorItems({ data, bytesPerRow, type }: VectorColumn, row: number, isBytes: boolean): number[] {
  const bytes = data.slice(row * bytesPerRow, (row + 1) * bytesPerRow)
  if (isBytes) return Array.from(bytes)
  return Array.from(type === DataType.Int8Vector ? new Int8Array(bytes.buffer) : new Float32Array(bytes.buffer))
}

function writeValues(writer: ByteWriter, path: readonly SchemaTree[], values: ColumnSource['data']): ReturnType<typeof writeColumn>['chunk'] {
  const whole = [...path]
  for (let node = whole.at(-1); node?.children[0] !== undefined; node = node.children[0]) whole.push(node.children[0])
  const leaf = whole.at(-1)?.element as SchemaElement
  const { chunk } = writeColumn({
    writer,
    column: {
      columnName: whole.slice(1).map(({ element }) => element.name).join('.'),
      element: leaf,
      schemaPath: whole.map(({ element }) => element),
      codec: 'SNAPPY',
      compressors: { SNAPPY: snappyCompress },
      stats: false,
      pageSize: 1024 * 1024,
      columnIndex: false,
      offsetIndex: false,
      ...(leaf.type === 'BOOLEAN' ? {} : { encoding: 'PLAIN' as const }),
    },
    pageData: encodeNestedValues(whole, values),
  })
  return chunk
}

function elementsOf(field: FieldSchema): SchemaElement[] {
  const { name, type, nullable } = field
  const repetition_type = nullable ? 'OPTIONAL' : 'REQUIRED'
  switch (type) {
    case DataType.FloatVector:
    case DataType.BinaryVector:
    case DataType.Float16Vector:
    case DataType.BFloat16Vector:
    case DataType.Int8Vector:
      return vectorElements(name, type, nullable)
    case DataType.Array:
      return [
        { name, repetition_type, converted_type: 'LIST', num_children: 1 },
        { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
        { name: 'element', repetition_type: 'REQUIRED', ...scalarElement(field.elementType ?? DataType.None) },
      ]
    default:
      return [{ name, repetition_type, ...scalarElement(type) }]
  }
}

function scalarElement(type: DataType): Pick<SchemaElement, 'type' | 'converted_type'> {
  switch (type) {
    case DataType.Bool:
      return { type: 'BOOLEAN' }
    case DataType.Int8:
      return { type: 'INT32', converted_type: 'INT_8' }
    case DataType.Int16:
      return { type: 'INT32', converted_type: 'INT_16' }
    case DataType.Int32:
      return { type: 'INT32' }
    case DataType.Int64:
      return { type: 'INT64' }
    case DataType.Float:
      return { type: 'FLOAT' }
    case DataType.Double:
      return { type: 'DOUBLE' }
    default:
      // Texts, JSON and what is written as JSON.
      return { type: 'BYTE_ARRAY', converted_type: 'UTF8' }
  }
}

function valuesOf(field: FieldSchema, column: Column): unknown[] {
  return Array.from({ length: column.length }, (_, row) => (isNull(column, row) ? null : valueAt(field, column, row)))
}

function valueAt(field: FieldSchema, column: Column, row: number): unknown {
  switch (column.kind) {
    case 'bool':
      return column.values[row] === 1
    case 'number':
      return column.values[row]
    case 'int64':
      return column.type === DataType.Timestamptz ? formatTimestamptz(column.values[row] as bigint) : column.values[row]
    case 'string':
      return textAt(column, row)
    case 'json':
      return textAt(column, row) || 'null'
    case 'array': {
      const start = column.offsets[row] as number
      return Array.from({ length: (column.offsets[row + 1] as number) - start }, (_, i) => valueAt(field, column.elements, start + i))
    }
    default:
      return stringifyJson(rowToJson([field], new Map([[field.id, column]]), row)[field.name])
  }
}
