import { describe, expect, test } from 'vitest'
import { compileFilter, FilterError, parseFilter } from '../../src/filter/index.ts'
import { DataType } from '../../src/model/schema.ts'
import { field, schema, sourceOf } from './table.ts'

describe('what a filter says of itself', () => {
  test('primary keys', () => {
    expect(compileFilter('id in [3, 1, 3]', schema).primaryKeys).toEqual([3n, 1n])
    expect(compileFilter('id == 5', schema).primaryKeys).toEqual([5n])
    expect(compileFilter('5 == id', schema).primaryKeys).toEqual([5n])
    expect(compileFilter('id in {ids}', schema, new Map([['ids', [7n]]])).primaryKeys).toEqual([7n])
    expect(compileFilter('id in [99999999999999999999]', schema).primaryKeys).toEqual([])
    const both = compileFilter('i32 > 1 and id in [1]', schema)
    expect([both.primaryKeys, both.primaryKeyBound]).toEqual([undefined, [1n]])
    for (const text of ['id not in [1]', 'id > 1', 'id == 1 or i32 == 1', 'not (id == 1)']) expect(compileFilter(text, schema).primaryKeyBound).toBeUndefined()
    const strings = { ...schema, fields: [field('pk', DataType.VarChar, { isPrimary: true })] }
    expect(compileFilter('pk in ["a", "b"]', strings).primaryKeys).toEqual(['a', 'b'])
    expect(compileFilter("pk == 'it\\'s'", strings).primaryKeys).toEqual(["it's"])
  })

  test('fields it reads', () => {
    const ids = compileFilter('i32 > 1 and (a == 1 or name is null)', schema).fieldIds
    const names = schema.fields.filter((f) => ids.has(f.id)).map((f) => f.name)
    expect(names).toEqual(['i32', 'name', '$meta'])
  })

  test('blank text is true for every row', () => {
    for (const text of ['', '  \n']) {
      const filter = compileFilter(text, schema)
      expect(filter.alwaysTrue).toBe(true)
      const mask = new Uint8Array(2)
      filter.evaluate(sourceOf([{}, {}]), 0, 2, mask)
      expect([...mask]).toEqual([1, 1])
    }
  })

  test('how many rows to take at once', () => {
    expect(compileFilter('', schema).sliceRows).toBe(16_384)
    expect(compileFilter('i32 > 1', schema).sliceRows).toBe(16_384)
    expect(compileFilter(Array.from({ length: 1000 }, (_, i) => `i32 > ${i}`).join(' or '), schema).sliceRows).toBe(100)
    expect(compileFilter(Array.from({ length: 20_000 }, (_, i) => `x > ${i}`).join(' or '), schema).sliceRows).toBe(1)
  })

  test('slices and bad ranges', () => {
    const source = sourceOf([{ i32: 1 }, { i32: 2 }, { i32: 3 }])
    const mask = new Uint8Array(5).fill(9)
    compileFilter('i32 >= 2', schema).evaluate(source, 1, 3, mask)
    expect([...mask]).toEqual([1, 1, 9, 9, 9])
    const filter = compileFilter('i32 == 1', schema)
    for (const [begin, end] of [[-1, 1], [0, 4], [2, 1], [0.5, 1]] as const) expect(() => filter.evaluate(source, begin, end, mask)).toThrow(RangeError)
    expect(() => filter.evaluate(source, 0, 3, new Uint8Array(2))).toThrow(RangeError)
  })

  test('columns older than their field hold its default or null', () => {
    const of = { ...schema, fields: schema.fields.map((f) => (f.name === 'i32' ? { ...f, defaultValue: 7 } : f)) }
    const source = sourceOf([{ name: 'x' }, { name: 'y' }], of, ['i32', 'i64', '$meta', 'ints', 'doc'])
    const run = (text: string) => {
      const mask = new Uint8Array(2)
      compileFilter(text, of).evaluate(source, 0, 2, mask)
      return [...mask]
    }
    expect(run('i32 == 7 and name == "y"')).toEqual([0, 1])
    expect(run('i64 is null')).toEqual([1, 1])
    expect(run('not (i64 == 1)')).toEqual([0, 0])
    expect(run('x == 1 or doc["a"] == 1 or array_length(ints) == 0')).toEqual([0, 0])
  })
})

describe('limits', () => {
  test('nesting is refused beyond 200, by any means', () => {
    expect(() => parseFilter(`${'('.repeat(200)}a == 1${')'.repeat(200)}`)).not.toThrow()
    const deep = [
      `${'('.repeat(201)}a == 1${')'.repeat(201)}`,
      `${'not '.repeat(201)}a`, `${'- '.repeat(100_000)}1 == a`, `${'exists '.repeat(500)}a`, `a == ${'1 + '.repeat(300)}1`,
      `a == ${'2 ** '.repeat(300)}1`, `a == ${'2 ** -'.repeat(300)}1`, `${'not ('.repeat(150)}a == 1${')'.repeat(150)} and ${'-'.repeat(201)}1 == a`,
      `${'['.repeat(1_000_000)}`, `${'a == '.repeat(300)}1`, `${'a like '.repeat(300)}"x"`,
    ]
    for (const text of deep) expect(() => parseFilter(text)).toThrow(FilterError)
  })

  test('chains are flat and linear', () => {
    for (const op of ['or', 'and', '||']) {
      const text = Array.from({ length: 100_000 }, (_, i) => `i32 == ${i}`).join(` ${op} `)
      const started = process.cpuUsage()
      const filter = compileFilter(text, schema)
      const { user, system } = process.cpuUsage(started)
      expect((user + system) / 1000).toBeLessThan(3000)
      const mask = new Uint8Array(1)
      filter.evaluate(sourceOf([{ i32: 5 }]), 0, 1, mask)
      expect(mask[0]).toBe(op === 'and' ? 0 : 1)
    }
    expect(parseFilter('a == 1 and b == 2 and c == 3')).toMatchObject({ kind: 'logical', operands: { length: 3 } })
  })

  test('longer than 4 MB is refused', () => {
    expect(() => parseFilter(`name == "${'x'.repeat(4 * 1024 * 1024)}"`)).toThrow('longer than')
    expect(() => parseFilter(`name == "${'ä'.repeat(2.5 * 1024 * 1024)}"`)).toThrow('longer than')
  })

  test('only strings are filters', () => {
    for (const bad of [undefined, null, 5, {}, ['a']]) {
      expect(() => parseFilter(bad as never)).toThrow(TypeError)
      expect(() => compileFilter(bad as never, schema)).toThrow(TypeError)
    }
  })
})
