/** Lexical highlighting: what a search looked for, and what its highlighter names, marked in the texts of its hits. */
import type { Column } from '../model/column.ts'
import { isNull, textAt } from '../model/column.ts'
import { functionInto } from '../model/functions.ts'
import { DataType, primaryField, type CollectionSchema, type FieldSchema } from '../model/schema.ts'
import type { SearchResult } from '../querynode/api.ts'
import { invalid, MilvusError } from '../server/status.ts'
import { fieldAnalyzer, fragmentLength, fragmentsOf, fragmentText, hasFlag, matchedSpans, type FragmentRules } from '../text/index.ts'
import type { HighlightData, HighlightResult, SearchRequest } from '../wire/index.ts'
import { highlightParams } from './highlight-params.ts'
import { searchTexts } from './query-vectors.ts'

/** Characters that are analyzed or written in one turn of the event loop. */
const TURN_CHARACTERS = 32_768
/** UTF-16 units of all fragments of an answer: fragments may overlap, so that there is no end to them by themselves. */
const MAX_CHARACTERS = 2 ** 25
/** Milvus's ErrServiceInternal. */
const INTERNAL = 5

/** A field to mark, and the words of it. */
interface Marked {
  readonly field: FieldSchema
  /** Per query of the search; empty: the search looks for none in this field. */
  readonly ofQueries: readonly ReadonlySet<string>[]
  readonly ofAll: Set<string>
}

export interface SearchHighlighter {
  /** Fields that it reads. */
  readonly fields: readonly FieldSchema[]
  /** One per field, with the fragments of each hit; none where nothing was found. */
  mark(result: SearchResult, pause: () => Promise<void>): Promise<HighlightResult[]>
}

/** @param target where the search looks: the vector field, and the metric that the request names, '' for none */
export function createHighlighter(schema: CollectionSchema, request: SearchRequest, target: { readonly field: FieldSchema; readonly metric: string }): SearchHighlighter | undefined {
  if (request.highlighter === null) return undefined
  const { rules, searchText, queries } = highlightParams(request.highlighter)
  const marked = new Map<number, Marked>()
  if (searchText) {
    const field = searchedField(schema, target)
    marked.set(field.id, { field, ofQueries: searchTexts(request).map((text) => wordsOf(field, text)), ofAll: new Set() })
  }
  for (const { field: name, text } of queries) {
    const field = schema.fields.find((candidate) => candidate.name === name)
    if (field === undefined) throw invalid(`highlight field not found in schema: ${name.slice(0, 80)}`)
    if (field.type !== DataType.VarChar || !hasFlag(field, 'enable_analyzer')) throw invalid(`get highlight failed, field ${field.name} has no analyzer`)
    let own = marked.get(field.id)
    if (own === undefined) marked.set(field.id, (own = { field, ofQueries: [], ofAll: new Set() }))
    for (const word of wordsOf(field, text)) own.ofAll.add(word)
  }
  const all = [...marked.values()]
  return { fields: all.map(({ field }) => field), mark: (result, pause) => markAll(schema, all, rules, result, pause) }
}

/** The text behind the sparse field that is searched. */
function searchedField(schema: CollectionSchema, { field, metric }: { readonly field: FieldSchema; readonly metric: string }): FieldSchema {
  const filledBy = functionInto(schema, field.id)
  if (metric !== 'BM25' && (metric !== '' || filledBy === undefined)) throw invalid(`Search highlight only support with metric type "BM25" but was: ${metric}`)
  const input = schema.fields.find(({ id }) => id === filledBy?.inputFieldId)
  if (input === undefined) throw new MilvusError(INTERNAL, 'Search with highlight failed, input field of BM25 annsField not found')
  return input
}

function wordsOf(field: FieldSchema, text: string): ReadonlySet<string> {
  return new Set(fieldAnalyzer(field).analyze(text).map((token) => token.text))
}

async function markAll(schema: CollectionSchema, marked: readonly Marked[], rules: FragmentRules, result: SearchResult, pause: () => Promise<void>): Promise<HighlightResult[]> {
  if (result.keys.length === 0) return []
  const primary = primaryField(schema)
  const queryOf = [...result.counts].flatMap((count, query) => Array.from({ length: count }, () => query))
  const results: HighlightResult[] = []
  let left = MAX_CHARACTERS
  let sincePause = 0
  for (const { field, ofQueries, ofAll } of marked) {
    const column: Column | undefined = field.id === primary.id ? result.keys : result.columns.get(field.id)
    if (column?.kind !== 'string') throw new Error(`field ${field.name} is missing in a result`)
    const perQuery = ofQueries.map((words) => new Set([...words, ...ofAll]))
    const datas: HighlightData[] = []
    for (const [row, query] of queryOf.entries()) {
      const text = isNull(column, row) ? '' : textAt(column, row)
      const fragments = fragmentsOf(text, matchedSpans(fieldAnalyzer(field), text, perQuery[query] ?? ofAll), rules)
      const length = fragments.reduce((sum, fragment) => sum + fragmentLength(fragment, rules), 0)
      left -= length
      if (left < 0) throw invalid(`the highlights of this search have more than ${MAX_CHARACTERS} characters: ask for less or shorter fragments, or fewer hits`)
      datas.push({ fragments: fragments.map((fragment) => fragmentText(text, fragment, rules)), scores: [] })
      sincePause += text.length + length
      if (sincePause < TURN_CHARACTERS) continue
      sincePause = 0
      await pause()
    }
    results.push({ field_name: field.name, datas })
  }
  return results
}
