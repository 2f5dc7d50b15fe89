import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SortedKeys } from '../src/memory/sorted-keys.ts'
import { compareKeys } from '../src/order.ts'

function from(keys: SortedKeys, low: string, most = Infinity): string[] {
  const found: string[] = []
  keys.walk(low, (key) => found.push(key) < most)
  return found
}

describe('SortedKeys', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}'), minLength: 1, maxLength: 4 })

  it('does what a sorted list of the keys would', () => {
    fc.assert(fc.property(fc.array(fc.record({ key: text, low: text, remove: fc.boolean() }), { maxLength: 200 }), (steps) => {
      const keys = new SortedKeys()
      const model = new Set<string>()
      for (const { key, low, remove } of steps) {
        if (!remove && !model.has(key)) {
          model.add(key)
          keys.add(key)
        } else if (remove && model.delete(key)) {
          keys.remove(key)
        }
        expect(from(keys, low)).toEqual([...model].filter((one) => compareKeys(one, low) >= 0).sort(compareKeys))
      }
    }))
  })

  it.each([
    ['ascending', (index: number) => index],
    ['descending', (index: number) => 9999 - index],
    ['scattered', (index: number) => (index * 7919) % 10_000],
  ])('keeps thousands of %s keys through splits, mergers and an empty end', (_, order) => {
    const name = (index: number): string => `k${String(index).padStart(5, '0')}`
    const all = Array.from({ length: 10_000 }, (unused, index) => index)
    const keys = new SortedKeys()
    for (const index of all) keys.add(name(order(index)))
    expect(from(keys, '')).toEqual(all.map(name))
    expect(from(keys, 'k04999x', 2)).toEqual([name(5000), name(5001)])
    for (const index of all) if (order(index) % 700 !== 0) keys.remove(name(order(index)))
    expect(from(keys, 'k00001')).toEqual(all.filter((index) => index > 0 && index % 700 === 0).map(name))
    for (const index of all) if (index % 700 === 0) keys.remove(name(index))
    expect(from(keys, '')).toEqual([])
    keys.add('again')
    expect(from(keys, '')).toEqual(['again'])
  })
})
