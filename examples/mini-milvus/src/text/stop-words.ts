import { Code, MilvusError } from '../server/status.ts'

/** What `_english_` stands for: Lucene's list, as in Milvus. */
export const ENGLISH_STOP_WORDS: readonly string[] = (
  'a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to was will with'
).split(' ')

const OTHER_LISTS = new Set(
  ['arabic', 'chinese', 'danish', 'dutch', 'finnish', 'french', 'german', 'hungarian', 'italian', 'norwegian', 'portuguese', 'russian', 'spanish', 'swedish', 'thai'].map(
    (language) => `_${language}_`,
  ),
)

/** @throws MilvusError for the name of a list that this node does not have */
export function stopWords(given: readonly string[]): ReadonlySet<string> {
  const words = new Set<string>()
  for (const word of given) {
    if (OTHER_LISTS.has(word)) throw new MilvusError(Code.Unimplemented, `the stop words ${word} are not served by mini-milvus, list them`)
    if (word === '_english_') for (const each of ENGLISH_STOP_WORDS) words.add(each)
    else words.add(word)
  }
  return words
}
