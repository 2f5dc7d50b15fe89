/** Timestamps and ids. Run by itself this file is the oracle that the `tso.grpc` rows ask from another process. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { load, loadName, percentile, rateOf, rateOfAsync } from '../measure.mjs'

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

async function idContext() {
  const { openIdSource, startIdAllocator } = await load('@timetick/tso')
  const kv = await memoryKV()
  const source = await openIdSource({ kv, rootPath: 'bench', step: 1_000_000 })
  return { kv, source, allocator: startIdAllocator({ source }) }
}
async function closeIds(context) {
  await context?.allocator.close()
  await context?.source.close()
  await context?.kv.close()
}

const WAITERS = 1000
/** As many callers at once, awaited as one: what is measured is the allocator, and one promise per caller. */
async function callers(call) {
  const calls = new Array(WAITERS)
  for (let i = 0; i < WAITERS; i += 1) calls[i] = call()
  for (const promise of calls) await promise
}

/** An oracle that has used up what load may run ahead of the clock: what it gives from now on is what it gives for ever. */
async function steadyOracle() {
  const context = await oracleContext()
  const { oracle } = context
  for (let misses = 0; misses < 2;) {
    if (oracle.tryGetTimestamp(1000) !== undefined) continue
    misses += 1
    await oracle.getTimestamp(1000)
  }
  return context
}

const self = fileURLToPath(import.meta.url)

async function remoteContext() {
  const { connectTimestampSource } = await load('@timetick/tso/grpc')
  const grpc = await load('@grpc/grpc-js')
  const child = fork(self, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const address = await new Promise((resolve, reject) => {
    child.once('message', resolve)
    child.once('exit', (code) => reject(new Error(`the oracle ended with ${code}`)))
  })
  const source = connectTimestampSource({ addresses: [address] })
  const client = new grpc.Client(address, grpc.credentials.createInsecure())
  const empty = Buffer.alloc(0)
  const unary = () => new Promise((resolve, reject) => {
    client.makeUnaryRequest('/bench.Empty/Call', (value) => value, (value) => value, empty, (error, value) => (error === null ? resolve(value) : reject(error)))
  })
  return { child, source, client, unary }
}
async function closeRemote(context) {
  await context?.source.close()
  context?.client.close()
  context?.child.kill()
}

/** 1,000 callers that ask again as soon as they have an answer, for about a second: the rate, and how long each waited. */
async function manyCallers({ source }) {
  const latencies = []
  const begin = performance.now()
  const caller = async () => {
    for (let now = performance.now(); now - begin < 1000;) {
      await source.allocOne()
      const end = performance.now()
      latencies.push(end - now)
      now = end
    }
  }
  await Promise.all(Array.from({ length: WAITERS }, caller))
  return { perSecond: (latencies.length * 1000) / (performance.now() - begin), latencies }
}

async function medianOf(call) {
  const latencies = []
  for (let i = 0; i < 2000; i += 1) {
    const begin = performance.now()
    await call()
    latencies.push(performance.now() - begin)
  }
  return percentile(latencies, 0.5)
}

async function serveOracle() {
  const { openTimestampOracle } = await import('@timetick/tso')
  const { addTimestampService } = await import('@timetick/tso/grpc')
  const { Server, ServerCredentials } = await import('@grpc/grpc-js')
  const server = new Server()
  addTimestampService(server, { oracle: await openTimestampOracle({ kv: await memoryKV() }) })
  const bytes = (value) => value
  const codec = { requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes, responseDeserialize: bytes }
  const empty = Buffer.alloc(0)
  server.addService({ call: { path: '/bench.Empty/Call', requestStream: false, responseStream: false, ...codec } }, { call: (_, answer) => answer(null, empty) })
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
    if (error !== null) throw error
    process.send(`127.0.0.1:${port}`)
  })
  process.once('disconnect', () => process.exit())
}

export const rows = [
  {
    id: 'tso.oracle.range', work: 'timestamps in ranges of 1,000, sustained: at the pace of the clock, after the burst', unit: '/s', goal: { op: '>=', value: 100e6, moonshot: 200e6 },
    open: steadyOracle, close: closeOracle,
    async measure({ oracle }) {
      const rate = await rateOfAsync(() => oracle.getTimestamp(1000), { units: 1000, ms: 500 })
      const { leadMs } = oracle.states
      if (leadMs > 1001) throw new Error(`the oracle ran ${leadMs} ms ahead of the clock`)
      return rate
    },
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
    id: 'tso.grpc.1000', work: 'client and oracle in two processes, 1,000 waiters', unit: '/s', goal: { op: '>=', value: 1e6, moonshot: 3e6 },
    open: remoteContext, close: closeRemote,
    measure: async (context) => (await manyCallers(context)).perSecond,
  },
  {
    id: 'tso.grpc.1000.p99', work: 'the same: how long a waiter waits, p99', unit: 'ms', goal: { op: '<=', value: 5 },
    open: remoteContext, close: closeRemote,
    measure: async (context) => percentile((await manyCallers(context)).latencies, 0.99),
  },
  {
    id: 'tso.grpc.single', work: 'one waiter, p50', unit: 'ms', reference: 'empty unary call', goal: { op: '<=', value: 1.2, moonshot: 1.05 },
    open: remoteContext, close: closeRemote,
    measure: ({ source }) => medianOf(() => source.allocOne()),
    measureReference: ({ unary }) => medianOf(unary),
  },
  {
    id: 'id.alloc', work: 'one id a call: tryAllocOne, and allocOne where a segment is awaited', unit: '/s', goal: { op: '>=', value: 20e6, moonshot: 50e6 },
    open: idContext, close: closeIds,
    measure: ({ allocator }) => rateOfAsync(async () => {
      for (let i = 0; i < 1000; i += 1) if (allocator.tryAllocOne() === undefined) await allocator.allocOne()
    }, { units: 1000 }),
  },
  {
    id: 'id.alloc.promises', work: '1,000 waiters, allocOne', unit: '/s', reference: '1,000 resolved promises', goal: { op: '>=', value: 0.8 },
    open: idContext, close: closeIds,
    measure: ({ allocator }) => rateOfAsync(() => callers(() => allocator.allocOne()), { units: WAITERS }),
    measureReference() {
      let next = 2n ** 40n
      return rateOfAsync(() => callers(() => Promise.resolve(next++)), { units: WAITERS })
    },
  },
]

if (process.argv[1] === self && process.send !== undefined) await serveOracle()
