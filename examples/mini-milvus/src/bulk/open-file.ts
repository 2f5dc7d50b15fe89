/** Which reader a group of files needs, by their names' endings. */
import { openCsvFile } from './csv-reader.ts'
import { ImportError } from './errors.ts'
import { openJsonFile } from './json-reader.ts'
import { openNpyFiles } from './npy-reader.ts'
import { openParquetFile } from './parquet-reader.ts'
import type { FileReader, ReadOptions } from './reader.ts'
import type { BulkFile } from './source.ts'

export type BulkFormat = 'json' | 'csv' | 'parquet' | 'npy'

const ENDINGS: ReadonlyMap<string, BulkFormat> = new Map([
  ['json', 'json'],
  ['jsonl', 'json'],
  ['ndjson', 'json'],
  ['csv', 'csv'],
  ['parquet', 'parquet'],
  ['npy', 'npy'],
])

export function formatOf(path: string): BulkFormat {
  const ending = /\.([^./]+)$/.exec(path)?.[1]?.toLowerCase() ?? ''
  const format = ENDINGS.get(ending)
  if (format === undefined) throw new ImportError(`${path}: expected a file of type ${[...ENDINGS.keys()].map((name) => `.${name}`).join(', ')}`)
  return format
}

/** Files that are rows together: the `.npy` files of a folder, which are named after their fields, else one file each. */
export function groupsOf(paths: readonly string[]): string[][] {
  const folders = new Map<string, string[]>()
  const groups: string[][] = []
  for (const path of paths) {
    if (formatOf(path) !== 'npy') {
      groups.push([path])
      continue
    }
    const folder = path.slice(0, path.lastIndexOf('/') + 1)
    const known = folders.get(folder)
    if (known !== undefined) known.push(path)
    else {
      const group = [path]
      folders.set(folder, group)
      groups.push(group)
    }
  }
  return groups
}

export async function openFiles(files: readonly BulkFile[], options: ReadOptions): Promise<FileReader> {
  const [first] = files
  if (first === undefined) throw new ImportError('expected at least one file')
  const format = formatOf(first.path)
  if (files.some(({ path }) => formatOf(path) !== format)) throw new ImportError(`${first.path}: files of one group are of one type`)
  if (format === 'npy') return openNpyFiles(files, options)
  if (files.length > 1) throw new ImportError(`${first.path}: a group takes one file of type ${format}, got ${files.length}`)
  if (format === 'json') return openJsonFile(first, options)
  return format === 'csv' ? openCsvFile(first, options) : openParquetFile(first, options)
}
