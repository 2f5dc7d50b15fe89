/** Rows with an index on each field that can have one, and on each JSON path that is asked for: of texts by order, or by grams. */
import type { Column, ColumnSource, JsonColumn, StringColumn } from '../../src/model/column.ts'
import type { IndexKey, JsonCast, JsonIndex } from '../../src/model/json-index.ts'
import { scalarStructure } from '../../src/model/scalar-index.ts'
import type { ScalarIndex } from '../../src/querynode/scalar-indexes.ts'
import { type CollectionSchema, DataType } from '../../src/model/schema.ts'
import { gramSizes, isIndexedColumn, jsonValues, readBoxFile, readGramFile, readJsonFile, readSortedFile, SortedIndex, writeBoxFile, writeGramFile, writeJsonFile, writeSortedFile } from '../../src/scalar/index.ts'

export interface Indexes {
  get(key: IndexKey): ScalarIndex | undefined
  /** Asks for what is not there yet are collected: build it, and ask again. */
  build(): Promise<boolean>
}

const noPause = async (): Promise<void> => undefined

export function indexOf(column: Column | undefined): SortedIndex {
  if (!isIndexedColumn(column)) throw new Error('a column that is not indexed')
  return new SortedIndex(readSortedFile(writeSortedFile(column).bytes, column, 'a file'), column)
}

/** @param indexType of texts; all others have the one that they can have */
export function indexAll(schema: CollectionSchema, source: ColumnSource, indexType: 'INVERTED' | 'NGRAM' = 'INVERTED'): Indexes {
  const indexes = new Map<IndexKey, ScalarIndex>()
  const asked = new Set<IndexKey>()
  const params = { min_gram: '2', max_gram: '3' }
  const build = async (key: IndexKey): Promise<ScalarIndex | undefined> => {
    if (typeof key === 'string') return jsonIndexByKey(source, key, indexType)
    const field = schema.fields.find(({ id }) => id === key)
    const column = source.column(key)
    if (field === undefined || column === undefined) return undefined
    const structure = ['NGRAM', 'RTREE', 'INVERTED'].filter((name) => name !== 'NGRAM' || indexType === name).map((name) => scalarStructure(field, { indexType: name, params })).find((found) => found !== undefined)
    if (structure?.kind === 'grams' && column.kind === 'string') return gramIndex(column, structure.min, structure.max)
    if (structure?.kind === 'boxes' && column.kind === 'string') return readBoxFile(writeBoxFile(column).bytes, column.length, 'a file')
    return structure?.kind === 'sorted' ? indexOf(column) : undefined
  }
  return {
    get(key) {
      if (!indexes.has(key)) asked.add(key)
      return indexes.get(key)
    },
    async build() {
      let built = 0
      for (const key of asked) {
        const index = await build(key)
        if (index === undefined) continue
        indexes.set(key, index)
        built++
      }
      asked.clear()
      return built > 0
    },
  }
}

export async function gramIndex(column: StringColumn, min: number, max: number): Promise<ScalarIndex> {
  return readGramFile((await writeGramFile(column, gramSizes(min, max), noPause)).bytes, column.length, 'a file')
}

async function jsonIndexByKey(source: ColumnSource, key: string, indexType: string): Promise<ScalarIndex | undefined> {
  const { fieldId, json } = parsedKey(key)
  const column = source.column(fieldId)
  if (column?.kind !== 'json') return undefined
  if (indexType !== 'NGRAM' || json.cast !== DataType.VarChar || json.isList) return jsonIndex(column, json)
  const values = await jsonValues(column, json, noPause)
  return values.kind === 'string' ? gramIndex(values, 2, 3) : undefined
}

export async function jsonIndex(column: JsonColumn, json: JsonIndex): Promise<SortedIndex> {
  const values = await jsonValues(column, json, noPause)
  return readJsonFile(writeJsonFile(values, writeSortedFile(values).bytes).bytes, json, column.length, 'a file')
}

function parsedKey(key: string): { fieldId: number; json: JsonIndex } {
  const [, fieldId, list, cast, path = '[]'] = /^(\d+) (list )?(\d+) (.*)$/s.exec(key) ?? []
  return { fieldId: Number(fieldId), json: { cast: Number(cast) as JsonCast, path: JSON.parse(path) as JsonIndex['path'], isList: list !== undefined } }
}
