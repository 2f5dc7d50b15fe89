/** JSON: `{"rows": [...]}`, a list of objects, or an object a line. */
import { rowsFromJson } from '../codec/row-json.ts'
import { ImportError, ofFile } from './errors.ts'
import { JsonRowSplitter, type RowSpans } from './json-split.ts'
import { BATCH_BYTES, BATCH_ROWS, type BatchOfFile, type FileReader, type ReadOptions } from './reader.ts'
import { parseRows, RowReader } from './row-text.ts'
import { type BulkFile, chunksOf } from './source.ts'

const MAX_ROW_BYTES = 64 * 1024 * 1024

export function openJsonFile(file: BulkFile, options: ReadOptions): FileReader {
  return { totalRows: undefined, batches: (firstRow) => batches(file, options, firstRow) }
}

async function* batches(file: BulkFile, options: ReadOptions, firstRow: number): AsyncGenerator<BatchOfFile, void, undefined> {
  const splitter = new JsonRowSplitter(MAX_ROW_BYTES)
  const rows = new RowReader(options.schema)
  let row = 0
  let bytes = 0
  const give = function* (spans: RowSpans): Generator<BatchOfFile, void, undefined> {
    const passed = Math.min(spans.starts.length, Math.max(0, firstRow - row))
    for (const [begin, end] of pieces(spans, passed)) {
      const first = row + begin
      try {
        const records = parseSpans(spans, begin, end).map((value, at) => rows.fromJson(value, at))
        const batch = rowsFromJson(records, options.schema, { allowInsertAutoId: options.allowInsertAutoId })
        yield { batch, firstRow: first, read: file.bytes === 0 ? 1 : bytes / file.bytes }
      } catch (error) {
        throw ofFile(error, file.path, first)
      }
    }
    row += spans.starts.length
  }
  try {
    for await (const chunk of chunksOf(file)) {
      bytes += chunk.length
      yield* give(splitter.push(chunk))
    }
    yield* give(splitter.end())
  } catch (error) {
    throw ofFile(error, file.path, row)
  }
}

function* pieces({ starts, ends }: RowSpans, from: number): Generator<[begin: number, end: number], void, undefined> {
  for (let begin = from; begin < starts.length; ) {
    let end = begin + 1
    while (end < starts.length && end - begin < BATCH_ROWS && (ends[end] as number) - (starts[begin] as number) <= BATCH_BYTES) end++
    yield [begin, end]
    begin = end
  }
}

function parseSpans({ bytes, starts, ends }: RowSpans, begin: number, end: number): readonly unknown[] {
  let size = end - begin - 1
  for (let at = begin; at < end; at++) size += (ends[at] as number) - (starts[at] as number)
  const joined = new Uint8Array(size)
  let to = 0
  for (let at = begin; at < end; at++) {
    if (at > begin) joined[to++] = 0x2c
    const row = bytes.subarray(starts[at], ends[at])
    joined.set(row, to)
    to += row.length
  }
  try {
    return parseRows(joined)
  } catch (error) {
    throw wrongRow(bytes, starts, ends, begin, end, error)
  }
}

/** The first row that is no JSON by itself. */
function wrongRow(bytes: Uint8Array, starts: readonly number[], ends: readonly number[], begin: number, end: number, cause: unknown): ImportError {
  for (let at = begin; at < end; at++) {
    try {
      parseRows(bytes.subarray(starts[at], ends[at]))
    } catch (error) {
      const reason = (error instanceof Error ? error.message : String(error)).replace('can only accept json format request, error: ', '').replace('the body', 'the row')
      return new ImportError(`${reason}, row number: ${at - begin}`, { cause: error })
    }
  }
  return new ImportError('rows are no valid JSON', { cause })
}
