import { describe, expect, test } from 'vitest'
import { compileFilter, FilterError } from '../../src/filter/index.ts'
import type { TemplateValue } from '../../src/filter/index.ts'
import { match, schema, staticSchema } from './table.ts'
import type { Row } from './table.ts'

function errorOf(text: string, of = schema, templates: ReadonlyMap<string, TemplateValue> = new Map()): FilterError {
  try {
    compileFilter(text, of, templates)
  } catch (error) {
    if (error instanceof FilterError) return error
    throw error
  }
  throw new Error(`${text} compiled`)
}

describe('precedence', () => {
  const rows: Row[] = [{ i32: 1, i64: 1n }, { i32: 1, i64: 2n }, { i32: 2, i64: 2n }, { i32: 3, i64: 9n }]
  test.each([
    ['i32 == 1 or i32 == 2 and i64 == 2', [0, 1, 2]],
    ['(i32 == 1 or i32 == 2) and i64 == 2', [1, 2]],
    ['not (i32 == 1) and i64 == 2', [2]],
    ['! (i32 == 1) && i64 == 2 || i32 == 3', [2, 3]],
    ['i32 == 1 + 2 * 1', [3]],
    ['i32 == 2 ** 2 - 1', [3]],
    ['i32 == (1 | 2)', [3]],
    ['i32 == 7 >> 1', [3]],
    ['i32 == -(-3)', [3]],
    ['1 < i32 <= 3', [2, 3]],
    ['3 > i32 >= 1', [0, 1, 2]],
    ['i32 + 1 == 2', [0, 1]],
    ['1 + i32 == 2', [0, 1]],
    ['i32 % 2 == 1', [0, 1, 3]],
    ['i64 / 4 == 2', [3]],
    ['i32 < i64', [1, 3]],
    ['i32 in [1, 3,]', [0, 1, 3]],
    ['i32 not in [1, 3]', [2]],
    ['i32 in []', []],
    ['i32 not in []', [0, 1, 2, 3]],
    ['1 == i32', [0, 1]],
    ['i32 == 0x2', [2]],
    ['i32 == 0b11', [3]],
    ['i64 == 011', [3]],
    ['1 < 2 and i32 == 1', [0, 1]],
    ['true', [0, 1, 2, 3]],
  ])('%s', (text, expected) => expect(match(text, rows)).toEqual(expected))

  test('not binds tighter than a comparison', () => {
    const error = errorOf('not i32 == 1')
    expect(error.kind).toBe('type')
    expect(error.message).toContain('not (…)')
  })

  test.each(['i32 Is null', 'i32 is  null', 'i32 not like "x"', 'i32 between 1 and 2', 'i32 = 1', 'i32 And i64', '# x', 'i32 == 1 // x', 'i32 ==', '', 'name ["a"] == 1', '09 == i32', '1a == i32', 'a == "x', '(a == 1', 'a in [1', 'a == 1)'].filter(Boolean))(
    '%s is a syntax error',
    (text) => expect(errorOf(text).kind).toBe('syntax'),
  )
})

describe('errors', () => {
  test('carry a caret under the column, what was expected and a hint', () => {
    expect(errorOf('i32 = 1').message).toBe(
      'expected an operator or the end of the filter but found `=`, at column 5\n  i32 = 1\n      ^ did you mean `==`?',
    )
    expect(errorOf('i32 <> 1').message).toContain('did you mean `!=`?')
    expect(errorOf('i32 == null').message).toContain('is null')
    expect(errorOf('name == 1\n and i32 = 2').message).toContain('\n   and i32 = 2\n           ^ did')
  })

  test('name the two nearest fields', () => {
    const error = errorOf('i23 == 1', staticSchema)
    expect(error.reason).toMatch(/^field i23 not exist; did you mean `i32` or `\w+`\?$/)
    expect(error.offset).toBe(0)
  })

  test('long texts are cut around the caret', () => {
    const { message } = errorOf(`${'i32 == 1 or '.repeat(1000)} i32 = 1`)
    expect(message.length).toBeLessThan(400)
    const [, line = '', caret = ''] = message.split('\n')
    expect(line[caret.indexOf('^')]).toBe('=')
  })
})

