import { afterEach } from 'vitest'
import { openTimestampOracle, parseTimestamp } from '../src/index.ts'
import type { TimestampOracle, TimestampOracleOptions, TsoEvent } from '../src/index.ts'
import { SimulatedClock } from '../src/testing.ts'
import { mapStore } from './map-store.ts'

export const T0 = 1_700_000_000_000
export const KEY = 'tso/timestamp'
const opened: TimestampOracle[] = []

/** An oracle that is closed after the test. */
export async function open(options: Omit<TimestampOracleOptions, 'clock'> & { clock: SimulatedClock }): Promise<TimestampOracle> {
  const oracle = await openTimestampOracle({ owner: `oracle-${opened.length}`, ...options })
  opened.push(oracle)
  return oracle
}

export async function setUp(options: Partial<TimestampOracleOptions> = {}) {
  const clock = new SimulatedClock({ now: T0 })
  const kv = mapStore()
  const events: TsoEvent[] = []
  const oracle = await open({ ...options, kv, clock, onEvent: (event) => events.push(event) })
  return { clock, kv, events, oracle }
}

export const settle = () => new Promise<void>((resolve) => setImmediate(resolve))
export const physical = (ts: bigint): number => parseTimestamp(ts).physicalMs
export const savedEnd = (value: string | undefined): number => Number(value?.split(' ')[1])

afterEach(async () => {
  for (const oracle of opened.splice(0)) await oracle.close()
})
