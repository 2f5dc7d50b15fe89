/** What happens to words between the tokenizer and the index, by the names and rules of Milvus. */
import { Code, invalid, MilvusError } from '../server/status.ts'
import { type Params, paramsOf, wordsOf } from './params.ts'
import { stemmerOf } from './stemmer.ts'
import { stopWords } from './stop-words.ts'
import type { Token, TokenFilter } from './token.ts'

const MARKS = /\p{M}+/gu
const FOLDED: Readonly<Record<string, string>> = {
  ß: 'ss', ẞ: 'SS', æ: 'ae', Æ: 'AE', œ: 'oe', Œ: 'OE', ø: 'o', Ø: 'O', đ: 'd', Đ: 'D', ð: 'd', Ð: 'D', ł: 'l', Ł: 'L', þ: 'th', Þ: 'TH', ı: 'i',
}
const FOLDABLE = new RegExp(`[${Object.keys(FOLDED).join('')}]`, 'gu')
const LATIN = /[\u00c0-\u024f\u1e00-\u1eff]+/gu

/** Punctuation of ASCII. */
const PUNCTUATION = /^[!-/:-@[-`{-~]*$/u
const ASCII_WORD = /^[a-zA-Z0-9]*$/u
const HAN = /\p{Script=Han}/u
const HAN_OR_ASCII_WORD = /[\p{Script=Han}a-zA-Z0-9]/u

const keep = (test: (text: string) => boolean): TokenFilter => (tokens) => tokens.filter(({ text }) => test(text))
const change = (map: (text: string) => string): TokenFilter => (tokens) => tokens.map((token) => ({ ...token, text: map(token.text) }))

export const lowercase = change((text) => text.toLowerCase())
export const cnAlphaNumOnly = keep((text) => HAN_OR_ASCII_WORD.test(text))
export const withoutWords = (words: ReadonlySet<string>): TokenFilter => keep((text) => !words.has(text))
export const stemmed = (language: unknown): TokenFilter => change(stemmerOf(language))

const named: ReadonlyMap<string, TokenFilter> = new Map([
  ['lowercase', lowercase],
  ['asciifolding', change(folded)],
  ['alphanumonly', keep((text) => ASCII_WORD.test(text))],
  ['cncharonly', keep((text) => HAN.test(text))],
  ['cnalphanumonly', cnAlphaNumOnly],
  ['removepunct', keep((text) => !PUNCTUATION.test(text))],
])

function folded(text: string): string {
  return text.replace(LATIN, (run) => run.replace(FOLDABLE, (letter) => FOLDED[letter] ?? letter).normalize('NFD').replace(MARKS, ''))
}

/** @throws MilvusError 1100 for what Milvus refuses */
export function filterOf(given: unknown): TokenFilter {
  if (typeof given === 'string') {
    const filter = named.get(given)
    if (filter === undefined) throw invalid(`build analyzer failed, filter not found :${given.slice(0, 80)}`)
    return filter
  }
  const params = paramsOf(given)
  if (params === undefined) throw invalid('filter should be string or dict')
  const type = params['type']
  if (type === undefined) throw invalid('no type field in filter params')
  if (typeof type !== 'string') throw invalid('filter type should be string')
  return filterOfType(type, params)
}

function filterOfType(type: string, params: Params): TokenFilter {
  switch (type) {
    case 'length':
      return shorterThan(params['max'])
    case 'stop':
      if (params['stop_words'] === undefined) throw invalid('stop filter stop_words was not set')
      return withoutWords(stopWords(wordsOf(params['stop_words'], 'filter stop_words')))
    case 'stemmer':
      return stemmed(params['language'])
    case 'decompounder':
      return decompounded(wordsOf(params['word_list'], 'decompounder word list'))
    case 'regex':
      return byExpression(params['expr'])
    case 'synonym':
    case 'pinyin':
      throw new MilvusError(Code.Unimplemented, `filter ${type} is not served by mini-milvus`)
    default:
      return named.get(type) ?? unsupported(type)
  }
}

function unsupported(type: string): never {
  throw invalid(`unsupport filter type: ${type.slice(0, 80)}`)
}

/** Bytes, as Milvus counts them. */
function shorterThan(max: unknown): TokenFilter {
  if (typeof max !== 'number' || !Number.isInteger(max) || max < 0) throw invalid('lenth max param was none or not uint')
  const encoder = new TextEncoder()
  return keep((text) => text.length * 3 <= max || encoder.encode(text).length <= max)
}

const MAX_EXPRESSION = 256
/** Nested repetitions of JavaScript's engine can take forever: Milvus's is linear. */
const RISKY = /[+*}?]\)*[+*{]|\\[1-9k]|\(\?[=!<]/u

function byExpression(expr: unknown): TokenFilter {
  if (typeof expr !== 'string') throw invalid('regex expr must be string')
  if (expr.length > MAX_EXPRESSION || RISKY.test(expr)) throw new MilvusError(Code.Unimplemented, 'regex filter: this expression is not served by mini-milvus')
  let pattern: RegExp
  try {
    pattern = new RegExp(expr, 'u')
  } catch (error) {
    throw new MilvusError(Code.ParameterInvalid, 'regex expression invalid', undefined, { cause: error })
  }
  return keep((text) => pattern.test(text))
}

/** Words that are made of words of the list, and of nothing else, become those. */
function decompounded(list: readonly string[]): TokenFilter {
  const words = new Set(list.filter((word) => word !== ''))
  const longest = Math.max(0, ...[...words].map((word) => word.length))
  return (tokens) => tokens.flatMap((token) => parts(token, words, longest))
}

function parts(token: Token, words: ReadonlySet<string>, longest: number): Token[] {
  const found: Token[] = []
  const { text } = token
  for (let at = 0; at < text.length; ) {
    let length = Math.min(longest, text.length - at)
    while (length > 0 && !words.has(text.slice(at, at + length))) length--
    if (length === 0) return [token]
    found.push({ ...token, text: text.slice(at, at + length) })
    at += length
  }
  return found.length > 1 ? found : [token]
}
