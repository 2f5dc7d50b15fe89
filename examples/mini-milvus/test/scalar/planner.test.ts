import { beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/edge/system.ts'
import { compileFilter, prepareFilter } from '../../src/filter/index.ts'
import type { JsonIndex } from '../../src/model/json-index.ts'
import type { SegmentIndexMeta } from '../../src/model/meta.ts'
import { isPrimaryKeyColumn } from '../../src/model/primary-keys.ts'
import { DataType } from '../../src/model/schema.ts'
import { sortedKeyIndex } from '../../src/querynode/key-index.ts'
import { rowMask, type RowMask } from '../../src/querynode/row-mask.ts'
import { ScalarIndexes } from '../../src/querynode/scalar-indexes.ts'
import type { SegmentView } from '../../src/querynode/segment-view.ts'
import { Tombstones } from '../../src/querynode/tombstones.ts'
import { gramSizes, isIndexedColumn, jsonValues, writeBoxFile, writeGramFile, writeJsonFile, writeSortedFile } from '../../src/scalar/index.ts'
import { Dice } from '../filter/random.ts'
import { type Row, schema, sourceOf } from '../filter/table.ts'

const ROWS = 20_000
const source = (() => {
  const d = new Dice(5)
  return sourceOf(
    Array.from({ length: ROWS }, (_, id): Row => ({
      id: BigInt(id),
      i32: id % 100,
      i64: d.chance(0.1) ? null : BigInt(d.below(1000)),
      name: `item ${id % 500}`,
      other: d.pick(['red', 'green', 'blue']),
      flag: id % 1000 === 0,
      ints: [BigInt(id % 200), BigInt((id + 1) % 200)],
      doc: { k: id % 50 === 3 ? `word ${id % 500}` : id % 50, l: id % 5 === 0 ? 'none' : [id % 300, `t${id % 300}`] },
      shape: `POINT (${id % 100} ${Math.floor(id / 100) % 50})`,
    })),
  )
})()
const jsonOf: Readonly<Record<string, JsonIndex>> = { 'doc.k numbers': { path: ['k'], cast: DataType.Double, isList: false }, 'doc.k texts': { path: ['k'], cast: DataType.VarChar, isList: false }, 'doc.l lists': { path: ['l'], cast: DataType.Double, isList: true } }
const idOf = (name: string): number => schema.fields.find((field) => field.name === name)?.id ?? 0
const NULLS = source.column(idOf('i64'))?.valid?.subarray(0, ROWS).filter((valid) => valid === 0).length ?? 0
const meta: SegmentIndexMeta = { indexId: 1n, state: 'finished', path: 'x.sorted', bytes: 0, crc32: 0, reason: '' }

/** `name grams`, `shape boxes`, `doc.k texts grams`: else sorted. */
function partsOf(name: string): { readonly field: string; readonly kind: 'sorted' | 'grams' | 'boxes'; readonly json: string } {
  const kind = name.endsWith(' grams') ? 'grams' : name.endsWith(' boxes') ? 'boxes' : 'sorted'
  const json = kind === 'sorted' ? name : name.slice(0, -kind.length - 1)
  return { field: json.split('.')[0] ?? '', kind, json }
}

interface Opened {
  readonly view: SegmentView
  readonly reads: string[]
  readonly bad: unknown[]
}

function open(names: readonly string[], damaged?: string): Opened {
  const keys = source.column(idOf('id'))
  if (!isPrimaryKeyColumn(keys)) throw new Error('no keys')
  const reads: string[] = []
  const bad: unknown[] = []
  const scalarIndexes = new ScalarIndexes(source)
  scalarIndexes.follow(names.map((name) => ({ fieldId: idOf(partsOf(name).field), kind: partsOf(name).kind, json: jsonOf[partsOf(name).json], built: { ...meta, path: name } })), {
    async read({ path }) {
      reads.push(path)
      const { field, kind, json: jsonName } = partsOf(path)
      const column = source.column(idOf(field))
      const json = jsonOf[jsonName]
      if (kind === 'grams' && column?.kind === 'json' && json !== undefined) {
        const values = await jsonValues(column, json, async () => undefined)
        return values.kind === 'string' ? (await writeGramFile(values, gramSizes(2, 3), async () => undefined)).bytes : new Uint8Array(0)
      }
      if (kind === 'grams' && column?.kind === 'string') return (await writeGramFile(column, gramSizes(2, 3), async () => undefined)).bytes
      if (kind === 'boxes' && column?.kind === 'string') return writeBoxFile(column).bytes
      if (json !== undefined && column?.kind === 'json') {
        const values = await jsonValues(column, json, async () => undefined)
        const { bytes } = writeJsonFile(values, writeSortedFile(values).bytes)
        return path === damaged ? bytes.subarray(8) : bytes
      }
      if (!isIndexedColumn(column)) throw new Error('not indexed')
      const { bytes } = writeSortedFile(column)
      return path === damaged ? bytes.fill(0) : bytes
    },
    onBad: (_built, error) => bad.push(error),
  })
  const view: SegmentView = {
    length: ROWS, column: (id) => source.column(id), partitionId: 1n, sealed: true, timestamps: new BigUint64Array(ROWS), keys, sortedByKey: true,
    keyIndex: sortedKeyIndex(keys), tombstones: new Tombstones(ROWS), scalarIndexes, vectorSet: () => undefined, hasIndex: () => false,
  }
  return { view, reads, bad }
}

beforeAll(() => prepareFilter('st_', schema))

const maskOf = (view: SegmentView, text: string): Promise<RowMask> => rowMask(view, compileFilter(text, schema), systemClock)

describe('rows looked at', () => {
  const cases: readonly (readonly [string, readonly string[], number])[] = [
    ['i32 == 7', ['i32'], 200],
    ['i32 in [7, 8, 300]', ['i32'], 400],
    ['3 < i32 <= 5', ['i32'], 400],
    ['i32 >= 3 and i32 < 4', ['i32'], 200],
    ['not (i32 != 7)', ['i32'], 200],
    ['i32 == 7 or i32 == 9', ['i32'], 400],
    ['name == "item 12"', ['name'], 40],
    ['name like "item 12%"', ['name'], 440],
    ['flag == true', ['flag'], 20],
    ['array_contains(ints, 5)', ['ints'], 200],
    ['array_contains_any(ints, [5, 17])', ['ints'], 400],
    // The others are tested for the rows of the narrowest.
    ['i32 == 7 and name == "item 7"', ['i32', 'name'], 40],
    ['i32 == 7 and other == "red"', ['i32'], 200],
    ['flag == true and doc["x"] > 1 and i64 is not null', ['flag'], 20],
    ['array_contains_all(ints, [5, 6])', ['ints'], 200],
    ['not (i32 != 7 or other != "red")', ['i32'], 200],
    // Of a path some values are numbers, some are texts.
    ['doc["k"] == 7', ['doc.k numbers'], 400],
    ['5 < doc["k"] <= 7', ['doc.k numbers'], 1200],
    ['doc["k"] == "word 53"', ['doc.k texts'], 40],
    ['doc["k"] like "word 5%"', ['doc.k texts'], 40],
    ['doc["k"] in [7, "word 53"]', ['doc.k numbers', 'doc.k texts'], 440],
    ['doc["k"] == 7 and i32 == 7', ['doc.k numbers', 'i32'], 200],
    ['json_contains(doc["l"], 7)', ['doc.l lists'], 67],
    ['json_contains_any(doc["l"], [7, 8])', ['doc.l lists'], 134],
    ['json_contains_all(doc["l"], [7, "t7"])', ['doc.l lists'], 67],
    // What grams and boxes find is tested.
    ['name like "%m 123%"', ['name grams'], 40],
    ['name like "% 12_"', ['name grams'], 440],
    ['name like "item 49%"', ['name grams'], 440],
    ['name like "%99" and i32 == 99', ['name grams', 'i32'], 200],
    ['doc["k"] like "%d 353%"', ['doc.k texts grams'], 40],
    ['st_within(shape, "POLYGON ((0.5 0.5, 2.5 0.5, 2.5 2.5, 0.5 2.5, 0.5 0.5))")', ['shape boxes'], 16],
    ['st_dwithin(shape, "POINT (50 25)", 1000)', ['shape boxes'], 4],
    ['st_intersects(shape, "LINESTRING (10 10, 12 12)") and i32 == 11', ['shape boxes', 'i32'], 36],
    ['i64 is null', ['i64'], NULLS],
    ['not (i64 is not null)', ['i64'], NULLS],
    ['i32 == 7 and i64 is null', ['i32', 'i64'], 200],
  ]
  for (const [text, names, examined] of cases) {
    test(`${text}: ${examined}`, async () => {
      const found = await maskOf(open(names).view, text)
      const scanned = await maskOf(open([]).view, text)
      expect(scanned.examined).toBe(ROWS)
      expect(found.examined).toBe(examined)
      expect(found.count).toBe(scanned.count)
      expect(found.bytes).toEqual(scanned.bytes)
    })
  }

  for (const text of ['i32 > 20', 'other == "red"', 'i32 == 7 or doc["x"] == 1', 'doc["k"] != 7', 'not (doc["k"] == 7)', 'doc["j"] == 7', 'doc["k"] in [7, "word 53", true]', 'i64 is not null', 'not (name like "item 1%2")', 'name like "%12"', 'doc["k"] like "%12"', 'json_contains(doc["l"], [1])', 'other == "red" or other == "blue"']) {
    test(`${text}: all, for an index would not be faster`, async () => {
      const found = await maskOf(open(['i32', 'i64', 'name', 'other', 'flag', 'ints', 'doc.k numbers', 'doc.k texts']).view, text)
      expect(found.examined).toBe(ROWS)
      expect(found.bytes).toEqual((await maskOf(open([]).view, text)).bytes)
    })
  }
})

test('dead rows are not in the mask', async () => {
  const { view } = open(['i32'])
  view.tombstones.kill(7)
  view.tombstones.kill(8)
  const { bytes, count } = await maskOf(view, 'i32 == 7')
  expect([count, bytes?.[7], bytes?.[107]]).toEqual([199, 0, 1])
})

test('a file is read when a filter first asks for its field, and once', async () => {
  const { view, reads } = open(['i32', 'name'])
  await Promise.all([maskOf(view, 'i32 == 1'), maskOf(view, 'i32 == 2')])
  await maskOf(view, 'i32 == 3')
  expect(reads).toEqual(['i32'])
  await maskOf(view, 'name == "item 3" and i32 == 3')
  expect(reads).toEqual(['i32', 'name'])
})

test('a file that cannot be used is told once, and columns are read', async () => {
  const { view, bad } = open(['i32'], 'i32')
  for (const text of ['i32 == 1', 'i32 == 2']) expect((await maskOf(view, text)).examined).toBe(ROWS)
  expect(bad).toHaveLength(1)
  const json = open(['doc.k texts'], 'doc.k texts')
  expect((await maskOf(json.view, 'doc["k"] == "word 53"')).examined).toBe(ROWS)
  expect(json.bad).toHaveLength(1)
})

test('many keys cost more than a scan', async () => {
  const { view } = open(['i64'])
  const list = (count: number): string => Array.from({ length: count }, (_, i) => i + 5000).join(', ')
  expect((await maskOf(view, `i64 in [${list(100)}]`)).examined).toBe(0)
  expect((await maskOf(view, `i64 in [${list(1000)}]`)).examined).toBe(ROWS)
})
