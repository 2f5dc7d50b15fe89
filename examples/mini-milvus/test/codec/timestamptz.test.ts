import { expect, test } from 'vitest'
import { addInterval, formatTimestamptz, parseInterval, parseTimestamptz } from '../../src/codec/timestamptz.ts'
import { randomFrom } from '../filter/random.ts'

const FIRST = -62_135_596_800_000
const LAST = 253_402_300_799_999

test('agrees with the calendar of Date over all years', () => {
  const random = randomFrom(7)
  for (let i = 0; i < 20_000; i++) {
    const ms = Math.floor(FIRST + random() * (LAST - FIRST))
    const iso = new Date(ms).toISOString()
    expect(parseTimestamptz(iso)).toBe(BigInt(ms) * 1000n)
    expect(Date.parse(formatTimestamptz(BigInt(ms) * 1000n))).toBe(ms)
    expect(parseTimestamptz(formatTimestamptz(BigInt(ms) * 1000n + 7n))).toBe(BigInt(ms) * 1000n + 7n)
  }
})

test.each([
  ['2025-01-01', 1735689600000000n],
  ['2025-01-01T00:00Z', 1735689600000000n],
  ['2025-01-01 00:00:00', 1735689600000000n],
  ['2025-01-01T00:00:00.123456789Z', 1735689600123456n],
  ['2025-01-01T05:30:00+05:30', 1735689600000000n],
  ['2024-12-31T16:00:00-0800', 1735689600000000n],
  ['1984-04-14T15:00:00+08:00', 450774000000000n],
])('%s', (text, micros) => expect(parseTimestamptz(text)).toBe(micros))

test.each(['', 'x', '2025', '2025-02-29', '2025-13-01', '2025-00-10', '2025-01-32', '2025-01-01T24:00:00Z', '2025-01-01T00:60:00Z', '2025-01-01T00:00:00+25:00', '0000-01-01T00:00:00Z', '0001-01-01T00:00:00+01:00', `2025-01-01${' '.repeat(100)}`])(
  '%s is no time',
  (text) => expect(parseTimestamptz(text)).toBeUndefined(),
)

test('texts are short', () => {
  expect(formatTimestamptz(0n)).toBe('1970-01-01T00:00:00Z')
  expect(formatTimestamptz(-1n)).toBe('1969-12-31T23:59:59.999999Z')
  expect(formatTimestamptz(1_500_000n)).toBe('1970-01-01T00:00:01.5Z')
})

test('intervals', () => {
  expect(parseInterval('P1Y2M3DT4H5M6.5S')).toEqual({ months: 14, micros: 273_906_500_000n })
  expect(parseInterval('-P1W')).toEqual({ months: -0, micros: -604_800_000_000n })
  for (const bad of ['', 'P', 'PT', 'P1', '1D', 'P1DT', 'P1S']) expect(parseInterval(bad)).toBeUndefined()
  const add = (text: string, interval: string, sign: 1 | -1) => {
    const parsed = parseInterval(interval)
    const start = parseTimestamptz(text)
    return parsed === undefined || start === undefined ? '' : formatTimestamptz(addInterval(start, parsed, sign))
  }
  expect(add('2024-01-31T12:00:00Z', 'P1M', 1)).toBe('2024-02-29T12:00:00Z')
  expect(add('2024-02-29T00:00:00Z', 'P1Y', -1)).toBe('2023-02-28T00:00:00Z')
  expect(add('2024-01-15T00:00:00Z', 'P13M', -1)).toBe('2022-12-15T00:00:00Z')
  expect(add('2024-12-31T23:00:00Z', 'PT2H', 1)).toBe('2025-01-01T01:00:00Z')
})
