/** The way of a vector through the roles, without the wire: log, data node, segments, query node. */
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/edge/system.ts'
import { openMemoryStores, type Stores } from '../../src/node/stores.ts'
import { common, contents, flush, insert, load, nearestIds, remove, startOn, untilLoaded, upsert, type Harness } from './harness.ts'

const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const item of opened.splice(0).reverse()) await item.close()
})

async function harnessOf(shardsNum = 2, settings?: Record<string, string>): Promise<Harness & { stores: Stores }> {
  const stores = await openMemoryStores(systemClock)
  opened.push(stores)
  const harness = await startOn(stores, shardsNum, settings)
  opened.push(harness)
  return { ...harness, stores }
}

const ids = (count: number, first = 0): number[] => Array.from({ length: count }, (_, i) => first + i)

describe('the data path', () => {
  it('shows rows to a strong read as soon as their write was answered', async () => {
    const harness = await harnessOf()
    await load(harness)
    await insert(harness, ids(10))
    expect([...(await contents(harness)).keys()]).toEqual(ids(10).map(BigInt))
    expect(await nearestIds(harness, [3, 0], 2)).toEqual([3n, 2n])
  })

  it('gives the same before, during and after a flush, growing and sealed rows together', async () => {
    const harness = await harnessOf()
    await load(harness)
    await insert(harness, ids(100), 1)
    await upsert(harness, ids(10), 2)
    await remove(harness, [50, 51])
    const expected = await contents(harness)
    expect(expected.size).toBe(98)
    expect(expected.get(5n)).toBe(2)
    const flushing = flush(harness)
    expect(await contents(harness)).toEqual(expected)
    await flushing
    expect(await contents(harness)).toEqual(expected)
    expect(harness.catalog.segments(harness.collection.id).filter(({ level }) => level === 'L1').reduce((sum, { rows: count }) => sum + count, 0)).toBe(98)
    await upsert(harness, [20], 3)
    await remove(harness, [21])
    await insert(harness, [200], 4)
    const after = await contents(harness)
    expect(after.get(20n)).toBe(3)
    expect(after.has(21n)).toBe(false)
    expect(after.get(200n)).toBe(4)
    expect(after.size).toBe(98)
    await flush(harness)
    await expect.poll(() => contents(harness)).toEqual(after)
    expect(await nearestIds(harness, [20, 3], 1)).toEqual([20n])
  })

  it('loads what was written before the load, from segments and from the log', async () => {
    const harness = await harnessOf()
    await insert(harness, ids(60))
    await flush(harness)
    await insert(harness, ids(5, 100))
    await remove(harness, [0])
    await load(harness)
    expect([...(await contents(harness)).keys()]).toEqual([...ids(59, 1), ...ids(5, 100)].map(BigInt))
    await harness.catalog.releaseCollection('default', 'points')
    await expect(contents(harness)).rejects.toThrow(/not loaded/)
    await load(harness)
    expect((await contents(harness)).size).toBe(64)
  })

  it('answers a read that waited through a release and a new load with all rows', async () => {
    const harness = await harnessOf()
    await load(harness)
    await insert(harness, ids(10))
    const later = (await harness.now()) + (400n << 18n)
    const request = { ...common, collectionId: harness.collection.id, filter: '', guaranteeTs: later, outputFields: [], limit: undefined, offset: 0, count: false }
    const reading = harness.roles.queryNode.current.query(request)
    await harness.catalog.releaseCollection('default', 'points')
    await load(harness)
    expect((await reading).count).toBe(10)
  })

  it('builds an index for segments that are large enough, and searches through it', async () => {
    const harness = await harnessOf(1)
    await load(harness)
    await insert(harness, ids(300))
    await flush(harness)
    await expect.poll(() => harness.catalog.segments(harness.collection.id)[0]?.indexes[0]?.state, { timeout: 10_000 }).toBe('finished')
    await expect.poll(() => harness.roles.queryNode.current.segments(harness.collection.id)[0]?.indexed, { timeout: 20_000 }).toBe(true)
    expect(await nearestIds(harness, [123, 0], 3)).toEqual([123n, 122n, 124n])
  })

  it('comes back after a restart from the log and the segments, and keeps going', async () => {
    const stores = await openMemoryStores(systemClock)
    opened.push(stores)
    let harness = await startOn(stores, 2)
    await load(harness)
    await insert(harness, ids(50), 1)
    await flush(harness)
    await upsert(harness, ids(5), 2)
    await remove(harness, [49])
    const before = await contents(harness)
    await harness.close()
    harness = await startOn(stores, 2)
    opened.push(harness)
    await untilLoaded(harness.roles, harness.collection)
    expect(await contents(harness)).toEqual(before)
    await insert(harness, [500], 9)
    await flush(harness)
    expect((await contents(harness)).get(500n)).toBe(9)
    expect((await contents(harness)).size).toBe(before.size + 1)
  })

  it('lets the log go once its rows are in segments', async () => {
    const harness = await harnessOf(1)
    const { pchannel } = harness.collection.shards[0] ?? { pchannel: '' }
    await load(harness)
    await insert(harness, ids(100))
    await flush(harness)
    await insert(harness, ids(100, 100))
    await flush(harness)
    await expect.poll(async () => (await harness.stores.mq.bounds(pchannel)).first, { timeout: 20_000 }).toBeUndefined()
  })

  it('merges small segments, leaves out deleted rows, and removes the files of both', async () => {
    const harness = await harnessOf(1, { 'compaction.minSegments': '2' })
    await load(harness)
    for (let round = 0; round < 4; round++) {
      await insert(harness, ids(50, round * 50))
      await flush(harness)
    }
    await remove(harness, ids(120))
    await flush(harness)
    const { catalog, collection } = harness
    await expect.poll(() => catalog.segments(collection.id).map(({ level, rows: count }) => [level, count]), { timeout: 20_000 }).toEqual([['L1', 80]])
    expect([...(await contents(harness)).keys()]).toEqual(ids(80, 120).map(BigInt))
    await expect
      .poll(async () => (await harness.stores.storage.list('segments/')).map(({ key }) => key.split('/')[2]).filter((id) => id !== String(catalog.segments(collection.id)[0]?.id)), { timeout: 20_000 })
      .toEqual([])
  })
})
