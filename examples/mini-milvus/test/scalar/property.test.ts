import { expect, test } from 'vitest'
import { compileFilter, prepareFilter, probedFields } from '../../src/filter/index.ts'
import type { SegmentView } from '../../src/querynode/segment-view.ts'
import { candidatesOf } from '../../src/querynode/candidates.ts'
import { markCandidates } from '../../src/querynode/indexed-mask.ts'
import { text } from '../filter/naive.ts'
import { Dice, randomGeometryFilter, randomNode } from '../filter/random.ts'
import { randomTable } from '../filter/random-schema.ts'
import { indexAll } from './indexed.ts'

function randomFilter(d: Dice): string {
  const filter = text(randomNode(d, 0))
  if (d.chance(0.15)) return d.pick([randomGeometryFilter(d), `(${filter}) and ${randomGeometryFilter(d)}`, `not (${randomGeometryFilter(d)}) or ${filter}`, `${randomGeometryFilter(d)} or ${randomGeometryFilter(d)}`])
  // Patterns and lists are rare among all that there is.
  if (d.chance(0.1)) return `${d.pick(['name', 'other', 'doc["a"]', 'k', 'doc["k"]'])} like "${d.pick(['%', '', '_'])}${d.pick(['ab', 'abc', 'aa', 'back', 'ne', '_c', 'äö', '\\uffee', 'ck_sl'])}${d.pick(['%', '', '_', '%b%'])}"`
  if (d.chance(0.08)) return `json_contains${d.pick(['', '_any', '_all'])}(${d.pick(['doc["a"]', 'doc["k"]', 'k', 'b'])}, 1)`.replace(/(_any|_all)(\(.*), 1\)/, (_, kind: string, field: string) => `${kind}${field}, ${d.pick(['[1, "ab"]', '[true]', '[0.5, 1]', '["a"]', '[[1], 2]'])})`)
  return filter
}

const ROWS = 80
const FILTERS = 40
const ROUNDS = process.env['TIMETICK_RING'] === 'ci' ? 400 : process.env['TIMETICK_RING'] === 'soak' ? 2000 : 30

test('a filter answered by indexes gives the rows that a scan gives', { timeout: 600_000 }, async () => {
  const { SCALAR_SEED: fixed } = process.env
  const seeds = fixed === undefined ? Array.from({ length: ROUNDS }, (_, i) => i + 1) : [Number(fixed)]
  let answered = 0
  let exact = 0
  const asked = new Map<string, number>()
  for (const seed of seeds) {
    const d = new Dice(seed)
    const { schema, source } = randomTable(d, ROWS)
    await prepareFilter('st_within', schema)
    // Texts are found by their order, or by their grams.
    const indexes = indexAll(schema, source, d.pick(['INVERTED', 'NGRAM']))
    const alive = d.chance(0.5) ? undefined : Uint8Array.from({ length: ROWS }, () => (d.chance(0.8) ? 1 : 0))
    for (let round = 0; round < FILTERS; round++) {
      const written = randomFilter(d)
      const filter = compileFilter(written, schema)
      if (filter.probe === undefined) continue
      candidatesOf(indexes, filter.probe)
      await indexes.build()
      const candidates = candidatesOf(indexes, filter.probe)
      if (candidates === undefined) continue
      answered++
      const kinds = new Set(probedFields(filter.probe).flatMap((key) => {
        const kind = indexes.get(key)?.kind
        return kind === undefined ? [] : [typeof key === 'string' ? `json ${kind}` : kind]
      }))
      for (const kind of kinds) asked.set(kind, (asked.get(kind) ?? 0) + 1)
      if (/contains/i.test(written) && [...kinds].some((kind) => kind.startsWith('json'))) asked.set('lists of json', (asked.get('lists of json') ?? 0) + 1)
      if (candidates.exact) exact++
      const expected = new Uint8Array(ROWS)
      filter.evaluate(source, 0, ROWS, expected)
      for (let row = 0; row < ROWS; row++) if (alive?.[row] === 0) expected[row] = 0
      const bytes = new Uint8Array(ROWS)
      const count = await markCandidates(source as SegmentView, filter, candidates, alive, bytes, { next: () => undefined })
      const isRight = bytes.every((bit, row) => bit === expected[row])
      if (!isRight || count !== expected.reduce((sum, bit) => sum + bit, 0) || candidates.count < count) {
        expect.fail(`SCALAR_SEED=${seed}: ${written} gave ${[...bytes].join('')} (${count} of ${candidates.count}), expected ${[...expected].join('')}`)
      }
    }
  }
  // Or nothing was tested.
  expect(answered).toBeGreaterThan(seeds.length * FILTERS * 0.2)
  for (const kind of ['sorted', 'grams', 'boxes', 'json sorted', 'json grams', 'lists of json']) expect([kind, (asked.get(kind) ?? 0) > seeds.length / 3]).toEqual([kind, true])
  expect(exact).toBeGreaterThan(seeds.length * FILTERS * 0.1)
})
