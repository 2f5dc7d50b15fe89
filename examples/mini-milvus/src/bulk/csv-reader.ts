/** CSV with a header line of field names; arrays, vectors and JSON are JSON text in their column. */
import { Readable } from 'node:stream'
import { parse } from 'csv-parse'
import { rowsFromJson } from '../codec/row-json.ts'
import type { CollectionSchema } from '../model/schema.ts'
import { rowNames } from '../model/structs.ts'
import { ImportError, ofFile } from './errors.ts'
import { BATCH_BYTES, BATCH_ROWS, type BatchOfFile, type FileReader, type ReadOptions } from './reader.ts'
import { type Row, RowReader } from './row-text.ts'
import { type BulkFile, chunksOf } from './source.ts'

const MAX_ROW_BYTES = 64 * 1024 * 1024

export function openCsvFile(file: BulkFile, options: ReadOptions): FileReader {
  return { totalRows: undefined, batches: (firstRow) => batches(file, options, firstRow) }
}

async function* batches(file: BulkFile, options: ReadOptions, firstRow: number): AsyncGenerator<BatchOfFile, void, undefined> {
  let read = 0
  const bytes = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of chunksOf(file)) {
      read += chunk.length
      yield chunk
    }
  }
  const { schema, allowInsertAutoId } = options
  let row = 0
  const toBatch = (rows: readonly Row[]): BatchOfFile => {
    const first = row - rows.length
    try {
      return { batch: rowsFromJson(rows, schema, { allowInsertAutoId }), firstRow: first, read: read / file.bytes }
    } catch (error) {
      throw ofFile(error, file.path, first)
    }
  }
  let pending: Row[] = []
  let pendingBytes = 0
  for await (const record of records(file, bytes(), options)) {
    if (row++ < firstRow) continue
    pending.push(toRow(file, options, record, row - 1))
    pendingBytes += record.texts.reduce((sum, text) => sum + text.length, 0)
    if (pending.length < BATCH_ROWS && pendingBytes < BATCH_BYTES) continue
    yield toBatch(pending)
    pending = []
    pendingBytes = 0
  }
  if (pending.length > 0) yield toBatch(pending)
}

interface TextRecord {
  readonly reader: RowReader
  readonly names: readonly string[]
  readonly texts: readonly string[]
}

function toRow(file: BulkFile, { nullText }: ReadOptions, { reader, names, texts }: TextRecord, row: number): Row {
  try {
    return reader.fromTexts(names, texts, nullText, 0)
  } catch (error) {
    throw ofFile(error, file.path, row)
  }
}

async function* records(file: BulkFile, bytes: AsyncIterable<Uint8Array>, { schema, separator }: ReadOptions): AsyncGenerator<TextRecord, void, undefined> {
  const reader = new RowReader(schema)
  const source = Readable.from(bytes)
  const parser = parse({ bom: true, delimiter: separator, skip_empty_lines: true, max_record_size: MAX_ROW_BYTES })
  source.once('error', (error) => parser.destroy(error))
  source.pipe(parser)
  let names: readonly string[] | undefined
  try {
    for await (const texts of parser as AsyncIterable<readonly string[]>) {
      if (names === undefined) names = checkNames(texts, schema.fields.some(({ isDynamic }) => isDynamic), fieldNames(schema))
      else yield { reader, names, texts }
    }
  } catch (error) {
    throw isCsvError(error) ? new ImportError(`${file.path}: ${error.message}`, { cause: error }) : ofFile(error, file.path, 0)
  } finally {
    source.destroy()
    parser.destroy()
  }
  if (names === undefined) throw new ImportError(`${file.path}: expected a header line with the names of fields, got an empty file`)
}

/** `$meta` too. */
function fieldNames(schema: CollectionSchema): Set<string> {
  const names = rowNames(schema)
  for (const { name, isDynamic } of schema.fields) if (isDynamic) names.add(name)
  return names
}

function checkNames(names: readonly string[], hasDynamic: boolean, known: ReadonlySet<string>): readonly string[] {
  const twice = names.find((name, at) => names.indexOf(name) !== at)
  if (twice !== undefined) throw new ImportError(`the header names ${JSON.stringify(twice.slice(0, 64))} twice`)
  const unknown = names.find((name) => !known.has(name))
  if (unknown !== undefined && !hasDynamic) throw new ImportError(`the header names ${JSON.stringify(unknown.slice(0, 64))}, which is no field of the collection`)
  return names
}

function isCsvError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('CSV_')
}
