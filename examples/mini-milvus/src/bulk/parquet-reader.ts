/** Parquet: a column a field, `$meta` for the dynamic one; read in slices of rows whatever the size of its row groups. */
import { compressors } from 'hyparquet-compressors'
import { parquetMetadata, parquetSchema } from 'hyparquet/src/metadata.js'
import type { FileMetaData, RowGroup, SchemaTree } from 'hyparquet/src/types.js'
import type { RawField } from '../codec/raw-field.ts'
import { toRowBatch } from '../codec/row-batch.ts'
import { DataType, type FieldSchema, isVectorType, vectorBytes } from '../model/schema.ts'
import { findStruct, nameInStruct, subFields } from '../model/structs.ts'
import { ImportError, isImportError, ofFile } from './errors.ts'
import { LeafStream } from './parquet-leaf.ts'
import { type LeafShape, rawField } from './parquet-values.ts'
import { BATCH_BYTES, BATCH_ROWS, type BatchOfFile, type FileReader, type ReadOptions } from './reader.ts'
import type { BulkFile } from './source.ts'

const MAX_FOOTER_BYTES = 64 * 1024 * 1024

interface FieldColumn {
  readonly field: FieldSchema
  /** From the root to each leaf. */
  readonly paths: readonly (readonly SchemaTree[])[]
}

export async function openParquetFile(file: BulkFile, options: ReadOptions): Promise<FileReader> {
  try {
    const metadata = await readMetadata(file)
    const columns = columnsOf(metadata, options)
    return { totalRows: Number(metadata.num_rows), batches: (firstRow) => batches(file, metadata, columns, options, firstRow) }
  } catch (error) {
    throw readable(error, file, 0)
  }
}

async function readMetadata(file: BulkFile): Promise<FileMetaData> {
  if (file.bytes < 12) throw new ImportError('expected a Parquet file, got fewer bytes than one has')
  const tail = await file.read(file.bytes - 8, 8)
  if (new TextDecoder('latin1').decode(tail.subarray(4)) !== 'PAR1') throw new ImportError('expected a Parquet file, got one that does not end like it')
  const length = new DataView(tail.buffer, tail.byteOffset, 8).getUint32(0, true)
  if (length > MAX_FOOTER_BYTES || length > file.bytes - 8) throw new ImportError(`the footer says that it has ${length} bytes, more than there may be`)
  const metadata = parquetMetadata(await file.read(file.bytes - 8 - length, length + 8), { geoparquet: false })
  const rows = metadata.row_groups.reduce((sum, group) => sum + group.num_rows, 0n)
  if (rows !== metadata.num_rows || rows < 0n) throw new ImportError(`the footer speaks of ${metadata.num_rows} rows, its row groups of ${rows}`)
  return metadata
}

function columnsOf(metadata: FileMetaData, { schema }: ReadOptions): FieldColumn[] {
  const root = parquetSchema(metadata)
  return root.children.flatMap((node): FieldColumn[] => {
    const { name } = node.element
    if (findStruct(schema, name) !== undefined) return structColumns(root, node, subFields(schema, name))
    const field = schema.fields.find((candidate) => candidate.name === name)
    if (field === undefined) throw new ImportError(`the field ${JSON.stringify(name.slice(0, 64))} is not in the schema; values of the dynamic field belong into a column $meta of JSON`)
    const paths = leavesOf([root, node])
    const isSparse = field.type === DataType.SparseFloatVector && paths.length === 2 && node.children.map((child) => child.element.name).join() === 'indices,values'
    if (paths.length !== 1 && !isSparse) throw new ImportError(`field ${name}: groups of several columns are not read`)
    return [{ field, paths }]
  })
}

/** A list of groups: each leaf below them is one of the sub-fields. */
function structColumns(root: SchemaTree, node: SchemaTree, fields: readonly FieldSchema[]): FieldColumn[] {
  const known = new Map(fields.map((field) => [nameInStruct(field), field]))
  return leavesOf([root, node]).map((path) => {
    const repeated = path.findIndex(({ element }) => element.repetition_type === 'REPEATED')
    // Between the list and its members may stand a group that is an item, and has no name of its own.
    const names = path.slice(repeated < 0 ? path.length : repeated + 1).map(({ element }) => element.name)
    const field = known.get(names.length > 1 && !known.has(names[0] as string) ? (names[1] as string) : (names[0] ?? ''))
    if (field === undefined) throw new ImportError(`field ${node.element.name}: expected a list of groups with ${[...known.keys()].join(', ')}, got ${path.slice(1).map(({ element }) => element.name).join('.')}`)
    return { field, paths: [path] }
  })
}

