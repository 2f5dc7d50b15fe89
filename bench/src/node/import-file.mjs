/** A Parquet file as other programs write it: `id`, `bucket` and `vec` as a list of floats, row groups of 100,000 rows, no compression of the vectors. */
import { closeSync, openSync, writeSync } from 'node:fs'
import { load } from '../measure.mjs'
import { DIM } from './collection.mjs'

const GROUP = 100_000
const PAGE = 2_000

/** @param vectors repeated as often as it takes */
export async function writeParquet(path, rows, vectors) {
  const { ByteWriter, ParquetWriter } = await load('hyparquet-writer')
  const { writePageHeader } = await load('hyparquet-writer/src/datapage.js')
  const writer = new ByteWriter()
  const schema = [
    { name: 'schema', num_children: 3 },
    { name: 'id', type: 'INT64', repetition_type: 'REQUIRED' },
    { name: 'bucket', type: 'INT64', repetition_type: 'REQUIRED' },
    { name: 'vec', converted_type: 'LIST', repetition_type: 'REQUIRED', num_children: 1 },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', type: 'FLOAT', repetition_type: 'REQUIRED' },
  ]
  const parquet = new ParquetWriter({ writer, schema, codec: 'UNCOMPRESSED', statistics: false })
  const file = openSync(path, 'w')
  const flush = () => {
    writeSync(file, writer.getBytes())
    writer.index = 0
  }
  const chunk = (name, type, perRow, begin, end, page) => {
    const start = writer.offset
    for (let at = begin; at < end; at += PAGE) {
      const count = Math.min(PAGE, end - at)
      const { repetitions, definitions, data } = page(at, count)
      const size = repetitions.length + definitions.length + data.length
      writePageHeader(writer, {
        type: 'DATA_PAGE_V2', uncompressed_page_size: size, compressed_page_size: size,
        data_page_header_v2: { num_values: count * perRow, num_nulls: 0, num_rows: count, encoding: 'PLAIN', repetition_levels_byte_length: repetitions.length, definition_levels_byte_length: definitions.length, is_compressed: false },
      })
      for (const bytes of [repetitions, definitions, data]) writer.appendBytes(bytes)
      flush()
    }
    const size = BigInt(writer.offset - start)
    return { file_offset: BigInt(start), meta_data: { type, encodings: ['PLAIN'], path_in_schema: name.split('.'), codec: 'UNCOMPRESSED', num_values: BigInt((end - begin) * perRow), total_compressed_size: size, total_uncompressed_size: size, data_page_offset: BigInt(start) } }
  }
  const none = new Uint8Array(0)
  const integers = (of) => (at, count) => ({ repetitions: none, definitions: none, data: new Uint8Array(BigInt64Array.from({ length: count }, (_, i) => BigInt(of(at + i))).buffer) })
  const have = vectors.length / DIM
  const lists = (at, count) => {
    const data = new Float32Array(count * DIM)
    for (let i = 0; i < count; i += 1) data.set(vectors.subarray(((at + i) % have) * DIM, (((at + i) % have) + 1) * DIM), i * DIM)
    return { repetitions: runs(Array.from({ length: count }, () => [[1, 0], [DIM - 1, 1]]).flat()), definitions: runs([[count * DIM, 1]]), data: new Uint8Array(data.buffer) }
  }
  for (let begin = 0; begin < rows; begin += GROUP) {
    const end = Math.min(rows, begin + GROUP)
    const columns = [
      chunk('id', 'INT64', 1, begin, end, integers((row) => row)),
      chunk('bucket', 'INT64', 1, begin, end, integers((row) => row % 100)),
      chunk('vec.list.element', 'FLOAT', DIM, begin, end, lists),
    ]
    const size = columns.reduce((sum, { meta_data: { total_compressed_size: bytes } }) => sum + bytes, 0n)
    parquet.row_groups.push({ columns, total_byte_size: size, num_rows: BigInt(end - begin), total_compressed_size: size })
    parquet.num_rows += BigInt(end - begin)
  }
  parquet.finish()
  flush()
  closeSync(file)
}

/** Levels as runs of `[count, level]`. */
function runs(list) {
  const bytes = []
  for (const [count, level] of list) {
    let header = count * 2
    while (header > 0x7f) {
      bytes.push((header & 0x7f) | 0x80)
      header = Math.floor(header / 128)
    }
    bytes.push(header, level)
  }
  return Uint8Array.from(bytes)
}
