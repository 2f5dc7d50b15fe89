/** Rows with a sorted index on each field that can have one, and on each JSON path that is asked for. */
import type { Column, ColumnSource, JsonColumn } from '../../src/model/column.ts'
import type { IndexKey, JsonCast, JsonIndex } from '../../src/model/json-index.ts'
import { isSortedIndex } from '../../src/model/scalar-index.ts'
import type { CollectionSchema } from '../../src/model/schema.ts'
import { isIndexedColumn, jsonValues, readJsonFile, readSortedFile, SortedIndex, writeJsonFile, writeSortedFile } from '../../src/scalar/index.ts'

export interface Indexes {
  get(key: IndexKey): SortedIndex | undefined
  /** Asks for paths are collected: build them, and ask again. */
  build(): Promise<boolean>
}

export function indexOf(column: Column | undefined): SortedIndex {
  if (!isIndexedColumn(column)) throw new Error('a column that is not indexed')
  return new SortedIndex(readSortedFile(writeSortedFile(column).bytes, column, 'a file'), column)
}

export function indexAll(schema: CollectionSchema, source: ColumnSource): Indexes {
  const indexes = new Map<IndexKey, SortedIndex>()
  const asked = new Set<string>()
  for (const field of schema.fields) {
    const column = source.column(field.id)
    if (isSortedIndex(field, { indexType: 'INVERTED', params: {} }) && column !== undefined) indexes.set(field.id, indexOf(column))
  }
  return {
    get(key) {
      if (typeof key === 'string' && !indexes.has(key)) asked.add(key)
      return indexes.get(key)
    },
    async build() {
      const keys = [...asked]
      asked.clear()
      for (const key of keys) {
        const { fieldId, json } = parsedKey(key)
        const column = source.column(fieldId)
        if (column?.kind === 'json') indexes.set(key, await jsonIndex(column, json))
      }
      return keys.length > 0
    },
  }
}

export async function jsonIndex(column: JsonColumn, json: JsonIndex): Promise<SortedIndex> {
  const values = await jsonValues(column, json, async () => undefined)
  return readJsonFile(writeJsonFile(values, writeSortedFile(values).bytes).bytes, json, column.length, 'a file')
}

function parsedKey(key: string): { fieldId: number; json: JsonIndex } {
  const [, fieldId, cast, path = '[]'] = /^(\d+) (\d+) (.*)$/s.exec(key) ?? []
  return { fieldId: Number(fieldId), json: { cast: Number(cast) as JsonCast, path: JSON.parse(path) as JsonIndex['path'] } }
}
