import { describe, expect, test } from 'vitest'
import { MAX_LOGICAL, composeTimestamp, createRange, startTimestampAllocator } from '../src/index.ts'
import type { TimestampRange, TimestampSource } from '../src/index.ts'
import { meanwhile } from './meanwhile.ts'

/** A source whose requests are answered by the test, in one millisecond each. */
function heldSource() {
  let ms = 1_000
  const requests: { count: number; answer: () => void; fail: (error: unknown) => void; signal: AbortSignal | undefined }[] = []
  const source: TimestampSource = {
    getTimestamp: (count, options) =>
      new Promise((resolve, reject) => {
        requests.push({ count, answer: () => resolve(createRange(composeTimestamp(ms++, 1), count)), fail: reject, signal: options?.signal })
      }),
  }
  return { source, requests }
}

const tick = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('the timestamp allocator', () => {
  test('gathers all who wait at the same time into one request, in order of arrival', async () => {
    const { source, requests } = heldSource()
    const allocator = startTimestampAllocator({ source })
    const calls = [allocator.alloc(3), allocator.allocOne(), allocator.alloc(2)] as const
    await tick()
    expect(requests.map(({ count }) => count)).toEqual([6])
    requests[0]?.answer()
    const [a, b, c] = await Promise.all(calls)
    const first = composeTimestamp(1_000, 1)
    expect([[...a], b, [...c]]).toEqual([[first, first + 1n, first + 2n], first + 3n, [first + 4n, first + 5n]])
    await allocator.close()
  })

  test('who comes while a request is in flight waits for the next one: no timestamp is older than its call', async () => {
    const { source, requests } = heldSource()
    const allocator = startTimestampAllocator({ source })
    const early = allocator.allocOne()
    await tick()
    const late = [allocator.allocOne(), allocator.allocOne()]
    await tick()
    expect(requests).toHaveLength(1)
    requests[0]?.answer()
    await early
    await tick()
    expect(requests.map(({ count }) => count)).toEqual([1, 2])
    requests[1]?.answer()
    expect((await Promise.all(late)).every((ts) => ts > composeTimestamp(1_000, MAX_LOGICAL))).toBe(true)
    await allocator.close()
  })

  test('splits a batch above 262,143', async () => {
    const { source, requests } = heldSource()
    const allocator = startTimestampAllocator({ source })
    const calls = [200_000, 62_143, 1, MAX_LOGICAL].map((count) => allocator.alloc(count))
    for (let request = 0; request < 3; request++) {
      await tick()
      requests[request]?.answer()
    }
    expect((await Promise.all(calls)).map(({ count }) => count)).toEqual([200_000, 62_143, 1, MAX_LOGICAL])
    expect(requests.map(({ count }) => count)).toEqual([MAX_LOGICAL, 1, MAX_LOGICAL])
    await allocator.close()
  })

  test('an error reaches all of its batch and nobody else', async () => {
    const { source, requests } = heldSource()
    const allocator = startTimestampAllocator({ source })
    const failed = Promise.allSettled([allocator.allocOne(), allocator.alloc(2)])
    await tick()
    const next = allocator.allocOne()
    const failure = new Error('no oracle')
    requests[0]?.fail(failure)
    expect((await failed).map((result) => (result.status === 'rejected' ? (result.reason as unknown) : result))).toEqual([failure, failure])
    await tick()
    requests[1]?.answer()
    expect(typeof (await next)).toBe('bigint')
    await allocator.close()
  })

  test('an aborted waiter leaves at once; the request of the others is not cancelled', async () => {
    const { source, requests } = heldSource()
    const allocator = startTimestampAllocator({ source })
    const reason = new Error('enough')
    await expect(allocator.allocOne({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const inBatch = new AbortController()
    const queued = new AbortController()
    const first = meanwhile(() => expect(allocator.alloc(2, { signal: inBatch.signal })).rejects.toBe(reason))
    const second = allocator.allocOne()
    await tick()
    const third = meanwhile(() => expect(allocator.allocOne({ signal: queued.signal })).rejects.toBe(reason))
    const fourth = allocator.allocOne()
    inBatch.abort(reason)
    queued.abort(reason)
    await Promise.all([first, third])
    expect(requests[0]?.signal?.aborted).toBe(false)
    requests[0]?.answer()
    expect(await second).toBe(composeTimestamp(1_000, 3))
    await tick()
    expect(requests[1]?.count).toBe(1)
    requests[1]?.answer()
    await fourth
    await allocator.close()
  })

  test('refuses more than maxWaiting, and has room again afterwards', async () => {
    const { source, requests } = heldSource()
    const allocator = startTimestampAllocator({ source, maxWaiting: 3 })
    const controller = new AbortController()
    const calls = [allocator.allocOne(), allocator.allocOne(), allocator.allocOne({ signal: controller.signal })]
    await expect(allocator.allocOne()).rejects.toMatchObject({ code: 'TSO_OVERLOADED', retryable: true })
    const aborted = meanwhile(() => expect(calls[2]).rejects.toBeDefined())
    controller.abort()
    await aborted
    const fits = allocator.allocOne()
    for (const request of [0, 1]) {
      await tick()
      requests[request]?.answer()
    }
    await Promise.all([calls[0], calls[1], fits])
    const more = [1, 2, 3].map(() => allocator.allocOne())
    await tick()
    requests[2]?.answer()
    await Promise.all(more)
    await allocator.close()
  })

  test('aborted waiters do not pile up behind a source that hangs', async () => {
    const { source } = heldSource()
    const allocator = startTimestampAllocator({ source, maxWaiting: 100 })
    const stuck = meanwhile(() => expect(allocator.allocOne()).rejects.toMatchObject({ code: 'TSO_CLOSED' }))
    await tick()
    for (let round = 0; round < 50; round++) {
      const controller = new AbortController()
      const calls = Promise.allSettled(Array.from({ length: 99 }, () => allocator.allocOne({ signal: controller.signal })))
      controller.abort(new Error('round over'))
      expect((await calls).every((result) => result.status === 'rejected' && (result.reason as Error).message === 'round over')).toBe(true)
    }
    await allocator.close()
    await stuck
  })

  test('close rejects who waits, queued or in flight, and later calls', async () => {
    const { source, requests } = heldSource()
    const allocator = startTimestampAllocator({ source })
    const closed = { code: 'TSO_CLOSED' }
    const inFlight = meanwhile(() => expect(allocator.allocOne()).rejects.toMatchObject(closed))
    await tick()
    const queued = meanwhile(() => expect(allocator.alloc(5)).rejects.toMatchObject(closed))
    await allocator.close()
    await allocator[Symbol.asyncDispose]()
    await Promise.all([inFlight, queued])
    expect(requests[0]?.signal?.aborted).toBe(true)
    requests[0]?.answer()
    await expect(allocator.allocOne()).rejects.toMatchObject(closed)
  })

  test('a source that answers at once: still one request for all, and done within microtasks', async () => {
    const counts: number[] = []
    let next = composeTimestamp(5, 1)
    const give = (count: number): TimestampRange => {
      counts.push(count)
      const range = createRange(next, count)
      next += BigInt(count)
      return range
    }
    const allocator = startTimestampAllocator({ source: { tryGetTimestamp: give, getTimestamp: async (count) => give(count) } })
    let macrotask = false
    setImmediate(() => (macrotask = true))
    const all = await Promise.all(Array.from({ length: 1_000 }, () => allocator.allocOne()))
    expect([macrotask, counts, all.length, all[999]]).toEqual([false, [1_000], 1_000, composeTimestamp(5, 1_000)])
    await allocator.close()
  })

  test('a source that gives the wrong count is an error for all, not equal timestamps', async () => {
    const wrong = async (): Promise<TimestampRange> => createRange(1n, 1)
    const allocator = startTimestampAllocator({ source: { getTimestamp: wrong } })
    const results = await Promise.allSettled([allocator.allocOne(), allocator.allocOne()])
    expect(results).toMatchObject([{ reason: { code: 'TSO_SOURCE_BROKEN' } }, { reason: { code: 'TSO_SOURCE_BROKEN' } }])
    await allocator.close()
  })

  test('bad arguments', async () => {
    const { source } = heldSource()
    const allocator = startTimestampAllocator({ source })
    for (const count of [0, -1, 1.5, NaN, MAX_LOGICAL + 1]) await expect(allocator.alloc(count)).rejects.toThrow(RangeError)
    await expect(allocator.alloc(1n as never)).rejects.toThrow(TypeError)
    for (const options of [undefined, {}, { source: {} }, { source, maxWaiting: 0 }]) {
      expect(() => startTimestampAllocator(options as never)).toThrow(/^expected /)
    }
    await allocator.close()
  })
})
