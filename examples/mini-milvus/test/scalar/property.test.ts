import { expect, test } from 'vitest'
import { compileFilter } from '../../src/filter/index.ts'
import type { SegmentView } from '../../src/querynode/segment-view.ts'
import { candidatesOf } from '../../src/querynode/candidates.ts'
import { markCandidates } from '../../src/querynode/indexed-mask.ts'
import { text } from '../filter/naive.ts'
import { Dice, randomNode } from '../filter/random.ts'
import { randomTable } from '../filter/random-schema.ts'
import { indexAll } from './indexed.ts'

const ROWS = 80
const FILTERS = 40
const ROUNDS = process.env['TIMETICK_RING'] === 'ci' ? 400 : process.env['TIMETICK_RING'] === 'soak' ? 2000 : 30

test('a filter answered by indexes gives the rows that a scan gives', { timeout: 600_000 }, async () => {
  const { SCALAR_SEED: fixed } = process.env
  const seeds = fixed === undefined ? Array.from({ length: ROUNDS }, (_, i) => i + 1) : [Number(fixed)]
  let answered = 0
  let exact = 0
  let ofJson = 0
  for (const seed of seeds) {
    const d = new Dice(seed)
    const { schema, source } = randomTable(d, ROWS)
    const indexes = indexAll(schema, source)
    const alive = d.chance(0.5) ? undefined : Uint8Array.from({ length: ROWS }, () => (d.chance(0.8) ? 1 : 0))
    for (let round = 0; round < FILTERS; round++) {
      const written = text(randomNode(d, 0))
      const filter = compileFilter(written, schema)
      let candidates = filter.probe && candidatesOf(indexes, filter.probe)
      if (filter.probe !== undefined && (await indexes.build())) {
        candidates = candidatesOf(indexes, filter.probe)
        ofJson++
      }
      if (candidates === undefined) continue
      answered++
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
  expect(ofJson).toBeGreaterThan(seeds.length)
  expect(exact).toBeGreaterThan(seeds.length * FILTERS * 0.1)
})
