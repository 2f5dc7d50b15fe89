/** The parameters of a search's highlighter, checked by Milvus's rules and in its words. */
import type { FragmentRules } from '../text/index.ts'
import { Code, invalid, MilvusError } from '../server/status.ts'
import { HighlightType, type Highlighter } from '../wire/index.ts'
import { toRecord } from './rpc-values.ts'

/** Milvus's defaults. */
const DEFAULT_SIZE = 100n
const DEFAULT_COUNT = 5n
const MAX_INT64 = 0x7fff_ffff_ffff_ffffn
/** Milvus has no bound of these: analyzing them must not hold up others. */
const MAX_QUERIES = 64
const MAX_QUERY_TEXT = 65_536

/** Words of a field that are marked in every hit. */
export interface HighlightQuery {
  readonly field: string
  readonly text: string
}

export interface HighlightParams {
  readonly rules: FragmentRules
  /** Mark what the search looks for. */
  readonly searchText: boolean
  readonly queries: readonly HighlightQuery[]
}

/** @throws MilvusError 1100 for parameters that Milvus refuses, 10 for a highlighter that asks a model */
export function highlightParams({ type, params }: Highlighter): HighlightParams {
  if (type === HighlightType.Semantic) throw new MilvusError(Code.Unimplemented, 'the semantic highlighter is not served by mini-milvus: it calls no models')
  if (type !== HighlightType.Lexical) throw invalid(`unsupported highlight type: ${type}`)
  const given = toRecord(params)
  return {
    rules: {
      preTags: tags('pre_tags', given['pre_tags'], '<em>'),
      postTags: tags('post_tags', given['post_tags'], '</em>'),
      lead: integer('fragment_offset', given['fragment_offset'], 0n, 0n),
      size: integer('fragment_size', given['fragment_size'], 1n, DEFAULT_SIZE),
      count: integer('num_of_fragments', given['num_of_fragments'], 0n, DEFAULT_COUNT),
    },
    searchText: flag(given['highlight_search_text']),
    queries: queriesOf(given['highlight_query']),
  }
}

function parsed(text: string, what: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new MilvusError(Code.ParameterInvalid, `unmarshal ${what} failed: ${error instanceof Error ? error.message : 'unreadable'}: invalid parameter`, undefined, { cause: error })
  }
}

function tags(name: string, text: string | undefined, usual: string): readonly string[] {
  if (text === undefined) return [usual]
  const list = parsed(text, `${name} as string array`)
  if (!Array.isArray(list) || !list.every((tag): tag is string => typeof tag === 'string')) throw invalid(`unmarshal ${name} as string array failed: ${text.slice(0, 80)}`)
  if (list.length === 0) throw invalid(`${name} cannot be empty list`)
  return list
}

/** Numbers beyond what a text can have mean all of it. */
function integer(name: string, text: string | undefined, least: bigint, usual: bigint): number {
  if (text === undefined) return Number(usual)
  const value = /^[+-]?\d{1,19}$/.test(text) ? BigInt(text.replace('+', '')) : undefined
  if (value === undefined || value < least || value > MAX_INT64) throw invalid(`invalid ${name}: ${text.slice(0, 80)}`)
  return Math.min(Number(value), Number.MAX_SAFE_INTEGER / 2)
}

/** As Go reads a bool. */
function flag(text: string | undefined): boolean {
  if (text === undefined || /^(?:0|f|F|false|FALSE|False)$/.test(text)) return false
  if (/^(?:1|t|T|true|TRUE|True)$/.test(text)) return true
  throw invalid(`unmarshal highlight_search_text as bool failed: ${text.slice(0, 80)}`)
}

function queriesOf(text: string | undefined): readonly HighlightQuery[] {
  if (text === undefined) return []
  const list = parsed(text, 'highlight queries as json array')
  if (!Array.isArray(list)) throw invalid('unmarshal highlight queries as json array failed: it is none')
  if (list.length > MAX_QUERIES) throw invalid(`highlight_query takes at most ${MAX_QUERIES} queries, got ${list.length}`)
  const queries = list.map(queryOf)
  const length = queries.reduce((sum, query) => sum + query.text.length, 0)
  if (length > MAX_QUERY_TEXT) throw invalid(`the texts of highlight_query have at most ${MAX_QUERY_TEXT} characters, got ${length}`)
  return queries
}

function queryOf(given: unknown): HighlightQuery {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw invalid('unmarshal highlight queries failed: item in array is not json object')
  const members = new Map<string, unknown>(Object.entries(given))
  const member = (name: string): string => {
    const value = members.get(name)
    if (value === undefined) throw invalid(`unmarshal highlight queries failed: must set \`${name}\` in query`)
    if (typeof value !== 'string') throw invalid(`unmarshal highlight queries failed: \`${name}\` must be string`)
    return value
  }
  const [text, type, field] = [member('text'), member('type'), member('field')]
  if (type !== 'TextMatch') throw invalid(`unmarshal highlight queries failed: invalid highlight query type: ${type.slice(0, 80)}`)
  return { field, text }
}
