import { addDuration, composeTimestamp } from '@timetick/tso'
import { describe, expect, it } from 'vitest'
import { ConsistencyLevel, guaranteeTimestamp, type GuaranteeOptions } from '../../src/proxy/guarantee.ts'

const now = composeTimestamp(1_800_000_000_000, 7)
const options: GuaranteeOptions = { now: async () => now, gracefulTimeMs: 5000, lastWrite: () => 0n }
const collection = { id: 1n, consistencyLevel: ConsistencyLevel.Bounded }
const earlier = addDuration(now, -5000)

describe('guarantee timestamps', () => {
  it.each([
    ['strong is now', { consistency_level: ConsistencyLevel.Strong }, now],
    ['no level at all is strong', {}, now],
    ['bounded is a grace ago', { consistency_level: ConsistencyLevel.Bounded }, earlier],
    ['eventual is anything', { consistency_level: ConsistencyLevel.Eventually }, 1n],
    ['session is what the client saw', { consistency_level: ConsistencyLevel.Session, guarantee_timestamp: 123_456n }, 123_456n],
    ['customized with the mark of strong', { consistency_level: ConsistencyLevel.Customized, guarantee_timestamp: 0n }, now],
    ['customized with the mark of eventual', { consistency_level: ConsistencyLevel.Customized, guarantee_timestamp: 1n }, 1n],
    ['customized with the mark of bounded', { consistency_level: ConsistencyLevel.Customized, guarantee_timestamp: 2n }, earlier],
    ['the collection decides when asked to', { use_default_consistency: true, consistency_level: ConsistencyLevel.Strong }, earlier],
  ])('%s', async (_title, request, expected) => {
    expect(await guaranteeTimestamp(request, collection, options)).toBe(expected)
  })

  it('of a bounded read covers what was written here a moment ago', async () => {
    const written = addDuration(now, -3)
    expect(await guaranteeTimestamp({ consistency_level: ConsistencyLevel.Bounded }, collection, { ...options, lastWrite: () => written })).toBe(written)
  })
})
