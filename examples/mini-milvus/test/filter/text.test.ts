/** Words in filters: the same rows whether a column is read for the first time or its words are known, in slices, with nulls and without. */
import { describe, expect, it } from 'vitest'
import { textColumn } from '../../src/codec/index.ts'
import { compileFilter } from '../../src/filter/index.ts'
import type { Column } from '../../src/model/column.ts'
import { type CollectionSchema, DataType } from '../../src/model/schema.ts'
import { seededRandom } from '../e2e/support.ts'

const plain = { description: '', isPrimary: false, autoId: false, isPartitionKey: false, isClusteringKey: false, isDynamic: false, nullable: false, indexParams: {} }
const schema: CollectionSchema = {
  name: 'texts',
  description: '',
  enableDynamicField: false,
  fields: [
    { ...plain, id: 100, name: 'id', type: DataType.Int64, isPrimary: true, typeParams: {} },
    { ...plain, id: 101, name: 'text', type: DataType.VarChar, nullable: true, maxLength: 1000, typeParams: { enable_analyzer: 'true', enable_match: 'true' } },
  ],
}

const seed = 31
const random = seededRandom(seed)
const ROWS = 2000
const texts = Array.from({ length: ROWS }, () => Array.from({ length: Math.floor(random() * 8) }, () => 'abcdefgh'[Math.floor(random() * 8)]).join(' '))
const valid = Uint8Array.from(texts, () => (random() < 0.1 ? 0 : 1))
const column: Column = { kind: 'string', type: DataType.VarChar, length: ROWS, valid, ...textColumn(texts) }

/** Rows that match, in slices of some rows. */
function matches(filter: string, given: Column, slice: number): number[] {
  const compiled = compileFilter(filter, schema)
  const source = { length: ROWS, column: (id: number) => (id === 101 ? given : undefined) }
  const found: number[] = []
  for (let begin = 0; begin < ROWS; begin += slice) {
    const mask = new Uint8Array(Math.min(slice, ROWS - begin))
    compiled.evaluate(source, begin, begin + mask.length, mask)
    mask.forEach((bit, i) => bit === 1 && found.push(begin + i))
  }
  return found
}

describe('text filters', () => {
  const words = (row: number): string[] => (texts[row] ?? '').split(' ')
  const rows = (test: (row: number) => boolean): number[] => texts.map((_, row) => row).filter((row) => valid[row] === 1 && test(row))
  const cases: readonly (readonly [string, (row: number) => boolean])[] = [
    ['text_match(text, "a")', (row) => words(row).includes('a')],
    ['text_match(text, "a h", minimum_should_match=2)', (row) => ['a', 'h'].every((word) => words(row).includes(word))],
    ['text_match(text, "z")', () => false],
    ['not text_match(text, "b")', (row) => !words(row).includes('b')],
    ['phrase_match(text, "c d")', (row) => words(row).some((word, i) => word === 'c' && words(row)[i + 1] === 'd')],
    ['phrase_match(text, "")', () => false],
  ]

  it.each(cases)('%s', (filter, test) => {
    const expected = rows(test)
    for (const slice of [ROWS, 300, 7, ROWS, 64]) {
      // One that is new each time, as of growing rows, and one that stays.
      expect(matches(filter, { ...column }, slice)).toEqual(expected)
      expect(matches(filter, column, slice)).toEqual(expected)
    }
  })

  it('stay right where more words are different than are kept', () => {
    const many = Array.from({ length: ROWS }, (_, row) => Array.from({ length: 150 }, (_unused, i) => `n${row * 150 + i}`).join(' '))
    const given: Column = { kind: 'string', type: DataType.VarChar, length: ROWS, valid: undefined, ...textColumn(many) }
    for (let round = 0; round < 3; round++) {
      for (const row of [0, 1500, ROWS - 1]) expect(matches(`text_match(text, "n${row * 150 + 3}")`, given, 500)).toEqual([row])
    }
  })
})
