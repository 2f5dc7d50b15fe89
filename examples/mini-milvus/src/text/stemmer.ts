/** Snowball's stemmers. */
import { createRequire } from 'node:module'
import { invalid } from '../server/status.ts'

interface Stemmer {
  stem(word: string): string
}
interface Snowball {
  newStemmer(language: string): Stemmer
}

/** Those of Milvus, but for Greek, which the library lacks. */
const LANGUAGES = [
  'arabic', 'danish', 'dutch', 'english', 'finnish', 'french', 'german', 'hungarian', 'italian', 'norwegian', 'portuguese', 'romanian',
  'russian', 'spanish', 'swedish', 'tamil', 'turkish',
]

/** Words whose stems are kept: texts repeat theirs. */
const MAX_KEPT = 10_000

const load = createRequire(import.meta.url)

export function stemmerOf(language: unknown): (word: string) => string {
  if (typeof language !== 'string') throw invalid('stemmer language field should be string')
  const name = language.toLowerCase()
  if (!LANGUAGES.includes(name)) throw invalid(`unsupported stemmer language: ${name.slice(0, 80)}`)
  const stemmer = (load('snowball-stemmers') as Snowball).newStemmer(name)
  const kept = new Map<string, string>()
  return (word) => {
    const known = kept.get(word)
    if (known !== undefined) return known
    const stem = stemmer.stem(word)
    if (kept.size >= MAX_KEPT) kept.clear()
    kept.set(word, stem)
    return stem
  }
}