describe('types', () => {
  test.each([
    ['i32 == 1.5', 'cannot cast value'],
    ['i32 in [1, 2.5]', 'cannot cast value'],
    ['name == 1', 'cannot cast value'],
    ['name in [1]', 'cannot cast value'],
    ['flag == 1', 'cannot cast value'],
    ['flag > true', '== and !='],
    ['vec == 1', 'cannot be compared'],
    ['vec is null', 'is null does not apply'],
    ['ints[0] is null', 'element of an array'],
    ['shape == "POINT (1 1)"', 'cannot be compared'],
    ['doc == 1', 'jsonField directly'],
    ['ints == 1', 'compared whole with a list'],
    ['ints["a"] == 1', 'one integer index'],
    ['name["a"] == 1', 'no nested keys'],
    ['i32 + i64 == 1', 'multiple fields'],
    ['i32 + 1 + 1 == 3', 'nested arithmetic'],
    ['1 - i32 == 0', 'cannot stand left'],
    ['i32 / 0 == 1', 'division by zero'],
    ['f64 % 2 == 1', 'integer types'],
    ['i32 & 1 == 1', 'boolean'],
    ['(i32 & 1) == 1', 'not supported'],
    ['i32 + 1 == 1.5', 'cannot cast'],
    ['i32 in 5', 'must be a list'],
    ['i32 + 1 in [5]', 'single field'],
    ['i32 in [i64]', 'constants only'],
    ['i32 like "x"', 'unsupported'],
    ['name like 5', 'must be a string'],
    ['name =~ "x"', 'not supported yet'],
    ['exists name', 'key of a JSON field'],
    ['exists doc', 'key of a JSON field'],
    ['name < i32', 'not supported'],
    ['doc["a"] < i32', 'not supported'],
    ['i32', 'not a boolean expression'],
    ['5', 'not a boolean expression'],
    ['i32 + 1', 'not a boolean expression'],
    ['{t} == 1', 'template'],
    ['i32 == {missing}', '{missing} is not found'],
    ['{t} == {t}', 'template'],
    ['text_match(name, "x")', 'field "name" does not enable match'],
    ['TEXT_MATCH(i32, "x", minimum_should_match=2)', 'text match operation on non-string is unsupported'],
    ['phrase_match(doc["a"], "x", 1)', 'phrase match operation on non-string is unsupported'],
    ['text_match(name)', 'takes a field, a string and minimum_should_match'],
    ['text_match(name, "x", slop=1)', 'takes a field, a string and minimum_should_match'],
    ['Text_Match(name, "x")', 'did you mean `text_match`?'],
    ['text_match_fuzzy(name, "x", max_edit_distance=1)', 'not supported yet'],
    ['random_sample(0.1)', 'not supported yet'],
    ['st_within(name, "POINT (1 1)")', 'only supported on geometry fields'],
    ['St_Within(shape, "POINT (1 1)")', 'did you mean `st_within`?'],
    ['element_filter(ints, $[a] > 1)', 'no array of structs'],
    ['match_least(ints, $ > 1)', 'threshold=N'],
    ['match_any(name, $ > 1)', 'no array'],
    ['$ > 1', 'stands for an element'],
    ['frobnicate(name)', 'function frobnicate not found'],
    ['Array_Contains(ints, 1)', 'did you mean `array_contains`'],
    ['array_length(name) == 1', 'does not apply'],
    ['array_length(ints)', 'compare array_length'],
    ['array_contains(name, 1)', 'only supported on json or array'],
    ['array_contains(ints, "x")', 'cannot cast'],
    ['array_contains_all(ints, 1)', 'takes a list'],
    ['at > "2025-01-01T00:00:00Z"', 'ISO'],
    ['at > 5', 'ISO'],
  ])('%s: %s', (text, reason) => {
    const error = errorOf(text, schema, new Map([['t', 1n]]))
    expect(error.kind).toBe('type')
    expect(error.message).toContain(reason)
  })

  test('floats of a Float field compare as floats', () => {
    expect(match('f32 == 0.1', [{ f32: 0.1 }, { f32: 0.2 }])).toEqual([0])
    expect(match('f64 == 0.1', [{ f64: 0.1 }])).toEqual([0])
    expect(match('f32 in [1, 0.1]', [{ f32: 0.1 }, { f32: 1 }, { f32: 2 }])).toEqual([0, 1])
    expect(match('f64 > 1', [{ f64: 1 }, { f64: 1.0000001 }])).toEqual([1])
  })

  test('int64 is exact', () => {
    const rows: Row[] = [{ i64: 9223372036854775807n }, { i64: 9223372036854775806n }, { i64: -9223372036854775808n }, { i64: -1n }, { i64: 4294967296n }]
    expect(match('i64 == 9223372036854775807', rows)).toEqual([0])
    expect(match('i64 > 9223372036854775806', rows)).toEqual([0])
    expect(match('i64 < -1', rows)).toEqual([2])
    expect(match('i64 <= -9223372036854775808', rows)).toEqual([2])
    expect(match('i64 > 9223372036854775808', rows)).toEqual([])
    expect(match('i64 < 9223372036854775808', rows)).toEqual([0, 1, 2, 3, 4])
    expect(match('i64 in [4294967296, -1, 0]', rows)).toEqual([3, 4])
    expect(match('i64 >= 4294967295 and i64 <= 4294967297', rows)).toEqual([4])
    expect(match('i64 != -1', rows)).toEqual([0, 1, 2, 4])
  })
})

