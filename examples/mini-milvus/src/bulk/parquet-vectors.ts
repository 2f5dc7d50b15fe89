/** Dense vectors as a Parquet column: lists whose items are copied as they lie, with levels that are the same for every row. */
import type { ByteWriter } from 'hyparquet-writer'
import { writePageHeader } from 'hyparquet-writer/src/datapage.js'
import type { ColumnChunk, SchemaElement } from 'hyparquet'
import type { VectorColumn } from '../model/column.ts'
import { DataType } from '../model/schema.ts'

const PAGE_BYTES = 1024 * 1024

/** The column's group, its list and its items. Bytes stand for what Parquet has no number for, as in Milvus's own files. */
export function vectorElements(name: string, type: DataType, nullable: boolean): SchemaElement[] {
  return [
    { name, repetition_type: nullable ? 'OPTIONAL' : 'REQUIRED', converted_type: 'LIST', num_children: 1 },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    type === DataType.FloatVector
      ? { name: 'element', type: 'FLOAT', repetition_type: 'REQUIRED' }
      : { name: 'element', type: 'INT32', converted_type: type === DataType.Int8Vector ? 'INT_8' : 'UINT_8', repetition_type: 'REQUIRED' },
  ]
}

/** Rows `begin .. end` of a column as a column chunk. */
export function writeVectors(writer: ByteWriter, name: string, column: VectorColumn, nullable: boolean, begin: number, end: number): ColumnChunk {
  const start = writer.offset
  const isFloat = column.type === DataType.FloatVector
  const items = isFloat ? column.dim : column.bytesPerRow
  const step = Math.max(1, Math.floor(PAGE_BYTES / (items * 4)))
  let values = 0
  for (let at = begin; at < end; at += step) values += writePage(writer, column, nullable, at, Math.min(end, at + step), items)
  const size = BigInt(writer.offset - start)
  return {
    meta_data: {
      type: isFloat ? 'FLOAT' : 'INT32',
      encodings: ['PLAIN', 'RLE'],
      path_in_schema: [name, 'list', 'element'],
      codec: 'UNCOMPRESSED',
      num_values: BigInt(values),
      total_compressed_size: size,
      total_uncompressed_size: size,
      data_page_offset: BigInt(start),
    },
    file_offset: BigInt(start),
  }
}

function writePage(writer: ByteWriter, column: VectorColumn, nullable: boolean, begin: number, end: number, items: number): number {
  const repetitions = new RunWriter()
  const definitions = new RunWriter()
  const max = nullable ? 2 : 1
  let nulls = 0
  for (let row = begin; row < end; row++) {
    const isNull = column.valid?.[row] === 0
    if (isNull) nulls++
    repetitions.run(1, 0)
    if (!isNull) repetitions.run(items - 1, 1)
    definitions.run(isNull ? 1 : items, isNull ? 0 : max)
  }
  const levels = [repetitions.bytes(), definitions.bytes()] as const
  const data = dataOf(column, begin, end)
  const size = levels[0].length + levels[1].length + data.length
  const values = (end - begin - nulls) * items + nulls
  writePageHeader(writer, {
    type: 'DATA_PAGE_V2',
    uncompressed_page_size: size,
    compressed_page_size: size,
    data_page_header_v2: {
      num_values: values,
      num_nulls: nulls,
      num_rows: end - begin,
      encoding: 'PLAIN',
      repetition_levels_byte_length: levels[0].length,
      definition_levels_byte_length: levels[1].length,
      is_compressed: false,
    },
  })
  for (const bytes of [...levels, data]) writer.appendBytes(bytes)
  return values
}

/** Without nulls; bytes become numbers of four. */
function dataOf({ data, bytesPerRow, valid, type }: VectorColumn, begin: number, end: number): Uint8Array {
  const present: Uint8Array[] = []
  if (valid === undefined) present.push(data.subarray(begin * bytesPerRow, end * bytesPerRow))
  else for (let row = begin; row < end; row++) if (valid[row] === 1) present.push(data.subarray(row * bytesPerRow, (row + 1) * bytesPerRow))
  const bytes = new Uint8Array(present.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of present) {
    bytes.set(part, at)
    at += part.length
  }
  if (type === DataType.FloatVector) return bytes
  const numbers = type === DataType.Int8Vector ? Int32Array.from(new Int8Array(bytes.buffer)) : Int32Array.from(bytes)
  return new Uint8Array(numbers.buffer)
}

/** Levels of at most two bits as runs. */
class RunWriter {
  readonly #bytes: number[] = []
  #count = 0
  #value = 0

  run(count: number, value: number): void {
    if (count === 0) return
    if (value !== this.#value) this.#flush()
    this.#value = value
    this.#count += count
  }

  bytes(): Uint8Array {
    this.#flush()
    return Uint8Array.from(this.#bytes)
  }

  #flush(): void {
    if (this.#count === 0) return
    let header = this.#count * 2
    while (header > 0x7f) {
      this.#bytes.push((header & 0x7f) | 0x80)
      header = Math.floor(header / 128)
    }
    this.#bytes.push(header, this.#value)
    this.#count = 0
  }
}
