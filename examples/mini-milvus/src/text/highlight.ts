/** Matches of a text, shown: pieces of it with tags around the words that were looked for, by the rules of Milvus's lexical highlighter. */
import type { Analyzer } from './token.ts'

/** UTF-16 units of a text: [start, end). */
export type Span = readonly [start: number, end: number]

export interface FragmentRules {
  /** The tags take turns with the matches of a fragment, those before and those behind each for themselves. */
  readonly preTags: readonly string[]
  readonly postTags: readonly string[]
  /** Characters that a fragment shows before its first match. */
  readonly lead: number
  /** Characters of a fragment; more where its matches need them. */
  readonly size: number
  /** Fragments of a text at most. */
  readonly count: number
}

/** A piece of a text, [start, end) in UTF-16 units, with its matches. */
export interface Fragment {
  readonly start: number
  readonly end: number
  readonly matches: readonly Span[]
}

/** Where the text has one of the words, ascending; words that touch or overlap are one span. */
export function matchedSpans(analyzer: Analyzer, text: string, words: ReadonlySet<string>): Span[] {
  const found = analyzer.analyze(text).filter((token) => words.has(token.text))
  found.sort((a, b) => a.start - b.start || a.end - b.end)
  const spans: [number, number][] = []
  for (const { start, end } of found) {
    const last = spans.at(-1)
    if (last === undefined || start > last[1]) spans.push([start, end])
    else last[1] = Math.max(last[1], end)
  }
  return spans
}

/** A fragment begins `lead` characters before its first match, and takes every match that begins in it or right behind it. */
export function fragmentsOf(text: string, spans: readonly Span[], { lead, size, count }: FragmentRules): Fragment[] {
  const characters = charactersOf(text)
  const fragments: { start: number; end: number; matches: Span[] }[] = []
  for (const span of spans) {
    const last = fragments.at(-1)
    if (last !== undefined && span[0] <= last.end) {
      last.matches.push(span)
      last.end = Math.max(last.end, span[1])
      continue
    }
    if (fragments.length >= count) break
    const start = characters.moved(span[0], -lead)
    fragments.push({ start, end: Math.max(span[1], characters.moved(start, size)), matches: [span] })
  }
  return fragments
}

/** UTF-16 units of {@link fragmentText}, before it is made. */
export function fragmentLength({ start, end, matches }: Fragment, { preTags, postTags }: FragmentRules): number {
  return matches.reduce((length, _match, i) => length + tagOf(preTags, i).length + tagOf(postTags, i).length, end - start)
}

export function fragmentText(text: string, { start, end, matches }: Fragment, { preTags, postTags }: FragmentRules): string {
  const parts: string[] = []
  let at = start
  matches.forEach(([from, to], i) => {
    parts.push(text.slice(at, from), tagOf(preTags, i), text.slice(from, to), tagOf(postTags, i))
    at = to
  })
  return parts.join('') + text.slice(at, end)
}

function tagOf(tags: readonly string[], match: number): string {
  return tags[match % tags.length] ?? ''
}

/** Characters are code points: one that takes two units is never divided. */
interface Characters {
  /** The unit that is so many characters away, as far as there are any. */
  moved(unit: number, by: number): number
}

function charactersOf(text: string): Characters {
  if (!/[\ud800-\udfff]/.test(text)) return { moved: (unit, by) => Math.min(text.length, Math.max(0, unit + by)) }
  const starts: number[] = []
  const indexOf = new Uint32Array(text.length + 1)
  for (let unit = 0; unit < text.length; unit++) {
    indexOf[unit] = starts.length
    starts.push(unit)
    if ((text.codePointAt(unit) as number) > 0xffff) indexOf[++unit] = starts.length - 1
  }
  indexOf[text.length] = starts.length
  return { moved: (unit, by) => starts[Math.max(0, (indexOf[unit] as number) + by)] ?? text.length }
}
