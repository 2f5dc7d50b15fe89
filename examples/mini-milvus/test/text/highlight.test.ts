import { describe, expect, it } from 'vitest'
import { analyzerOf, fragmentLength, fragmentsOf, fragmentText, matchedSpans, type FragmentRules } from '../../src/text/index.ts'
import { seededRandom } from '../e2e/support.ts'

const plain = JSON.stringify({ tokenizer: 'standard' })
const rules = (more: Partial<FragmentRules> = {}): FragmentRules => ({ preTags: ['{'], postTags: ['}'], lead: 0, size: 100, count: 5, ...more })

function highlights(text: string, query: string, wanted: FragmentRules = rules(), params = plain): string[] {
  const analyzer = analyzerOf(params)
  const words = new Set(analyzer.analyze(query).map((token) => token.text))
  return fragmentsOf(text, matchedSpans(analyzer, text, words), wanted).map((fragment) => fragmentText(text, fragment, wanted))
}

const WATER = 'I have the seat full of water! Like, full of water!'

// The texts and answers are those that Milvus's own tests expect of it.
describe('highlights', () => {
  it.each([
    [{ size: 1, count: 0 }, []],
    [{ size: 1, count: 1 }, ['{water}']],
    [{ size: 1, count: 2 }, ['{water}', '{water}']],
    [{ size: 9, count: 2 }, ['{water}! Li', '{water}!']],
    [{ size: 100, count: 2 }, ['{water}! Like, full of {water}!']],
    [{ size: 5, count: 2, lead: 5 }, ['l of {water}', 'l of {water}']],
    [{ size: 5, count: 2, lead: 100 }, ['I have the seat full of {water}', 'I have the seat full of water! Like, full of {water}']],
  ])('a fragment begins before its first match, has its size, and all of its matches: %j', (more, expected) => {
    expect(highlights(WATER, 'water', rules(more))).toEqual(expected)
  })

  it.each([
    ['A leakage of what?', ['{A} {leakage} {of}', 'e of {what}?']],
    ['Is there a leakage?', ['re a {leakage}']],
    ["Let's add that to the words of wisdom", ['ords {of} wi']],
    ['A B C D 一二三四 milvus结巴分词器中文测试', ['{A} B C D 一二']],
    ['nothing there', []],
    ['', []],
  ])('words of a sentence, each in one fragment: %s', (text, expected) => {
    expect(highlights(text, 'A leakage of what?', rules({ lead: 5, size: 10, count: 10 }))).toEqual(expected)
  })

  it('tags take turns, those before and those behind each for themselves', () => {
    expect(highlights(WATER, 'water', rules({ preTags: ['{', '<'], postTags: ['}', '>'] }))).toEqual(['{water}! Like, full of <water>!'])
    expect(highlights(WATER, 'water', rules({ postTags: ['}', '>'] }))).toEqual(['{water}! Like, full of {water>!'])
    expect(highlights('key key key', 'key', rules({ preTags: ['1', '2'], postTags: [''] }))).toEqual(['1key 2key 1key'])
  })

  it('matches words as the analyzer sees them, and shows them as they are written', () => {
    expect(highlights('Apples, apple PIES', 'apple pie', rules(), JSON.stringify({ type: 'english' }))).toEqual(['{Apples}, {apple} {PIES}'])
    expect(highlights('word 1 word 12 word 123', '1', rules({ lead: 100, size: 5 }))).toEqual(['word {1}'])
  })

  it('words that touch are one match', () => {
    expect(highlights('我在北京大学读书', '北京大学', rules(), JSON.stringify({ type: 'chinese' }))).toEqual(['{北京大学}读书'])
  })

  it('counts characters, and divides none', () => {
    const text = '😀😀 fox 😀😀😀'
    expect(highlights(text, 'fox', rules({ lead: 2, size: 6 }))).toEqual(['😀 {fox} '])
    expect(highlights(text, 'fox', rules({ lead: 100, size: 8 }))).toEqual(['😀😀 {fox} 😀'])
  })

  it('shows pieces of the text with its matches in them, whatever the rules', () => {
    const random = seededRandom(11)
    const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T
    for (let round = 0; round < 500; round++) {
      const text = Array.from({ length: Math.floor(random() * 30) }, () => pick(['fox', 'dog', 'Fox', '狐狸', '😀', 'é', ', ', ' ', '. '])).join(pick(['', ' ']))
      const wanted = rules({ preTags: ['⟦'], postTags: ['⟧'], lead: Math.floor(random() * 12), size: 1 + Math.floor(random() * 20), count: Math.floor(random() * 4) })
      const analyzer = analyzerOf('')
      const spans = matchedSpans(analyzer, text, new Set(['fox', '狐']))
      const fragments = fragmentsOf(text, spans, wanted)
      const shown = fragments.map((fragment) => fragmentText(text, fragment, wanted))
      const bare = shown.map((piece) => piece.replaceAll(/[⟦⟧]/g, ''))
      const marked = shown.flatMap((piece) => [...piece.matchAll(/⟦([^⟦⟧]*)⟧/g)].map(([, inside]) => inside?.toLowerCase()))
      const matches = fragments.flatMap((fragment) => fragment.matches)
      expect({
        round,
        text,
        wanted,
        shown,
        tooMany: shown.length > wanted.count,
        matches,
        lengths: fragments.map((fragment) => fragmentLength(fragment, wanted)),
        strange: [...bare.filter((piece) => !text.includes(piece) || /\p{Surrogate}/u.test(piece)), ...marked.filter((inside) => !/^(?:fox|狐)+$/.test(inside ?? ''))],
      }).toEqual({ round, text, wanted, shown, tooMany: false, matches: spans.slice(0, matches.length), lengths: shown.map(({ length }) => length), strange: [] })
    }
  })
})
