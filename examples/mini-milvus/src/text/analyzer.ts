/** Analyzers of fields, by `analyzer_params`: the built-in ones (`{"type": "english"}`) and those that a client composes. */
import type { FieldSchema } from '../model/schema.ts'
import { Code, invalid, MilvusError } from '../server/status.ts'
import { cnAlphaNumOnly, filterOf, lowercase, stemmed, withoutWords } from './filters.ts'
import { type Params, paramsOf, wordsOf } from './params.ts'
import { ENGLISH_STOP_WORDS, stopWords } from './stop-words.ts'
import type { Analyzer, TokenFilter, Tokenizer } from './token.ts'
import { tokenizerOf } from './tokenizers.ts'

const MAX_PARAMS = 65_536
/** Of whatever clients ask for by RunAnalyzer. */
const MAX_KEPT = 64

const kept = new Map<string, Analyzer>()
const ofFields = new WeakMap<FieldSchema['typeParams'], Analyzer>()

/**
 * @param params JSON text; '' is the standard analyzer
 * @throws MilvusError 1100 for parameters that Milvus refuses, 10 for such as this node does not serve
 */
export function analyzerOf(params: string): Analyzer {
  const known = kept.get(params)
  if (known !== undefined) return known
  const made = createAnalyzer(params)
  if (kept.size >= MAX_KEPT) for (const oldest of kept.keys()) if (kept.delete(oldest)) break
  kept.set(params, made)
  return made
}

/** As long as its field is there, whatever others are asked for meanwhile. */
export function fieldAnalyzer({ typeParams }: Pick<FieldSchema, 'typeParams'>): Analyzer {
  let analyzer = ofFields.get(typeParams)
  if (analyzer === undefined) ofFields.set(typeParams, (analyzer = analyzerOf(typeParams['analyzer_params'] ?? '')))
  return analyzer
}

/** A flag among a field's type params. */
export function hasFlag({ typeParams }: Pick<FieldSchema, 'typeParams'>, name: 'enable_analyzer' | 'enable_match'): boolean {
  return typeParams[name]?.toLowerCase() === 'true'
}

function createAnalyzer(text: string): Analyzer {
  if (text.length > MAX_PARAMS) throw invalid(`analyzer params are longer than ${MAX_PARAMS} characters`)
  const params = text.trim() === '' ? {} : paramsOf(parsed(text))
  if (params === undefined) throw invalid('params should be a json map')
  const { type } = params
  if (type !== undefined && typeof type !== 'string') throw invalid('analyzer type shoud be string')
  if (type !== undefined || Object.keys(params).length === 0) return builtIn(type ?? 'standard', params)
  return custom(params)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new MilvusError(Code.ParameterInvalid, `analyzer params are no JSON: ${error instanceof Error ? error.message : 'unreadable'}`, undefined, { cause: error })
  }
}

function builtIn(type: string, { stop_words: words }: Params): Analyzer {
  const stop = words === undefined ? [] : [withoutWords(stopWords(wordsOf(words, 'filter stop_words')))]
  switch (type) {
    case 'standard':
      return chain(tokenizerOf('standard'), [lowercase, ...stop])
    case 'english':
      return chain(tokenizerOf('standard'), [lowercase, stemmed('english'), withoutWords(new Set(ENGLISH_STOP_WORDS)), ...stop])
    case 'chinese':
      return chain(tokenizerOf('jieba'), [cnAlphaNumOnly, ...stop])
    default:
      throw invalid(`unknown build-in analyzer type: ${type.slice(0, 80)}`)
  }
}

function custom(params: Params): Analyzer {
  const tokenizer = tokenizerOf(params['tokenizer'])
  for (const key of Object.keys(params)) if (key !== 'tokenizer' && key !== 'filter') throw invalid(`unknown analyzer option key: ${key.slice(0, 80)}`)
  const filters = params['filter'] ?? []
  if (!Array.isArray(filters)) throw invalid('filter params should be array')
  return chain(tokenizer, filters.map(filterOf))
}

function chain(tokenizer: Tokenizer, filters: readonly TokenFilter[]): Analyzer {
  return { analyze: (text) => filters.reduce((tokens, filter) => filter(tokens), tokenizer(text)) }
}
