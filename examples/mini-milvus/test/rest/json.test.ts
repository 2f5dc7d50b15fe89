import { describe, expect, it } from 'vitest'
import { parseJsonBody, stringifyJson } from '../../src/rest/json.ts'

const parse = (text: string) => parseJsonBody(new TextEncoder().encode(text))

describe('exact JSON', () => {
  it('keeps integers beyond 2^53, and everything else as JSON.parse has it', () => {
    const text =
      '{"a":9223372036854775807,"b":[-9223372036854775808,1.5,1234567890123456.5,1e30],"c":"12345678901234567890","d":9007199254740991,"e":-0}'
    expect(parse(text)).toEqual({
      a: 9223372036854775807n,
      b: [-9223372036854775808n, 1.5, 1234567890123456.5, 1e30],
      c: '12345678901234567890',
      d: 9007199254740991,
      e: -0,
    })
    expect(stringifyJson(parse('{"a":9223372036854775807,"b":[1,"x",null,{"c":-9223372036854775808}]}'))).toBe(
      '{"a":9223372036854775807,"b":[1,"x",null,{"c":-9223372036854775808}]}',
    )
  })

  it('is not fooled by text that looks like its own marks', () => {
    const value = { a: '\u0000n5', b: '\u0000s5', c: '"9223372036854775807"', '\u0000n7': 1, d: '\\' }
    const text = JSON.stringify({ ...value, big: 1 }).replace('"big":1', '"big":9223372036854775807')
    const parsed = parse(text)
    expect(parsed).toMatchObject({ a: '\u0000n5', b: '\u0000s5', c: '"9223372036854775807"', d: '\\', big: 9223372036854775807n })
  })

  it('keeps hostile keys as own keys', () => {
    const parsed = parse('{"__proto__":{"x":1},"constructor":2,"n":9223372036854775807}')
    expect(Object.keys(parsed)).toEqual(['__proto__', 'constructor', 'n'])
    expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype)
    expect(stringifyJson(parsed)).toBe('{"__proto__":{"x":1},"constructor":2,"n":9223372036854775807}')
  })

  it('refuses what is too deep, too broad, no JSON, no object', () => {
    const bad = [
      '',
      ' ',
      '[]',
      '1',
      'null',
      '"x"',
      '{',
      '{"a":1}}',
      '{"a":01}',
      '{"a":0123456789012345678}',
      `{"a":${'['.repeat(64)}${']'.repeat(64)}}`,
      '['.repeat(1e6),
    ]
    for (const text of bad) expect(() => parse(text)).toThrow('can only accept json format request')
    expect(() => parse(`{${Array.from({ length: 10_001 }, (_, i) => `"k${i}":1`).join(',')}}`)).toThrow('more than 10000 keys')
    expect(() => parseJsonBody(Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toThrow('not valid JSON')
    expect(parse(`{"a":${'['.repeat(63)}${']'.repeat(63)}}`)).toHaveProperty('a')
  })
})
