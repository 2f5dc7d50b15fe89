import { expect, test } from 'vitest'
import { openTimestampOracle, startTimestampAllocator } from '../src/index.ts'
import { mapStore } from './map-store.ts'

test('serves ranges and coalesces with the real clock', async () => {
  const oracle = await openTimestampOracle({ kv: mapStore() })
  const a = await oracle.getTimestamp(10)
  const b = await oracle.getTimestamp(1)
  expect(b.first > a.last).toBe(true)
  const allocator = startTimestampAllocator({ source: oracle })
  const all = await Promise.all(Array.from({ length: 1000 }, () => allocator.allocOne()))
  expect(new Set(all).size).toBe(1000)
  expect([...all].sort((x, y) => (x < y ? -1 : 1))).toEqual(all)
  await allocator.close()
  await oracle.close()
})

test('a second oracle fences the first', async () => {
  const kv = mapStore()
  const a = await openTimestampOracle({ kv, owner: 'a' })
  const last = await a.getTimestamp()
  const b = await openTimestampOracle({ kv, owner: 'b' })
  expect((await b.getTimestamp()).first > last.last).toBe(true)
  await expect(a.setTimestamp((await b.getTimestamp()).first + (5000n << 18n))).rejects.toMatchObject({ code: 'TSO_FENCED' })
  await expect(a.getTimestamp()).rejects.toMatchObject({ code: 'TSO_FENCED' })
  await a.close()
  await b.close()
})
