/** S12 and S13: patterns are no regular expressions, and templates are values. */
import { describe, expect, it } from 'vitest'
import { compileFilter } from '../../src/filter/index.ts'
import { schema, sourceOf } from './table.ts'

function holds(text: string, rows: readonly { readonly name: string }[], templates?: ReadonlyMap<string, string>): number[] {
  const mask = new Uint8Array(rows.length)
  compileFilter(text, schema, templates).evaluate(sourceOf([...rows]), 0, rows.length, mask)
  return [...mask]
}

describe('filters', () => {
  it('S12: make no RegExp of what users write, and match what would take one for ever', () => {
    const long = 'a'.repeat(60_000)
    const real = globalThis.RegExp
    let made = 0
    const counted = new Proxy(real, {
      construct: (target, args) => (made++, Reflect.construct(target, args) as RegExp),
      apply: (target, self, args) => (made++, Reflect.apply(target as unknown as () => RegExp, self, args)),
    })
    globalThis.RegExp = counted
    try {
      expect(holds(`name like "${'%a'.repeat(64)}%b"`, [{ name: long }, { name: `${long}b` }])).toEqual([0, 1])
      for (const pattern of ['(a+)+$', '[', '.*', 'a{1,}', '^a']) expect(holds(`name like "${pattern}"`, [{ name: pattern }, { name: 'aaa' }])).toEqual([1, 0])
    } finally {
      globalThis.RegExp = real
    }
    expect(made).toBe(0)
  })

  it('S13: read templates as values, whatever is in them', () => {
    for (const hostile of ['" or 1 == 1 or name == "', "' or true", '{other}', '\\" or id > 0', 'null', '%', '__proto__'])
      expect([hostile, holds('name == {value}', [{ name: hostile }, { name: 'x' }], new Map([['value', hostile]]))]).toEqual([hostile, [1, 0]])
  })
})
