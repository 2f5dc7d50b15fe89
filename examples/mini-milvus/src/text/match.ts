/** Whether a text has words, or a phrase: `text_match` and `phrase_match` of filters. */
import type { Analyzer } from './token.ts'

/** What a text must have. */
export interface TextQuery {
  readonly words: ReadonlySet<string>
  /** So many of the words at least. */
  readonly minimum: number
  /** No more than that: {@link test} needs not be asked. */
  readonly isWordsOnly: boolean
  test(text: string): boolean
}

/** At least `minimum` of the query's different words; never, where the query has none. */
export function termQuery(analyzer: Analyzer, query: string, minimum: number): TextQuery {
  const words = new Set(analyzer.analyze(query).map(({ text }) => text))
  return { words, minimum, isWordsOnly: true, test: words.size < minimum ? () => false : termTest(analyzer, words, minimum) }
}

function termTest(analyzer: Analyzer, wanted: ReadonlySet<string>, minimum: number): (text: string) => boolean {
  return (text) => {
    const found = new Set<string>()
    for (const { text: word } of analyzer.analyze(text)) {
      if (!wanted.has(word)) continue
      found.add(word)
      if (found.size >= minimum) return true
    }
    return false
  }
}

/**
 * All words of the query, in its order and distances, give or take: `slop` is how far words may be moved in all, so that two
 * neighbours change places for 2 (as in Lucene).
 */
export function phraseQuery(analyzer: Analyzer, query: string, slop: number): TextQuery {
  /** Per word: where the phrase has it, ascending. */
  const wanted = new Map<string, number[]>()
  for (const { text, position } of analyzer.analyze(query)) wanted.set(text, [...(wanted.get(text) ?? []), position].sort((a, b) => a - b))
  const words = new Set(wanted.keys())
  return { words, minimum: Math.max(1, words.size), isWordsOnly: false, test: wanted.size === 0 ? () => false : phraseTest(analyzer, wanted, slop) }
}

function phraseTest(analyzer: Analyzer, wanted: ReadonlyMap<string, readonly number[]>, slop: number): (text: string) => boolean {
  const words = [...wanted].map(([word, offsets]) => ({ word, offsets }))
  return (text) => {
    const found = new Map<string, number[]>()
    for (const { text: word, position } of analyzer.analyze(text)) {
      if (!wanted.has(word)) continue
      const places = found.get(word)
      if (places === undefined) found.set(word, [position])
      else places.push(position)
    }
    if (found.size < wanted.size) return false
    // Rare words first: where the phrase is not, they say so soonest.
    const parts = words.map(({ word, offsets }) => ({ offsets, places: (found.get(word) ?? []).sort((a, b) => a - b) }))
    parts.sort((a, b) => a.places.length - b.places.length)
    return startsOf(parts, slop).some((start) => parts.every((part) => fits(part, start, slop)))
  }
}

/** A word of a phrase: where the phrase has it, and where the text does, both ascending. */
interface Part {
  readonly offsets: readonly number[]
  readonly places: readonly number[]
}

/** Where the phrase may begin: some word of it is at its place then, and without slop the rarest is. */
function startsOf(parts: readonly Part[], slop: number): number[] {
  const [rarest] = parts
  const [first] = rarest?.offsets ?? []
  if (slop === 0 && rarest !== undefined && first !== undefined) return rarest.places.map((place) => place - first)
  const starts = new Set<number>()
  for (const { offsets, places } of parts) for (const place of places) for (const offset of offsets) starts.add(place - offset)
  return [...starts]
}

/** Each time at its place of the phrase or up to `slop` behind it, no place twice. */
function fits({ offsets, places }: Part, start: number, slop: number): boolean {
  let next = 0
  for (const offset of offsets) {
    next = Math.max(next, firstFrom(places, start + offset))
    const place = places[next]
    if (place === undefined || place > start + offset + slop) return false
    next++
  }
  return true
}

function firstFrom(places: readonly number[], least: number): number {
  let low = 0
  let high = places.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((places[middle] as number) < least) low = middle + 1
    else high = middle
  }
  return low
}
