/** Chinese words by jieba, the segmenter (and dictionary) that Milvus uses. Its dictionary is read when a text needs it first. */
import { createRequire } from 'node:module'
import type { Jieba } from '@node-rs/jieba'
import { invalid } from '../server/status.ts'
import { type Params, wordsOf } from './params.ts'
import type { Token, Tokenizer } from './token.ts'

interface JiebaModule {
  readonly Jieba: { new (): Jieba; withDict(dict: Uint8Array): Jieba }
}
interface DictModule {
  readonly dict: Uint8Array
}

const load = createRequire(import.meta.url)
const LONE_SURROGATE = /\p{Surrogate}/gu
let shared: Jieba | undefined

/** Loading takes the better part of a second and 50 MB: once, and only in nodes that see Chinese analyzers. */
function segmenter(words: readonly string[], withDefault: boolean): Jieba {
  if (words.length === 0 && withDefault && shared !== undefined) return shared
  const { Jieba: Segmenter } = load('@node-rs/jieba') as JiebaModule
  const { dict } = load('@node-rs/jieba/dict') as DictModule
  const made = withDefault ? Segmenter.withDict(dict) : new Segmenter()
  if (words.length === 0) return (shared = made)
  // A word of its own weight is kept whole even where its parts are common words.
  made.loadDict(new TextEncoder().encode(words.map((word) => `${word} ${OWN_WEIGHT} n\n`).join('')))
  return made
}

const OWN_WEIGHT = 1_000_000

/** @throws MilvusError 1100 for parameters that Milvus refuses */
export function jiebaTokenizer({ dict = ['_default_'], mode = 'search', hmm = true }: Params): Tokenizer {
  if (!Array.isArray(dict)) throw invalid('jieba tokenizer dict must be array')
  const words = wordsOf(dict, 'jieba tokenizer dict')
  for (const word of words) if (word === '' || /\s/u.test(word)) throw invalid('jieba tokenizer dict item must be a word without blanks')
  if (typeof mode !== 'string') throw invalid('jieba tokenizer mode must be string')
  if (mode !== 'exact' && mode !== 'search') throw invalid('jieba tokenizer mode must be "exact" or "search"')
  if (typeof hmm !== 'boolean') throw invalid('jieba tokenizer mode must be boolean')
  const own = words.filter((word) => word !== '_default_')
  let jieba: Jieba | undefined
  return (given) => {
    // A lone surrogate has no UTF-8: it is what the library would make of it, at the same place.
    const text = given.replace(LONE_SURROGATE, '\ufffd')
    jieba ??= segmenter(own, words.includes('_default_'))
    return placed(jieba.cut(text, hmm), mode === 'search' ? jieba.cutForSearch(text, hmm) : undefined)
  }
}

/** Where each word lies. In search mode the shorter words inside of a long one stand before it, by length and then by place. */
function placed(words: readonly string[], all: readonly string[] | undefined): Token[] {
  const tokens: Token[] = []
  const add = (text: string, start: number, position: number): void => {
    tokens.push({ text, start, end: start + text.length, position, positionLength: codePoints(text) })
  }
  let start = 0
  let position = 0
  let next = 0
  for (const word of words) {
    let from = 0
    let length = 0
    for (; all !== undefined && next < all.length && all[next] !== word; next++) {
      const part = all[next] ?? ''
      if (part.length !== length) from = 0
      length = part.length
      const at = word.indexOf(part, from)
      if (at < 0) break
      add(part, start + at, position + codePoints(word.slice(0, at)))
      from = at + 1
    }
    next++
    add(word, start, position)
    start += word.length
    position += codePoints(word)
  }
  return tokens
}

function codePoints(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}
