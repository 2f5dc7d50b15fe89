import { expect, test } from 'vitest'
import { compileFilter, FilterError, parseFilter } from '../../src/filter/index.ts'
import { holds, text } from './naive.ts'
import { Dice, randomNode } from './random.ts'
import { randomTable } from './random-schema.ts'
import { schema, sourceOf } from './table.ts'

const { FILTER_SEED: fixed, TIMETICK_RING: ring } = process.env
/** In the ci ring 20,000 filters, and as many texts. */
const seeds = (usual: number, ci: number): number[] => {
  const count = ring === 'soak' ? ci * 10 : ring === 'ci' ? ci : usual
  return fixed === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [Number(fixed)]
}

test('agrees with a plain row-by-row evaluation', { timeout: 600_000 }, () => {
  for (const seed of seeds(150, 800)) {
    const d = new Dice(seed)
    const { schema: of, rows, source } = randomTable(d, 30)
    for (let round = 0; round < 25; round++) {
      const node = randomNode(d, 0)
      const filter = text(node)
      const expected = rows.map((row) => (holds(node, row) === true ? 1 : 0))
      const begin = d.below(5)
      const mask = new Uint8Array(rows.length - begin)
      try {
        compileFilter(filter, of).evaluate(source, begin, rows.length, mask)
      } catch (error) {
        throw new Error(`FILTER_SEED=${seed}: ${filter}`, { cause: error })
      }
      const wrong = [...mask].findIndex((bit, i) => bit !== expected[begin + i])
      if (wrong >= 0) {
        const row = JSON.stringify(rows[begin + wrong], (_, v: unknown) => (typeof v === 'bigint' ? `${v}n` : v))
        expect.fail(`FILTER_SEED=${seed}: ${filter} gave ${mask[wrong]} for ${row}`)
      }
    }
  }
})

const TOKENS = [
  'a', 'i32', 'name', 'doc["a"]', 'ints[0]', '$meta', '$meta["x"]', '{t}', '1', '1.5', '0x', '09', '"x"', "'y'", 'r"z"', '"', "'", '\\', '(', ')', '[', ']', '{', '}', ',', '+', '-', '~', '!', '!=', '==', '=',
  '<', '<=', '>', '>=', '<<', '>>', '&', '&&', '|', '||', '^', '*', '**', '/', '%', '=~', '!~', 'and', 'or', 'not', 'in', 'not in', 'like', 'exists', 'is null', 'is not null', 'null', 'true', 'False', 'ISO', 'INTERVAL',
  'json_contains', 'array_length', 'text_match', 'random_sample', 'element_filter', '$', '$[', '.', ';', '\n', '\t', '\0', '😀', '\ud800', 'minimum_should_match=1',
]

test('any text gives an answer or a FilterError, at once', { timeout: 600_000 }, () => {
  for (const seed of seeds(300, 1000)) {
    const d = new Dice(seed)
    for (let round = 0; round < 20; round++) {
      const filter = d.pick([randomTokens, randomCharacters, randomBytes, brokenFilter])(d)
      const started = process.cpuUsage()
      try {
        compileFilter(filter, schema, new Map([['t', 1n]])).evaluate(sourceOf([{ i32: 1 }, {}]), 0, 2, new Uint8Array(2))
      } catch (error) {
        if (!(error instanceof FilterError)) throw new Error(`FILTER_SEED=${seed}: ${JSON.stringify(filter)}`, { cause: error })
        expect(error.offset).toBeGreaterThanOrEqual(0)
        expect(error.offset).toBeLessThanOrEqual(filter.length)
      }
      const { user } = process.cpuUsage(started)
      if (user > 1_000_000) expect.fail(`FILTER_SEED=${seed}: ${JSON.stringify(filter.slice(0, 500))} took ${user / 1000} ms`)
    }
  }
})

function randomTokens(d: Dice): string {
  return Array.from({ length: d.below(d.chance(0.1) ? 2000 : 25) }, () => d.pick(TOKENS)).join(d.chance(0.8) ? ' ' : '')
}

function randomCharacters(d: Dice): string {
  return String.fromCharCode(...Array.from({ length: d.below(60) }, () => (d.chance(0.9) ? 32 + d.below(95) : d.below(65536))))
}

function randomBytes(d: Dice): string {
  return Buffer.from(Array.from({ length: d.below(80) }, () => d.below(256))).toString('utf8')
}

function brokenFilter(d: Dice): string {
  const filter = text(randomNode(d, 0))
  const at = d.below(filter.length + 1)
  return d.chance(0.5) ? filter.slice(0, at) + filter.slice(at + 1 + d.below(3)) : filter.slice(0, at) + d.pick(TOKENS) + filter.slice(at)
}

test('hostile texts of 64 KB are answered soon', () => {
  const n = 65_536
  const fill = (piece: string) => piece.repeat(Math.ceil(n / piece.length)).slice(0, n)
  const texts = ['(', '[', '{', 'a[', 'a["x"]', '"', "'", '\\', '"\\', '1', '1.', '1e', '0x', '-', '+ ', '!', 'not ', 'exists ', '- 1 + ', 'a == ', 'a ** ', 'a like ', 'a or ', 'a,', '[1],', 'f(', '{t} ', '\n', ' ', 'a', '$', '<', '1<a<', 'a in [', '((1))+', '\u{1f600}']
    .flatMap((piece) => [fill(piece), `i32 == ${fill(piece)}`, `i32 in [${fill(piece)}]`])
  for (const filter of texts) {
    const started = process.cpuUsage()
    expect(() => parseOrError(filter)).not.toThrow()
    const ms = process.cpuUsage(started).user / 1000
    if (ms > 500) expect.fail(`${filter.slice(0, 40)}… took ${ms} ms`)
  }
})

function parseOrError(filter: string): void {
  try {
    parseFilter(filter)
  } catch (error) {
    if (!(error instanceof FilterError)) throw error
  }
}