describe('nulls', () => {
  const rows: Row[] = [{ i32: 1, doc: { a: null } }, { i32: null, doc: null }, { i32: 2, doc: { a: 1 } }]
  test.each([
    ['i32 == 1', [0]],
    ['i32 != 1', [2]],
    ['not (i32 == 1)', [2]],
    ['i32 == 1 or i32 is null', [0, 1]],
    ['i32 is not null', [0, 2]],
    ['i32 == 1 or not (i32 == 1)', [0, 2]],
    ['i32 == 1 and i32 != 1', []],
    ['not (i32 == 1 and i64 == 1)', [2]],
    ['doc is null', [1]],
    ['doc["a"] is null', [0, 1]],
    ['doc["a"] is not null', [2]],
    ['exists doc["a"]', [2]],
    ['not exists doc["a"]', [0, 1]],
    ['doc["a"] != 5', [2]],
    ['not (doc["a"] == "x")', []],
    ['i32 in [1] or i32 not in [1]', [0, 2]],
  ])('%s', (text, expected) => expect(match(text, rows)).toEqual(expected))
})

describe('strings', () => {
  const rows: Row[] = [{ name: 'apple' }, { name: 'äpfel' }, { name: '' }, { name: '100%' }, { name: 'a_b' }, { name: '😀x' }, { name: '\uffee' }]
  test.each([
    ['name == "apple"', [0]],
    ["name == '\\u00e4pfel'", [1]],
    ['name < "b"', [0, 2, 3, 4]],
    ['name > "\uffee"', [5]],
    ['name in ["", "a_b"]', [2, 4]],
    ['name like "%p%"', [0, 1]],
    ['name like "_pfel"', [1]],
    ['name like "_x"', [5]],
    ['name like "a\\\\_b"', [4]],
    ['name like "a\\_b"', [4]],
    ['name like "100\\%"', [3]],
    ['name like "%"', [0, 1, 2, 3, 4, 5, 6]],
    ['name like ""', [2]],
    ['name like "a%e"', [0]],
    ['name like "%pp%e"', [0]],
    ['name like "%p_l%"', [0]],
    ['name like "a%p%p%le"', [0]],
    ['name like "apple%e"', []],
  ])('%s', (text, expected) => expect(match(text, rows)).toEqual(expected))

  test('like is linear on hostile patterns', () => {
    const long = 'a'.repeat(65_535)
    for (const pattern of [`${'%a'.repeat(2000)}%b`, `%${'a'.repeat(30_000)}b%`, `%b${'a'.repeat(30_000)}%`, `%${'_a'.repeat(500)}b%`]) {
      const started = process.cpuUsage()
      expect(match('name like {p}', [{ name: long }], { p: pattern })).toEqual([])
      expect(process.cpuUsage(started).user / 1000).toBeLessThan(100)
    }
  })
})

describe('JSON and dynamic keys', () => {
  const rows: Row[] = [
    { doc: { a: 1, b: 'x', list: [1, 'two', [3]], deep: { k: [{ z: true }] } } },
    { doc: { a: 1.5, b: 'y"q', list: [] } },
    { doc: '{"big": 9007199254740993, "a" : "1", "\\u0062": "e\\u0073c"}' },
    { doc: '', $meta: { a: 3, tags: ['p', 'q'], __proto__x: 1 } },
    { doc: { a: true }, $meta: '{"__proto__": {"constructor": 5}}' },
  ]
  test.each([
    ['doc["a"] == 1', [0]],
    ['doc["a"] > 0', [0, 1]],
    ['doc["a"] == 1.5', [1]],
    ['doc["a"] == "1"', [2]],
    ['doc["a"] == true', [4]],
    ['doc["b"] == "esc"', [2]],
    ["doc['b'] like '%\"q'", [1]],
    ['doc["big"] == 9007199254740993', [2]],
    ['doc["big"] == 9007199254740992', []],
    ['doc["deep"]["k"][0]["z"] == true', [0]],
    ['doc["list"][1] == "two"', [0]],
    ['doc["list"] == [1, "two", [3]]', [0]],
    ['doc["list"] == []', [1]],
    ['doc["a"] in [1, "1"]', [0, 2]],
    ['doc["a"] not in [2]', [0, 1]],
    ['doc["a"] + 1 == 2.5', [1]],
    ['json_contains(doc["list"], "two")', [0]],
    ['JSON_CONTAINS(doc["list"], [3])', [0]],
    ['json_contains_all(doc["list"], [1, "two"])', [0]],
    ['json_contains_any(doc["list"], [7, "two"])', [0]],
    ['json_contains_any(doc["list"], [7])', []],
    ['array_length(doc["list"]) == 0', [1]],
    ['0.5 < doc["a"] < 1.2', [0]],
    ['a == 3', [3]],
    ['$meta["a"] == 3', [3]],
    ['tags[0] == "p"', [3]],
    ['json_contains(tags, "q")', [3]],
    ['exists tags', [3]],
    ['unheard is null', [0, 1, 2, 3, 4]],
    ['__proto__["constructor"] == 5', [4]],
    ['constructor == 5', []],
    ['doc is not null', [0, 1, 2, 3, 4]],
  ])('%s', (text, expected) => expect(match(text, rows)).toEqual(expected))
})