function leavesOf(path: readonly SchemaTree[]): (readonly SchemaTree[])[] {
  const node = path.at(-1)
  return node === undefined || node.children.length === 0 ? [path] : node.children.flatMap((child) => leavesOf([...path, child]))
}

async function* batches(file: BulkFile, metadata: FileMetaData, columns: readonly FieldColumn[], options: ReadOptions, firstRow: number): AsyncGenerator<BatchOfFile, void, undefined> {
  const total = Number(metadata.num_rows)
  const step = stepOf(columns)
  let groupStart = 0
  for (const group of metadata.row_groups) {
    const rows = Number(group.num_rows)
    if (groupStart + rows > firstRow) {
      try {
        for await (const { fields, first, count } of slices(file, group, columns, Math.max(0, firstRow - groupStart), step, groupStart)) {
          yield { batch: toBatch(file, fields, groupStart + first, count, options), firstRow: groupStart + first, read: (groupStart + first + count) / total }
        }
      } catch (error) {
        throw readable(error, file, groupStart)
      }
    }
    groupStart += rows
  }
}

/** Rows of one row group from `from` on. */
async function* slices(file: BulkFile, group: RowGroup, columns: readonly FieldColumn[], from: number, step: number, groupStart: number): AsyncGenerator<{ fields: RawField[]; first: number; count: number }, void, undefined> {
  const streams = columns.map(({ field, paths }) => ({ field, shapes: paths.map(shapeOf), leaves: paths.map((path) => openLeaf(file, group, path)) }))
  const rows = Number(group.num_rows)
  // Rows before are decoded and passed over: pages do not tell everywhere which rows they hold.
  for (let at = 0; at < rows; ) {
    const count = Math.min(step, (at < from ? from : rows) - at)
    const fields: RawField[] = []
    for (const { field, shapes, leaves } of streams) {
      try {
        const taken = []
        for (const leaf of leaves) taken.push(await leaf.take(count))
        if (taken.some(({ counts, values }) => (counts?.length ?? values.length) !== count)) throw new ImportError(`field ${field.name}: a column has fewer rows than its row group`)
        if (at >= from) fields.push(rawField(field, shapes, taken, count))
      } catch (error) {
        throw readable(error, file, groupStart + at, field)
      }
    }
    if (at >= from) yield { fields, first: at, count }
    at += count
  }
}

function openLeaf(file: BulkFile, group: RowGroup, path: readonly SchemaTree[]): LeafStream {
  const name = path.slice(1).map(({ element }) => element.name).join('\0')
  const chunk = group.columns.find(({ meta_data: meta }) => meta?.path_in_schema.join('\0') === name)
  if (chunk?.meta_data === undefined || chunk.file_path !== undefined) throw new ImportError(`a row group has no column ${name.replaceAll('\0', '.')}`)
  return new LeafStream(file, { path, chunk: chunk.meta_data }, compressors)
}

function shapeOf(path: readonly SchemaTree[]): LeafShape {
  return { element: (path.at(-1) as SchemaTree).element, isList: path.slice(1).some(({ element }) => element.repetition_type === 'REPEATED') }
}

function stepOf(columns: readonly FieldColumn[]): number {
  const bytes = columns.reduce((sum, { field }) => sum + (isVectorType(field.type) && field.dim !== undefined ? vectorBytes(field.type, field.dim) : 64), 0)
  return Math.max(1, Math.min(BATCH_ROWS, Math.floor(BATCH_BYTES / bytes)))
}

function toBatch(file: BulkFile, fields: readonly RawField[], firstRow: number, rows: number, { schema, allowInsertAutoId }: ReadOptions): BatchOfFile['batch'] {
  try {
    return toRowBatch({ dbName: '', collectionName: schema.name, partitionName: '', numRows: rows, schemaTimestamp: 0n, fields }, schema, { allowInsertAutoId })
  } catch (error) {
    throw ofFile(error, file.path, firstRow)
  }
}

/** What the decoder throws for damage has no class of its own. */
function readable(error: unknown, file: BulkFile, row: number, field?: FieldSchema): unknown {
  if (isImportError(error) || (error instanceof Error && error.name === 'CodecError')) return ofFile(error, file.path, row)
  const isOfStore = error instanceof Error && 'code' in error && !(error instanceof TypeError || error instanceof RangeError)
  if (!(error instanceof Error) || isOfStore) return error
  return new ImportError(`${file.path}: ${field === undefined ? '' : `field ${field.name}, from row ${row} on: `}cannot be read as Parquet: ${error.message}`, { cause: error })
}
