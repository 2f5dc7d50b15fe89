import { beforeAll, describe, expect, test } from 'vitest'
import { compileFilter, prepareFilter } from '../../src/filter/index.ts'
import { boxAround, boxOf, metersBetween } from '../../src/geometry/box.ts'
import { isWkt } from '../../src/geometry/wkt.ts'
import { Dice, randomShape } from './random.ts'
import { match, schema } from './table.ts'

beforeAll(() => prepareFilter('ST_', schema))

const rowsOf = (...shapes: (string | null)[]) => shapes.map((shape, id) => ({ id: BigInt(id), shape }))
interface Rectangle {
  readonly x: number
  readonly y: number
  readonly w: number
  readonly h: number
}
const polygon = ({ x, y, w, h }: Rectangle): string => `POLYGON ((${x} ${y}, ${x + w} ${y}, ${x + w} ${y + h}, ${x} ${y + h}, ${x} ${y}))`

test('rectangles and points on a grid relate as arithmetic says', () => {
  const { GEOMETRY_SEED: fixed } = process.env
  const seeds = fixed === undefined ? Array.from({ length: 20 }, (_, i) => i + 1) : [Number(fixed)]
  for (const seed of seeds) {
    const d = new Dice(seed)
    const rectangle = (): Rectangle => ({ x: d.below(6), y: d.below(6), w: d.below(4) + 1, h: d.below(4) + 1 })
    const shapes = Array.from({ length: 12 }, rectangle)
    const points = Array.from({ length: 12 }, () => ({ x: d.below(8), y: d.below(8) }))
    const given = rectangle()
    const { x, y, w, h } = given
    const right = x + w
    const top = y + h
    const check = (name: string, rows: readonly string[], expected: readonly boolean[]): void => {
      const found = match(`st_${name}(shape, "${polygon(given)}")`, rowsOf(...rows))
      expect({ seed, name, found }).toEqual({ seed, name, found: expected.flatMap((holds, i) => (holds ? [i] : [])) })
    }
    const texts = shapes.map(polygon)
    const meets = shapes.map((s) => s.x <= right && x <= s.x + s.w && s.y <= top && y <= s.y + s.h)
    const interiorsMeet = shapes.map((s) => s.x < right && x < s.x + s.w && s.y < top && y < s.y + s.h)
    const within = shapes.map((s) => s.x >= x && s.x + s.w <= right && s.y >= y && s.y + s.h <= top)
    const contains = shapes.map((s) => s.x <= x && s.x + s.w >= right && s.y <= y && s.y + s.h >= top)
    check('intersects', texts, meets)
    check('touches', texts, meets.map((does, i) => does && interiorsMeet[i] === false))
    check('within', texts, within)
    check('contains', texts, contains)
    check('equals', texts, within.map((is, i) => is && contains[i] === true))
    check('overlaps', texts, interiorsMeet.map((do_, i) => do_ && within[i] === false && contains[i] === false))
    const asPoints = points.map((point) => `POINT (${point.x} ${point.y})`)
    check('within', asPoints, points.map((p) => p.x > x && p.x < right && p.y > y && p.y < top))
    check('intersects', asPoints, points.map((p) => p.x >= x && p.x <= right && p.y >= y && p.y <= top))
    check('crosses', asPoints, points.map(() => false))
  }
})

test('a distance is of meters on the sphere, also across the 180th meridian and at the poles', () => {
  const found = (point: string, meters: number, ...rows: string[]) => match(`st_dwithin(shape, "${point}", ${meters})`, rowsOf(...rows))
  // A degree of latitude is 111,195 m.
  expect(found('POINT (0 0)', 111_200, 'POINT (0 1)', 'POINT (1 0)', 'POINT (1 1)', 'POINT (0 0)')).toEqual([0, 1, 3])
  expect(found('POINT (0 0)', 111_190, 'POINT (0 1)', 'POINT (1 0)')).toEqual([])
  expect(found('POINT (10 60)', 56_000, 'POINT (11 60)', 'POINT (10 61)')).toEqual([0])
  expect(found('POINT (179.9 0)', 25_000, 'POINT (-179.9 0)', 'POINT (179.7 0)', 'POINT (-179 0)')).toEqual([0, 1])
  expect(found('POINT (0 89.9)', 30_000, 'POINT (180 89.9)', 'POINT (90 89.95)', 'POINT (0 89)')).toEqual([0, 1])
  expect(found('POINT (5 5)', 0, 'POINT (5 5)', 'POINT (5 5.1)')).toEqual([0])
  expect(found('POINT (5 0.5)', 60_000, 'LINESTRING (0 0, 10 0)', 'LINESTRING (0 2, 10 2)', 'POLYGON EMPTY')).toEqual([0])
})

test('all that is within a distance lies in the box around', () => {
  const d = new Dice(3)
  for (let i = 0; i < 5000; i++) {
    const [x, y, bx, by] = [d.next() * 360 - 180, d.next() * 180 - 90, d.next() * 360 - 180, d.next() * 180 - 90]
    const near = d.chance(0.7)
    const [ox, oy] = near ? [Math.max(-180, Math.min(180, x + bx / 100)), Math.max(-90, Math.min(90, y + by / 100))] : [bx, by]
    const box = boxAround(x, y, metersBetween(x, y, ox, oy))
    expect([x, y, ox, oy, ox >= box.minX && ox <= box.maxX && oy >= box.minY && oy <= box.maxY]).toEqual([x, y, ox, oy, true])
  }
})

