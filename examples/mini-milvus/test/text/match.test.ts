import { describe, expect, it } from 'vitest'
import { analyzerOf, phraseQuery, termQuery } from '../../src/text/index.ts'
import { seededRandom } from '../e2e/support.ts'

const analyzer = analyzerOf('')

describe('matching', () => {
  it('of terms wants some of the query', () => {
    const test = termQuery(analyzer, 'apple pear Apple', 1).test
    expect(['an APPLE', 'pear!', 'apples', ''].map(test)).toEqual([true, true, false, false])
    expect(['apple apple', 'pear apple'].map(termQuery(analyzer, 'apple pear plum', 2).test)).toEqual([false, true])
    expect(termQuery(analyzer, '?!', 1).test('?!')).toBe(false)
    expect(termQuery(analyzer, 'apple', 2).test('apple')).toBe(false)
  })

  it('of phrases wants all of the query, in order', () => {
    const text = 'the quick brown fox jumps over the lazy dog'
    const test = (phrase: string, slop = 0): boolean => phraseQuery(analyzer, phrase, slop).test(text)
    expect([test('quick brown'), test('brown quick'), test('quick fox'), test('the lazy dog'), test(''), test('fox')]).toEqual([true, false, false, true, false, true])
    expect([test('quick fox', 1), test('brown quick', 1), test('brown quick', 2), test('the the', 1), test('the the', 5)]).toEqual([true, false, true, false, true])
  })

  it('of phrases is what trying all places finds', () => {
    const seed = 20_261_121
    const random = seededRandom(seed)
    const pick = (most: number): string[] => Array.from({ length: 1 + Math.floor(random() * most) }, () => 'abcd'[Math.floor(random() * 4)] as string)
    for (let round = 0; round < 3000; round++) {
      const text = pick(9)
      const phrase = pick(4)
      const slop = Math.floor(random() * 4)
      const found = phraseQuery(analyzer, phrase.join(' '), slop).test(text.join(' '))
      const asked = { seed, text: text.join(' '), phrase: phrase.join(' '), slop }
      expect({ ...asked, found }).toEqual({ ...asked, found: anyPlaces(text, phrase, slop) })
    }
  })
})

/** Each word of the phrase at a place of its own, and the shifts from the phrase at most `slop` apart. */
function anyPlaces(text: readonly string[], phrase: readonly string[], slop: number, places: readonly number[] = []): boolean {
  if (places.length === phrase.length) {
    const shifts = places.map((place, i) => place - i)
    return Math.max(...shifts) - Math.min(...shifts) <= slop
  }
  return text.some((word, place) => word === phrase[places.length] && !places.includes(place) && anyPlaces(text, phrase, slop, [...places, place]))
}
