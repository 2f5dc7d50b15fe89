/** Whether a text has words, or a phrase: `text_match` and `phrase_match` of filters. */
import type { Analyzer } from './token.ts'

export type TextTest = (text: string) => boolean

/** At least `minimum` of the query's different words; never, where the query has none. */
export function termTest(analyzer: Analyzer, query: string, minimum: number): TextTest {
  const wanted = new Set(analyzer.analyze(query).map(({ text }) => text))
  if (wanted.size < minimum) return () => false
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
export function phraseTest(analyzer: Analyzer, query: string, slop: number): TextTest {
  /** Per word: where the phrase has it, ascending. */
  const wanted = new Map<string, number[]>()
  for (const { text, position } of analyzer.analyze(query)) wanted.set(text, [...(wanted.get(text) ?? []), position].sort((a, b) => a - b))
  if (wanted.size === 0) return () => false
  return (text) => {
    const found = new Map<string, number[]>()
    for (const { text: word, position } of analyzer.analyze(text)) {
      if (!wanted.has(word)) continue
      const places = found.get(word)
      if (places === undefined) found.set(word, [position])
      else places.push(position)
    }
    if (found.size < wanted.size) return false
    for (const places of found.values()) places.sort((a, b) => a - b)
    return startsOf(wanted, found).some((start) => fits(wanted, found, start, slop))
  }
}

/** Where the leftmost word could put the phrase's beginning. */
function startsOf(wanted: ReadonlyMap<string, readonly number[]>, found: ReadonlyMap<string, readonly number[]>): number[] {
  const starts = new Set<number>()
  for (const [word, offsets] of wanted) for (const place of found.get(word) ?? []) for (const offset of offsets) starts.add(place - offset)
  return [...starts]
}

/** Each word at its place of the phrase or up to `slop` behind it, no place twice. */
function fits(wanted: ReadonlyMap<string, readonly number[]>, found: ReadonlyMap<string, readonly number[]>, start: number, slop: number): boolean {
  for (const [word, offsets] of wanted) {
    const places = found.get(word) ?? []
    let next = 0
    for (const offset of offsets) {
      while (next < places.length && (places[next] as number) < start + offset) next++
      const place = places[next]
      if (place === undefined || place > start + offset + slop) return false
      next++
    }
  }
  return true
}
