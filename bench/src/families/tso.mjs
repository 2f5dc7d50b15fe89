/** Timestamps and ids. */
import { load, loadName, rateOf, rateOfAsync } from '../measure.mjs'

const memoryKV = async () => (await loadName('@timetick/kv/memory', 'createMemoryKV'))()

async function oracleContext() {
  const { openTimestampOracle, startTimestampAllocator } = await load('@timetick/tso')
  const kv = await memoryKV()
  const oracle = await openTimestampOracle({ kv, rootPath: 'bench' })
  return { kv, oracle, allocator: startTimestampAllocator({ source: oracle }) }
}
async function closeOracle(context) {
  await context?.allocator.close()
  await context?.oracle.close()
  await context?.kv.close()
}

const WAITERS = 1000
/** As many callers at once, awaited as one: what is measured is the allocator, and one promise per caller. */
async function callers(call) {
  const calls = new Array(WAITERS)
  for (let i = 0; i < WAITERS; i += 1) calls[i] = call()
  for (const promise of calls) await promise
}

export const rows = [
  {
    id: 'tso.oracle.range', work: 'timestamps in ranges of 1,000', unit: '/s', goal: { op: '>=', value: 100e6, moonshot: 200e6 },
    open: oracleContext, close: closeOracle,
    measure: ({ oracle }) => rateOfAsync(() => oracle.getTimestamp(1000), { units: 1000 }),
  },
  {
    id: 'tso.allocator.calls', work: '1,000 waiters, alloc(1)', unit: '/s', goal: { op: '>=', value: 5e6, moonshot: 15e6 },
    open: oracleContext, close: closeOracle,
    measure: ({ allocator }) => rateOfAsync(() => callers(() => allocator.alloc(1)), { units: WAITERS }),
  },
  {
    id: 'tso.hlc.now', work: 'one timestamp a call', unit: '/s', reference: 'Date.now()', goal: { op: '>=', value: 20e6, of: 'value', moonshot: 40e6 },
    open: async () => (await load('@timetick/tso')).createHybridLogicalClock(),
    measure: (clock) => rateOf(() => {
      for (let i = 0; i < 10_000; i += 1) clock.now()
    }, { units: 10_000 }),
    measureReference: () => {
      let last = 0
      const rate = rateOf(() => {
        for (let i = 0; i < 10_000; i += 1) last ^= Date.now()
      }, { units: 10_000 })
      return last === undefined ? 0 : rate
    },
  },
  {
    id: 'id.alloc', work: '1,000 waiters, allocOne', unit: '/s', goal: { op: '>=', value: 20e6, moonshot: 50e6 },
    async open() {
      const { openIdSource, startIdAllocator } = await load('@timetick/tso')
      const kv = await memoryKV()
      const source = await openIdSource({ kv, rootPath: 'bench', step: 1_000_000 })
      return { kv, source, allocator: startIdAllocator({ source }) }
    },
    measure: ({ allocator }) => rateOfAsync(() => callers(() => allocator.allocOne()), { units: WAITERS }),
    async close(context) {
      await context?.allocator.close()
      await context?.source.close()
      await context?.kv.close()
    },
  },
]
