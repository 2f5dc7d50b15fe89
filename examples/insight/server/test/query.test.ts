import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareJson } from '../src/core/column.ts'
import { GaugeBoard } from '../src/core/gauges.ts'
import { Layer } from '../src/core/layer.ts'
import { NameIndex } from '../src/core/name-index.ts'
import { MAX_LIMIT, type ListedRow, type Query } from '../src/core/query.ts'
import { TestClock } from './clock.ts'

const layerOf = (names: readonly string[]) => {
  const layer = new Layer({ epoch: 'e', clock: new TestClock() })
  names.forEach((name, i) => layer.upsert('collection', `default/${i}`, { id: String(2n ** 60n + BigInt(i)), name, db: i % 2 === 0 ? 'default' : 'other', stats: { rows: String((i * 7919) % 1000) }, load: { state: i % 3 === 0 ? 'loaded' : 'notLoad' } }, 'push'))
  return layer
}
const names = Array.from({ length: 3000 }, (_, i) => `Orders_${i.toString(36)}`)

function walk(layer: Layer, query: Omit<Query, 'kind'>, between: (page: number) => void = () => undefined): ListedRow[] {
  const rows: ListedRow[] = []
  let cursor: string | undefined
  for (let page = 0; ; page++) {
    const found = layer.query({ kind: 'collection', ...query, cursor })
    expect(found.rows.length).toBeLessThanOrEqual(query.limit ?? 50)
    rows.push(...found.rows)
    if (found.next === null) return rows
    cursor = found.next
    between(page)
  }
}

describe('lists', () => {
  test('S1 a page, whatever there is; the count is of all', () => {
    const layer = layerOf(names)
    const page = layer.query({ kind: 'collection', limit: 20 })
    expect(page.rows).toHaveLength(20)
    expect(page.total).toBe(3000)
    expect(layer.query({ kind: 'collection', q: 'RDERS_1', db: 'other', state: 'loaded' }).total).toBe(
      names.filter((name, i) => name.toLowerCase().includes('rders_1') && i % 2 === 1 && i % 3 === 0).length,
    )
  })

  test('S2 all pages are the whole, in order, by any column', () => {
    const layer = layerOf(names)
    for (const sort of ['name', 'stats.rows', 'id', 'nothing']) {
      for (const order of ['asc', 'desc'] as const) {
        const rows = walk(layer, { sort, order, limit: 333 })
        expect(new Set(rows.map(({ key }) => key)).size).toBe(3000)
        const path = sort.split('.')
        const values = rows.map(({ row }) => path.reduce<unknown>((value, part) => (value as Record<string, unknown> | undefined)?.[part], row))
        for (let i = 1; i < values.length; i++) expect((order === 'asc' ? 1 : -1) * compareJson(values[i - 1] as string, values[i] as string)).toBeLessThanOrEqual(0)
      }
    }
  })

  test('S2 while rows come and go, none that stays is missed or doubled', () => {
    const layer = layerOf(names.slice(0, 1000))
    const rows = walk(layer, { limit: 50 }, (page) => {
      layer.upsert('collection', `default/new${page}`, { name: `Orders_${page}x` }, 'push')
      layer.drop('collection', `default/${page * 13}`, 'push')
    })
    const keys = rows.map(({ key }) => key)
    expect(new Set(keys).size).toBe(keys.length)
    for (let i = 0; i < 1000; i++) if (layer.get('collection', `default/${i}`) !== undefined) expect(keys).toContain(`default/${i}`)
  })

  test('S2 G3 the first of many are those of a plain sort, whatever the names', () => {
    const wild = ['', 'é', '名前', '\u{10ffff}', '10', '9', '1a', 'Orders', 'orders_', 'orders_\u0100z', 'orders_\u0101a']
    const layer = new Layer({ epoch: 'e', clock: new TestClock() })
    for (let i = 0; i < 6000; i++) layer.upsert('collection', `default/${i}`, { name: `${wild[(i * 7) % wild.length] ?? ''}${(i * 2654435761) % 977}`, n: i % 5 === 0 ? null : (i * 31) % 1013, mixed: i % 3 === 0 ? `x${i}` : String(i) }, 'push')
    for (let i = 0; i < 500; i++) layer.upsert('collection', `default/${i}`, { name: `zz${i}`, n: -i, mixed: 'm' }, 'push')
    const all = [...layer.entities('collection')]
    for (const sort of ['name', 'n', 'mixed']) {
      for (const sign of [1, -1]) {
        const order = (a: (typeof all)[number], b: (typeof all)[number]): number => {
          const [x, y] = [a.row[sort], b.row[sort]]
          if (x === undefined || y === undefined) return (x === undefined ? 1 : 0) - (y === undefined ? 1 : 0) || sign * (a.key < b.key ? -1 : 1)
          return sign * (compareJson(x, y) || (a.key < b.key ? -1 : 1))
        }
        const expected = all.toSorted(order).map(({ key }) => key)
        const query = { sort, order: sign === 1 ? 'asc' : 'desc', limit: 40 } as const
        expect(layer.query({ kind: 'collection', ...query }).rows.map(({ key }) => key)).toEqual(expected.slice(0, 40))
        const second = layer.query({ kind: 'collection', ...query, cursor: layer.query({ kind: 'collection', ...query }).next ?? '' })
        expect(second.rows.map(({ key }) => key)).toEqual(expected.slice(40, 80))
      }
    }
  })

  test('what a caller may not see is not counted', () => {
    const page = layerOf(names).query({ kind: 'collection', sees: ({ row }) => row['db'] === 'other' })
    expect(page.total).toBe(1500)
    expect(page.rows.every(({ row }) => row['db'] === 'other')).toBe(true)
  })

  test('bad queries are refused with what was expected', () => {
    const layer = layerOf(['a'])
    for (const limit of [0, -1, 1.5, MAX_LIMIT + 1, NaN]) expect(() => layer.query({ kind: 'collection', limit })).toThrow(/1\.\.1000/)
    expect(() => layer.query({ kind: 'collection', q: 'x'.repeat(257) })).toThrow(/256/)
    for (const cursor of ['', 'x', Buffer.from('[1]').toString('base64url')]) expect(() => layer.query({ kind: 'collection', cursor })).toThrow(/next/)
    expect(() => layer.query({ kind: 'collection', cursor: Buffer.from('["other","k","v"]').toString('base64url') })).toThrow(/start again/)
    expect(layer.query({ kind: 'collection', q: '.*' }).total).toBe(0)
  })

  test('int64 in strings are sorted as numbers', () => {
    expect(compareJson('9', '10')).toBeLessThan(0)
    expect(compareJson('449000000000000001', '449000000000000002')).toBeLessThan(0)
    expect(compareJson(undefined, '1')).toBeGreaterThan(0)
  })

  test('S2 the order is one order, whatever is in a column', () => {
    const value = fc.oneof(fc.constant(null), fc.boolean(), fc.integer(), fc.double({ noNaN: true }), fc.bigInt({ min: 0n, max: 2n ** 64n }).map(String), fc.constantFrom('1a', '9', '10', '', 'a'), fc.string({ maxLength: 3 }), fc.array(fc.integer(), { maxLength: 2 }))
    fc.assert(
      fc.property(value, value, value, (a, b, c) => {
        expect(Math.sign(compareJson(a, b))).toBe(Math.sign(-compareJson(b, a)) + 0)
        if (compareJson(a, b) <= 0 && compareJson(b, c) <= 0) expect(compareJson(a, c)).toBeLessThanOrEqual(0)
      }),
      { numRuns: 2000 },
    )
  })
})