describe('rows that cannot be related are unknown', () => {
  const rows = rowsOf('POINT (1 1)', 'POINT (one two)', '', 'GEOMETRYCOLLECTION (POINT (1 1), POINT (9 9))', 'POINT EMPTY', 'POLYGON ((0 0, 2 2, 2 0, 0 2, 0 0))', 'POINT ZM (1 1 5 6)', 'SRID=4326;POINT(1 1)')
  const box = 'POLYGON ((0 0, 3 0, 3 3, 0 3, 0 0))'
  test.each([
    [`st_within(shape, "${box}")`, [0, 5, 6, 7]],
    // Of the collection a part lies outside of the box.
    [`not (st_within(shape, "${box}"))`, [3, 4]],
    [`st_intersects(shape, "${box}")`, [0, 3, 5, 6, 7]],
    ['st_isvalid(shape)', [0, 3, 4, 6, 7]],
    ['not (ST_ISVALID(shape))', [1, 2, 5]],
    [`st_within(shape, {area}) and st_isvalid(shape)`, [0, 6, 7]],
  ])('%s', (text, expected) => {
    expect(match(text, rows, text.includes('{area}') ? { area: box } : {})).toEqual(expected)
  })

  test('a null is neither true nor false', () => {
    const nullable = { ...schema, fields: schema.fields.map((field) => (field.name === 'shape' ? { ...field, nullable: true } : field)) }
    for (const text of ['st_within(shape, "POINT (1 1)")', 'not (st_within(shape, "POINT (1 1)"))', 'st_isvalid(shape)']) {
      expect(match(text, rowsOf(null), {}, nullable)).toEqual([])
    }
    expect(match('shape is null', rowsOf(null, 'POINT (1 1)'), {}, nullable)).toEqual([0])
  })
})

test.each([
  ['st_within(shape)', 'takes a geometry in WKT'],
  ['st_within(shape, 5)', 'takes a geometry in WKT'],
  ['st_within(shape, "POINT (1 1")', 'no valid WKT'],
  ['st_within(shape, "POINT (1e999 1)")', 'no valid WKT'],
  ['st_within(shape, "circle")', 'no valid WKT'],
  ['st_within(shape, "POINT (1 1)", 4)', 'takes a geometry field and a geometry'],
  ['st_contains(shape, "GEOMETRYCOLLECTION (POINT (1 1))")', 'takes no collection'],
  ['st_dwithin(shape, "POINT (1 1)")', 'must be a numeric value'],
  ['st_dwithin(shape, "POINT (1 1)", "far")', 'must be a numeric value'],
  ['st_dwithin(shape, "POINT (1 1)", -1)', 'must be non-negative'],
  ['st_dwithin(shape, "LINESTRING (1 1, 2 2)", 5)', 'measures from a POINT'],
  ['st_isvalid(shape, "POINT (1 1)")', 'takes a geometry field'],
  ['st_within(i32, "POINT (1 1)")', 'only supported on geometry fields'],
  ['shape == "POINT (1 1)"', 'Geometry'],
])('%s: %s', (text, reason) => {
  expect(() => compileFilter(text, schema)).toThrow(reason)
})

test('boxes are read from the text', () => {
  expect(boxOf('LINESTRING Z (1 -2 7, -3.5 4e1 9)')).toEqual({ minX: -3.5, minY: -2, maxX: 1, maxY: 40 })
  for (const text of ['', 'POINT EMPTY', 'POINT (1)', 'POINT (1e999 2)', 'POINT (NaN 1)', '('.repeat(10_000)]) expect(boxOf(text)).toBe(undefined)
})

test('well-known text is known by its form', () => {
  const good = ['POINT (1 2)', 'point(-1.5e3 .5)', 'POINT Z (1 2 3)', 'POINTZM (1 2 3 4)', 'POINT EMPTY', 'SRID=4326;POINT(1 2)', ' LINESTRING (1 2, 3 4) ', 'POLYGON ((0 0, 1 0, 1 1, 0 0), (0 0, 1 0, 1 1, 0 0))', 'MULTIPOINT (1 2, 3 4)', 'MULTIPOINT ((1 2), (3 4))', 'MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)))', 'MULTILINESTRING EMPTY', 'GEOMETRYCOLLECTION (POINT (1 2), GEOMETRYCOLLECTION EMPTY)']
  const bad = ['', 'POINT', 'POINT (1', 'POINT (1)', 'POINT (1 2', 'POINT (1 2))', 'POINT (1 2) x', 'POINT (1 2, 3 4)', 'POINT (1 2 3 4 5)', 'POINT (a b)', 'POINT (NaN 1)', 'POINT (1e999 1)', 'POLYGON (0 0, 1 1)', 'POLYGON ((0 0, 1 1)', 'LINESTRING ((1 2, 3 4))', 'CIRCLE (1 2)', 'EMPTY', '(1 2)', 'POINT (1 2);', `${'GEOMETRYCOLLECTION ('.repeat(5000)}`]
  for (const text of good) expect([text, isWkt(text)]).toEqual([text, true])
  for (const text of bad) expect([text.slice(0, 40), isWkt(text)]).toEqual([text.slice(0, 40), false])
  const d = new Dice(9)
  for (let i = 0; i < 500; i++) {
    const text = randomShape(d)
    if (text.includes('no point')) continue
    expect([text, isWkt(text)]).toEqual([text, true])
    // Whatever is cut off, it is none any more.
    expect([text, isWkt(text.slice(0, 1 + d.below(text.length - 1)))]).toEqual([text, false])
  }
})
