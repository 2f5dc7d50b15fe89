/** Texts to words, by the tokenizers that Milvus names: `standard`, `whitespace`, `icu`, `jieba`. */
import { Code, invalid, MilvusError } from '../server/status.ts'
import { jiebaTokenizer } from './jieba.ts'
import { type Params, paramsOf } from './params.ts'
import type { Tokenizer } from './token.ts'

/** What Rust calls alphanumeric, which is what Milvus's tokenizer goes by. */
const WORDS = /[\p{Alphabetic}\p{N}]+/gu
const SPACED = /\S+/gu
const BLANK = /^\s*$/u

/** Known to Milvus, but each needs a dictionary or a service that does not come with this node. */
const NOT_SERVED = ['lindera', 'grpc', 'language_identifier', 'thai', 'char_group', 'custom_delimiter', 'ngram']

function byPattern(pattern: RegExp): Tokenizer {
  return (text) =>
    Array.from(text.matchAll(pattern), (match, position) => ({
      text: match[0],
      start: match.index,
      end: match.index + match[0].length,
      position,
      positionLength: 1,
    }))
}

/** Words by the boundaries of Unicode (UAX #29), with dictionaries for the scripts that need one. */
function icuTokenizer(): Tokenizer {
  const segmenter = new Intl.Segmenter('und', { granularity: 'word' })
  return (text) => {
    const words = Array.from(segmenter.segment(text)).filter(({ segment }) => !BLANK.test(segment))
    return words.map(({ segment, index }, position) => ({ text: segment, start: index, end: index + segment.length, position, positionLength: 1 }))
  }
}

/** @throws MilvusError 1100 for parameters that Milvus refuses */
export function tokenizerOf(given: unknown): Tokenizer {
  if (given === undefined) throw invalid('tokenizer name or type must be set')
  const params: Params | undefined = typeof given === 'string' ? {} : paramsOf(given)
  if (params === undefined) throw invalid('tokenizer name should be string or dict')
  const name = typeof given === 'string' ? given : params['type']
  if (name === undefined) throw invalid('costum tokenizer must set type')
  if (typeof name !== 'string') throw invalid('tokenizer type should be string')
  switch (name) {
    case 'standard':
      if (params['uax29'] === true) throw new MilvusError(Code.Unimplemented, 'standard tokenizer: uax29 is not served by mini-milvus, use the icu tokenizer')
      return byPattern(WORDS)
    case 'whitespace':
      return byPattern(SPACED)
    case 'icu':
      return icuTokenizer()
    case 'jieba':
      return jiebaTokenizer(params)
    default:
      if (NOT_SERVED.includes(name)) throw new MilvusError(Code.Unimplemented, `tokenizer ${name} is not served by mini-milvus`)
      throw invalid(`unsupported tokenizer: ${name.slice(0, 80)}`)
  }
}