const found = (index: NameIndex, part: string): number[] => {
  const slots: number[] = []
  index.find(part, (slot) => slots.push(slot))
  return slots.sort((a, b) => a - b)
}

describe('the index of names', () => {
  test('finds what a plain scan finds, whatever changes', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '名'), maxLength: 5 })
    const change = fc.record({ key: fc.integer({ min: 0, max: 30 }), text: fc.option(text, { nil: undefined }), times: fc.constantFrom(1, 1, 1, 1200) })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), fc.string({ unit: fc.constantFrom('a', 'b', '名'), minLength: 1, maxLength: 2 }), (changes, part) => {
        const index = new NameIndex()
        const plain = new Map<number, string>()
        for (const { key, text: value, times } of changes) {
          for (let i = 0; i < times; i++) {
            const name = times === 1 ? key : 100 + i
            if (value === undefined) {
              index.delete(name)
              plain.delete(name)
            } else {
              index.set(name, value)
              plain.set(name, value)
            }
          }
          expect(found(index, part)).toEqual([...plain].filter(([, value2]) => value2.includes(part)).map(([name]) => name).sort((a, b) => a - b))
        }
      }),
      { numRuns: 60 },
    )
  })

  test('a part never reaches over two names', () => {
    const index = new NameIndex()
    for (let i = 0; i < 2000; i++) index.set(i, i % 2 === 0 ? 'ab' : 'cd')
    expect(found(index, 'bc')).toEqual([])
    expect(found(index, 'b\nc')).toEqual([])
  })
})

test('gauges keep the latest and a history, and are bounded', () => {
  const board = new GaugeBoard()
  for (let s = 0; s < 2000; s++) board.put('lag', s, 1_000_000 + s * 1000)
  board.put('lag', NaN, 9_999_999)
  expect(board.latest().get('lag')).toEqual([1_000_000 + 1999 * 1000, 1999])
  const now = 1_000_000 + 1999 * 1000
  expect(board.history('lag', now - 9_000, now)).toHaveLength(10)
  expect(board.history('lag', now - 1800_000, now).length).toBeGreaterThanOrEqual(29)
  for (let i = 0; i < 3000; i++) board.put(`k${i}`, i, now)
  expect(board.latest().size).toBe(2000)
  expect(board.latest().has('lag')).toBe(false)
})
