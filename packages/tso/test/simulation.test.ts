import { describe, expect, test } from 'vitest'
import { createRange, openTimestampOracle } from '../src/index.ts'
import type { TimestampOracle, TimestampOracleOptions, TimestampRange, TsoStore } from '../src/index.ts'
import { simulateOracles } from '../src/testing.ts'
import type { OpenOracle } from '../src/testing.ts'

const isLong = ['ci', 'soak'].includes(process.env['TIMETICK_RING'] ?? '')
const SEEDS = Number(process.env['TSO_SEEDS'] ?? (isLong ? 20_000 : 3_000))

describe('the oracle under faults (T1)', () => {
  test(`keeps its promises under ${SEEDS} seeds, and reaches the rare states`, async () => {
    const reached = new Map<string, number>()
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { violations, counts } = await simulateOracles({ seed })
      if (violations.length > 0) expect({ seed, violations }).toEqual({ seed, violations: [] })
      for (const [name, count] of Object.entries(counts)) reached.set(name, (reached.get(name) ?? 0) + count)
    }
    const rare = ['fenced', 'clock-behind', 'clock-jumped', 'save-failed', 'refused: TSO_FENCED', 'refused: TSO_TIMEOUT', 'refused: TSO_UNAVAILABLE']
    const states = [...rare, 'set', 'suspended', 'nothing at once', 'open failed: TSO_CLOCK_BEHIND', 'clock-waiting', 'set refused: TSO_SET_REFUSED']
    expect(states.filter((name) => !reached.has(name))).toEqual([])
  }, 600_000)

  test('is the same for the same seed', async () => {
    for (let seed = 1; seed <= 200; seed++) {
      const [a, b] = [await simulateOracles({ seed }), await simulateOracles({ seed })]
      expect({ seed, trace: a.trace, counts: a.counts }).toEqual({ seed, trace: b.trace, counts: b.counts })
    }
  })
})

/** The two methods without `this`, as plain functions. */
interface LooseStore {
  readonly loadEntry: (key: string) => ReturnType<TsoStore['loadEntry']>
  readonly compareAndSave: (key: string, expected: bigint, value: string, options?: unknown) => Promise<boolean>
}

/** The real oracle on a store that was tampered with: each is a mistake that shipped somewhere, or nearly. */
function withStore(tamper: (kv: LooseStore, options: TimestampOracleOptions) => TsoStore): OpenOracle {
  return (options) => openTimestampOracle({ ...options, kv: tamper({ loadEntry: (key) => options.kv.loadEntry(key), compareAndSave: (key, expected, value) => options.kv.compareAndSave(key, expected, value) }, options) })
}

/** The real oracle with some of its methods replaced. */
function withOracle(tamper: (oracle: TimestampOracle) => Partial<TimestampOracle>): OpenOracle {
  return async (options) => {
    const oracle = await openTimestampOracle(options)
    return {
      getTimestamp: (count) => oracle.getTimestamp(count),
      getTimestamps: (count) => oracle.getTimestamps(count),
      tryGetTimestamp: (count) => oracle.tryGetTimestamp(count),
      setTimestamp: (ts) => oracle.setTimestamp(ts),
      acceptClock: () => oracle.acceptClock(),
      get states() {
        return oracle.states
      },
      close: () => oracle.close(),
      [Symbol.asyncDispose]: () => oracle.close(),
      ...tamper(oracle),
    }
  }
}

const bugs: Record<string, OpenOracle> = {
  'the window is put, not compared (Milvus)': withStore((kv) => ({
    loadEntry: kv.loadEntry,
    async compareAndSave(key, _, value) {
      const entry = await kv.loadEntry(key)
      return kv.compareAndSave(key, entry?.modRevision ?? 0n, value)
    },
  })),
  'a save with an unknown outcome is taken for done': withStore((kv) => ({
    loadEntry: kv.loadEntry,
    compareAndSave: (...args) =>
      kv.compareAndSave(...args).catch((error: unknown) => {
        if ((error as { outcome?: unknown }).outcome === 'unknown') return true
        throw error
      }),
  })),
  'a lost race is taken for won': withStore((kv) => ({
    loadEntry: kv.loadEntry,
    compareAndSave: async (...args) => (await kv.compareAndSave(...args)) || true,
  })),
  'memory is published before the store has it': withStore((kv) => ({
    loadEntry: kv.loadEntry,
    compareAndSave: async (...args) => {
      kv.compareAndSave(...args).catch(() => undefined)
      return true
    },
  })),
  'all oracles have one name': (options) => openTimestampOracle({ ...options, owner: 'oracle' }),
  'a failed load is taken for a fresh store (Milvus #51469)': withStore((kv) => ({
    loadEntry: (key) => kv.loadEntry(key).catch(() => undefined),
    async compareAndSave(key, expected, value) {
      const entry = expected === 0n ? await kv.loadEntry(key).catch(() => undefined) : undefined
      return kv.compareAndSave(key, entry?.modRevision ?? expected, value)
    },
  })),
  'the record holds the start of the window, not its end': withStore((kv, { saveIntervalMs = 0 }) => {
    const shift = (value: string, by: number): string => value.replace(/ ([0-9]+) /, (_, end: string) => ` ${Number(end) + by} `)
    return {
      loadEntry: kv.loadEntry,
      compareAndSave: (key, expected, value) => kv.compareAndSave(key, expected, shift(value, -saveIntervalMs)),
    }
  }),
  'a range begins with the last of the one before': withOracle((oracle) => {
    const overlap = (range: TimestampRange): TimestampRange => (range.first & 0x3ffffn) > 1n ? createRange(range.first - 1n, range.count) : range
    return {
      getTimestamp: async (count) => overlap(await oracle.getTimestamp(count)),
      tryGetTimestamp: (count) => {
        const range = oracle.tryGetTimestamp(count)
        return range && overlap(range)
      },
    }
  }),
  'a reset is served before it is saved (reset race, PD #4885)': withOracle((oracle) => {
    let early: bigint | undefined
    return {
      setTimestamp: (ts) => {
        early = ts
        return oracle.setTimestamp(ts).finally(() => (early = undefined))
      },
      tryGetTimestamp: (count = 1) => {
        if (early === undefined) return oracle.tryGetTimestamp(count)
        const range = createRange(early + 1n, count)
        early = range.last
        return range
      },
    }
  }),
}

describe('the simulation finds planted bugs', () => {
  test(`all ${Object.keys(bugs).length}, the median within 500 seeds`, async () => {
    const seeds: Record<string, number> = {}
    for (const [name, open] of Object.entries(bugs)) {
      for (let seed = 1; seed <= 1_000 && seeds[name] === undefined; seed++) {
        if ((await simulateOracles({ seed, open })).violations.length > 0) seeds[name] = seed
      }
    }
    expect(Object.keys(bugs).filter((name) => seeds[name] === undefined)).toEqual([])
    expect(Object.values(seeds).sort((a, b) => a - b)[Object.keys(bugs).length >> 1]).toBeLessThanOrEqual(500)
  }, 60_000)
})
