import { describe, expect, test } from 'vitest'
import { age, at, count, moment, roughly, text } from '../src/format.ts'

describe('values as people read them', () => {
  test('counts stay exact, whatever their size', () => {
    expect(count('449000000000000001')).toBe('449 000 000 000 000 001')
    expect(count(12)).toBe('12')
    for (const nothing of [undefined, null, 'x', 1.5, {}]) expect(count(nothing)).toBe('–')
    expect([roughly(999), roughly(12_345), roughly(2e9)]).toEqual(['999', '12.3 k', '2.00 G'])
  })

  test('ages and moments', () => {
    expect([0, 5000, 61_000, 7_200_000, 200_000_000].map(age)).toEqual(['now', '5 s', '1 min', '2 h', '2 d'])
    // A hybrid timestamp and the milliseconds in it are the same moment.
    expect(moment(String(1_700_000_000_000n << 18n))).toBe(moment('1700000000000'))
    expect(moment('')).toBe('–')
    expect(moment('-1')).toBe('–')
  })

  test('members by path, as text', () => {
    expect(at({ load: { state: 'loaded' } }, 'load.state')).toBe('loaded')
    expect(at({ load: null }, 'load.state')).toBeUndefined()
    expect([text(undefined), text(''), text(false), text({ a: 1 })]).toEqual(['–', '–', 'false', '{"a":1}'])
  })
})
