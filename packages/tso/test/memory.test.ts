import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createMemoryKV } from '@timetick/kv/memory'
import { expect, test } from 'vitest'
import { createHybridLogicalClock, openIdSource, openTimestampOracle, startIdAllocator, startTimestampAllocator } from '../src/index.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

async function heapBytes(): Promise<number> {
  for (let turn = 0; turn < 3; turn++) {
    await new Promise((resolve) => setImmediate(resolve))
    collect()
  }
  return process.memoryUsage().heapUsed
}

const MEGABYTE = 2 ** 20

/** Runs it once to warm up, then grows by nothing that 100 million could have left behind. */
async function staysFlat(run: () => Promise<void>): Promise<void> {
  await run()
  const before = await heapBytes()
  await run()
  const after = await heapBytes()
  expect((after - before) / MEGABYTE).toBeLessThan(2)
}

test('100 million timestamps leave nothing behind', { timeout: 60_000 }, async () => {
  const kv = createMemoryKV()
  const oracle = await openTimestampOracle({ kv })
  const allocator = startTimestampAllocator({ source: oracle })
  await staysFlat(async () => {
    let last = 0n
    let given = 0
    while (given < 90_000_000) {
      const range = oracle.tryGetTimestamp(1_000) ?? (await oracle.getTimestamp(1_000))
      if (range.first <= last) throw new Error(`${range.first} after ${last}`)
      last = range.last
      given += range.count
    }
    while (given < 100_000_000) {
      const ranges = await Promise.all(Array.from({ length: 100 }, () => allocator.alloc(1_000)))
      for (const { count } of ranges) given += count
    }
  })
  await allocator.close()
  await oracle.close()
  await kv.close()
})

test('nor do a million calls of one, of ids, and of the hybrid clock', { timeout: 60_000 }, async () => {
  const kv = createMemoryKV()
  const oracle = await openTimestampOracle({ kv })
  const allocator = startTimestampAllocator({ source: oracle })
  const source = await openIdSource({ kv, step: 10_000 })
  const ids = startIdAllocator({ source })
  const hlc = createHybridLogicalClock()
  const { signal } = new AbortController()
  await staysFlat(async () => {
    for (let round = 0; round < 250; round++) {
      await Promise.all(Array.from({ length: 1_000 }, (_, index) => (index % 2 === 0 ? allocator.allocOne({ signal }) : ids.allocOne({ signal }))))
      for (let call = 0; call < 2_000; call++) hlc.now()
    }
  })
  for (const part of [allocator, oracle, ids, source, kv]) await part.close()
})