describe('arrays', () => {
  const rows: Row[] = [{ ints: [1n, 2n, 3n], words: ['a', 'bc'] }, { ints: [], words: [] }, { ints: null, words: null }]
  test.each([
    ['ints[0] == 1', [0]],
    ['ints[7] == 1', []],
    ['ints[1] in [2, 5]', [0]],
    ['not (ints[0] == 5)', [0]],
    ['words[1] like "b%"', [0]],
    ['array_length(ints) == 3', [0]],
    ['array_length(ints) < 3', [1]],
    ['array_contains(ints, 2)', [0]],
    ['json_contains(ints, 2)', [0]],
    ['array_contains_all(ints, [1, 3])', [0]],
    ['array_contains_any(words, ["zz", "a"])', [0]],
    ['not array_contains(ints, 2)', [1]],
    ['ints == [1, 2, 3]', [0]],
    ['ints != [1, 2, 3]', [1]],
    ['ints == []', [1]],
    ['ints is null', [2]],
  ])('%s', (text, expected) => expect(match(text, rows)).toEqual(expected))
})

describe('times', () => {
  const rows: Row[] = [{ at: 1735689600000000n }, { at: 1738281600000000n }, { at: null }]
  test.each([
    ["at == ISO '2025-01-01T00:00:00Z'", [0]],
    ["at > ISO '2025-01-01T00:00:00+00:00'", [1]],
    ["ISO '2025-01-01T08:00:00+08:00' == at", [0]],
    ["at + INTERVAL 'P1D' > ISO '2025-01-02T00:00:00Z'", [1]],
    ["at - INTERVAL 'PT1H' < ISO '2025-01-01T00:00:00Z'", [0]],
    ["at + INTERVAL 'P1M' == ISO '2025-02-28T00:00:00Z'", [1]],
    ["ISO '2024-01-01T00:00:00Z' < at <= ISO '2025-01-01T00:00:00Z'", [0]],
  ])('%s', (text, expected) => expect(match(text, rows)).toEqual(expected))
  test.each(["at > ISO 'yesterday'", "at > ISO '2025-13-01T00:00:00Z'", "at + INTERVAL 'P' > ISO '2025-01-01T00:00:00Z'"])('%s is refused', (text) =>
    expect(errorOf(text).kind).toBe('syntax'),
  )
})

describe('templates', () => {
  const rows: Row[] = [{ name: 'a" or true or name == "b', i32: 1 }, { name: 'b', i32: 2 }]
  test('are values and never text', () => {
    expect(match('name == {n}', rows, { n: 'a" or true or name == "b' })).toEqual([0])
    expect(match('name in {ns}', rows, { ns: ['b', 'x'] })).toEqual([1])
    expect(match('i32 in [{x}, 7]', rows, { x: 2n })).toEqual([1])
    expect(match('{lo} <= i32 < {hi}', rows, { lo: 1n, hi: 2n })).toEqual([0])
    expect(match('name like {p}', rows, { p: 'b%' })).toEqual([1])
    expect(match('array_contains_any(ints, {v})', [{ ints: [4n] }], { v: [4n] })).toEqual([0])
  })
  test('keep their types', () => {
    expect(() => match('i32 == {x}', rows, { x: 1.5 })).toThrow('cannot cast')
    expect(() => match('i32 == {x}', rows, { x: new Uint8Array(1) })).toThrow('not supported')
    expect(() => match('f64 == {x}', rows, { x: NaN })).toThrow('NaN')
  })
})
