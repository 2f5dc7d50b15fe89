import { expect, test } from 'vitest'
import { TsoError, createRange, openIdSource, startIdAllocator } from '../src/index.ts'
import type { IdSource, TsoStore } from '../src/index.ts'
import { meanwhile } from './meanwhile.ts'
import { mapStore } from './map-store.ts'

/** A source whose calls are answered by the test. */
function heldSource(step: number) {
  let next = 1n
  const calls: { count: number; answer: () => void; fail: (error: unknown) => void }[] = []
  const source: IdSource = {
    takeSegment: (count) =>
      new Promise((resolve, reject) => {
        const answer = () => {
          const size = Math.max(step, count)
          resolve(createRange(next, size))
          next += BigInt(size)
        }
        calls.push({ count, answer, fail: reject })
      }),
  }
  return { source, calls }
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

test('the first ids of a fresh store are 1, 2, 3, and a large request is consecutive (3.2 #1)', async () => {
  const allocator = startIdAllocator({ source: await openIdSource({ kv: mapStore(), step: 200 }) })
  const range = await allocator.alloc(20_000)
  expect([range.first, range.last, range.count]).toEqual([1n, 20_000n, 20_000])
  const one = await allocator.allocOne()
  expect(one > 20_000n).toBe(true)
  expect(await allocator.allocOne()).toBe(one + 1n)
  await allocator.close()
})

test('ids are unique over several allocators on one counter and over restarts', async () => {
  const kv = mapStore()
  const seen = new Set<bigint>()
  let given = 0
  for (let life = 0; life < 5; life++) {
    const allocators = await Promise.all([1, 2, 3].map(async () => startIdAllocator({ source: await openIdSource({ kv, step: 7 }) })))
    await Promise.all(
      allocators.map(async (allocator) => {
        for (let call = 0; call < 40; call++) {
          const range = await allocator.alloc(1 + (call % 9))
          given += range.count
          for (const id of range) seen.add(id)
        }
      }),
    )
    for (const allocator of allocators) await allocator.close()
  }
  expect(seen.size).toBe(given)
})

test('a save whose answer was lost costs a gap, never a repeated id', async () => {
  const inner = mapStore()
  let lose = true
  const kv: TsoStore = {
    loadEntry: inner.loadEntry,
    compareAndSave: async (...args) => {
      const result = await inner.compareAndSave(...args)
      if (lose) throw Object.assign(new Error('connection lost'), { outcome: 'unknown' })
      return result
    },
  }
  const allocator = startIdAllocator({ source: await openIdSource({ kv, step: 10 }) })
  await expect(allocator.allocOne()).rejects.toMatchObject({ code: 'TSO_UNAVAILABLE', outcome: 'unknown' })
  lose = false
  expect(await allocator.allocOne()).toBe(11n)
  await allocator.close()
})

test('the next segment is fetched before the present one is used up', async () => {
  const { source, calls } = heldSource(10)
  const allocator = startIdAllocator({ source })
  const first = allocator.allocOne()
  calls[0]?.answer()
  expect(await first).toBe(1n)
  expect(calls).toHaveLength(1)
  for (let id = 2n; id <= 5n; id++) expect(await allocator.allocOne()).toBe(id)
  expect(calls).toHaveLength(2)
  for (let id = 6n; id <= 10n; id++) expect(await allocator.allocOne()).toBe(id)
  const waiting = allocator.allocOne()
  calls[1]?.answer()
  expect(await waiting).toBe(11n)
  await allocator.close()
})

test('waiters are served in order; smaller ones behind a large one do not overtake (3.2 #3)', async () => {
  const { source, calls } = heldSource(5)
  const allocator = startIdAllocator({ source })
  const order: number[] = []
  const all = [12, 1, 3].map(async (count, index) => {
    const range = await allocator.alloc(count)
    order.push(index)
    return range
  })
  while (order.length < 3) {
    calls.shift()?.answer()
    await settle()
  }
  const ranges = await Promise.all(all)
  expect(order).toEqual([0, 1, 2])
  expect(ranges.map((range) => range.count)).toEqual([12, 1, 3])
  expect(new Set(ranges.flatMap((range) => [...range])).size).toBe(16)
  await allocator.close()
})

test('a failed fetch fails all who wait, and the next call tries again (3.2 #4)', async () => {
  const { source, calls } = heldSource(5)
  const allocator = startIdAllocator({ source })
  const failure = new Error('no store')
  const both = Promise.allSettled([allocator.allocOne(), allocator.alloc(3)])
  calls[0]?.fail(failure)
  expect(await both).toEqual([
    { status: 'rejected', reason: failure },
    { status: 'rejected', reason: failure },
  ])
  const next = allocator.allocOne()
  calls[1]?.answer()
  expect(await next).toBe(1n)
  await allocator.close()
})

test('close rejects who waits and what comes later (3.2 #8)', async () => {
  const { source } = heldSource(5)
  const allocator = startIdAllocator({ source })
  const waiting = allocator.allocOne()
  const rejected = meanwhile(() => expect(waiting).rejects.toMatchObject({ code: 'TSO_CLOSED' }))
  await allocator.close()
  await allocator.close()
  await rejected
  await expect(allocator.alloc(1)).rejects.toMatchObject({ code: 'TSO_CLOSED' })
  expect(allocator.tryAlloc(1)).toBeUndefined()
})

test('an aborted waiter leaves with the reason of its signal; the others are served', async () => {
  const { source, calls } = heldSource(5)
  const allocator = startIdAllocator({ source })
  const controller = new AbortController()
  const reason = new Error('changed my mind')
  const aborted = meanwhile(() => expect(allocator.allocOne({ signal: controller.signal })).rejects.toBe(reason))
  const other = allocator.allocOne()
  controller.abort(reason)
  await aborted
  await expect(allocator.allocOne({ signal: controller.signal })).rejects.toBe(reason)
  calls[0]?.answer()
  expect(await other).toBe(1n)
  await allocator.close()
})

test('more than maxWaiting callers are refused', async () => {
  const { source, calls } = heldSource(5)
  const allocator = startIdAllocator({ source, maxWaiting: 2 })
  const two = [allocator.allocOne(), allocator.allocOne()]
  await expect(allocator.allocOne()).rejects.toMatchObject({ code: 'TSO_OVERLOADED', retryable: true })
  calls[0]?.answer()
  expect(await Promise.all(two)).toEqual([1n, 2n])
  await allocator.close()
})

test('corrupt and exhausted counters are errors', async () => {
  const kv = mapStore()
  for (const value of ['', 'x', 'timetick-id/1 ', 'timetick-id/1 -1', 'timetick-id/1 01', 'timetick-id/1 9999999999999999999']) {
    kv.put('id/next', value)
    await expect(openIdSource({ kv })).rejects.toMatchObject({ code: 'TSO_CORRUPT' })
  }
  kv.put('id/next', `timetick-id/1 ${2n ** 63n - 5n}`)
  const source = await openIdSource({ kv, step: 1 })
  expect((await source.takeSegment(5)).last).toBe(2n ** 63n - 1n)
  await expect(source.takeSegment(1)).rejects.toMatchObject({ code: 'TSO_EXHAUSTED' })
  await source.close()
  await expect(source.takeSegment(1)).rejects.toMatchObject({ code: 'TSO_CLOSED' })
})

test('bad arguments are refused with what was expected and what came', async () => {
  const source = await openIdSource({ kv: mapStore() })
  const allocator = startIdAllocator({ source })
  for (const count of [0, -1, 1.5, NaN, Infinity, 2 ** 32]) await expect(allocator.alloc(count)).rejects.toThrow(RangeError)
  await expect(allocator.alloc('1' as unknown as number)).rejects.toThrow('expected `count` to be an integer in 1..4294967295, got "1" (string)')
  await expect(openIdSource({ kv: {} as unknown as TsoStore })).rejects.toThrow(TypeError)
  await expect(openIdSource({ kv: mapStore(), step: 0 })).rejects.toThrow(RangeError)
  await expect(openIdSource({ kv: mapStore(), signal: AbortSignal.abort(new Error('early')) })).rejects.toThrow('early')
  expect(() => startIdAllocator({ source: {} as unknown as IdSource })).toThrow(TypeError)
  expect(() => startIdAllocator({ source, refillBelow: 2 })).toThrow(RangeError)
  await allocator.close()
})

test('a source that gives too little is an error, not a repeated id', async () => {
  const allocator = startIdAllocator({ source: { takeSegment: async () => createRange(1n, 2) } })
  await expect(allocator.alloc(3)).rejects.toBeInstanceOf(TsoError)
  await expect(allocator.alloc(3)).rejects.toMatchObject({ code: 'TSO_SOURCE_BROKEN' })
  await allocator.close()
})

test('tryAllocOne gives what allocOne would, and nothing while somebody waits or after a close', async () => {
  const { source, calls } = heldSource(10)
  const allocator = startIdAllocator({ source, refillBelow: 0 })
  expect(allocator.tryAllocOne()).toBeUndefined()
  // A try that found nothing asks for nothing: only a caller who waits does.
  expect(calls.length).toBe(0)
  const first = allocator.allocOne()
  calls[0]?.answer()
  expect(await first).toBe(1n)
  expect(Array.from({ length: 9 }, () => allocator.tryAllocOne())).toEqual([2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n, 10n])
  expect(allocator.tryAllocOne()).toBeUndefined()
  await settle()
  calls[1]?.answer()
  await settle()
  expect(allocator.tryAllocOne()).toBe(11n)
  expect(await allocator.allocOne()).toBe(12n)
  await allocator.close()
  expect(allocator.tryAllocOne()).toBeUndefined()
  await expect(allocator.allocOne()).rejects.toMatchObject({ code: 'TSO_CLOSED' })
})
