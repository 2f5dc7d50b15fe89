import { describe, expect, it } from 'vitest'
import { filterTemplates } from '../../src/proxy/templates.ts'
import type { TemplateArrayValue } from '../../src/wire/index.ts'

const json = (...texts: string[]): { x: { array_val: TemplateArrayValue } } => ({
  x: { array_val: { json_data: { data: texts.map((text) => new TextEncoder().encode(text)) } } },
})

describe('filter templates', () => {
  it('keep what they are: integers as bigints, text as text, bytes as bytes', () => {
    const bytes = Uint8Array.of(1, 2)
    const values = filterTemplates({
      bool: { bool_val: false },
      int: { int64_val: 9_007_199_254_740_993n },
      float: { float_val: 1 },
      text: { string_val: '" or 1 == 1' },
      bytes: { bytes_val: bytes },
      list: { array_val: { array_data: { data: [{ long_data: { data: [1n] } }, { string_data: { data: ['a'] } }] } } },
    })
    expect(Object.fromEntries(values)).toEqual({ bool: false, int: 9_007_199_254_740_993n, float: 1, text: '" or 1 == 1', bytes, list: [[1n], ['a']] })
  })

  it('read JSON with exact integers, and nothing else than it says', () => {
    const values = filterTemplates(json('1', '-9007199254740993', '1.0', '2e3', '"n5"', '"s\\"7"', '"a 12 b"', 'true', '[1, "2", [3.5]]', ' 4 '))
    expect(values.get('x')).toEqual([1n, -9_007_199_254_740_993n, 1, 2000, 'n5', 's"7', 'a 12 b', true, [1n, '2', [3.5]], 4n])
  })

  it.each([['{'], ['01'], ['"\\ud8'], ['null'], ['{"a":1}'], ['[null]'], ['']])('refuse the JSON %j', (text) => {
    expect(() => filterTemplates(json(text))).toThrow(expect.objectContaining({ code: 1100 }))
  })

  it('refuse a template without a value', () => {
    expect(() => filterTemplates({ x: {} })).toThrow('template x has no value')
  })
})
