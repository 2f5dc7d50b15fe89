/** Calls that look more than once, with a write of all shards at one timestamp exactly between two looks. */
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/edge/system.ts'
import { openMemoryStores } from '../../src/node/stores.ts'
import { primaryKeyList, type PrimaryKey } from '../../src/model/primary-keys.ts'
import { atOneMoment } from '../../src/proxy/one-moment.ts'
import type { QueryResult } from '../../src/querynode/api.ts'
import { common, flush, insert, load, remove, startOn, upsert, type Harness } from '../node/harness.ts'

const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const item of opened.splice(0).reverse()) await item.close()
})

const ids = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

async function harnessOf(queryNodes: number): Promise<Harness> {
  const stores = await openMemoryStores(systemClock)
  opened.push(stores)
  const harness = await startOn(stores, 2, { 'queryNode.count': String(queryNodes) })
  opened.push(harness)
  await load(harness)
  return harness
}

function versions(result: QueryResult): Map<PrimaryKey, number> {
  const column = result.columns.get(101)
  return new Map(primaryKeyList(result.keys).map((key, row) => [key, column?.kind === 'int64' ? Number(column.values[row]) : -1]))
}

/** Looks twice at everything; `between` is done and seen by others in between, at the first attempt. */
async function lookTwice(harness: Harness, between: () => Promise<void>): Promise<{ looks: Map<PrimaryKey, number>[]; attempts: number; now: Map<PrimaryKey, number> }> {
  const { current } = harness.roles.queryNode
  const request = { ...common, collectionId: harness.collection.id, filter: '', outputFields: [101], limit: undefined, offset: 0, count: false }
  let attempts = 0
  const looks = await atOneMoment(current, { ...request, guaranteeTs: await harness.now() }, async (asked) => {
    const first = versions(await current.query(asked))
    if (attempts++ === 0) await between()
    return [first, versions(await current.query(asked))]
  })
  return { looks, attempts, now: versions(await current.query({ ...request, guaranteeTs: await harness.now() })) }
}

describe.each([1, 3])('a call that looks twice, with query nodes: %d', (queryNodes) => {
  it('sees the same both times, whatever is written between its looks', async () => {
    const harness = await harnessOf(queryNodes)
    await insert(harness, ids(40), 1)
    const { looks: [first, second], attempts, now } = await lookTwice(harness, async () => {
      await upsert(harness, ids(30), 2)
      await insert(harness, [100, 101], 2)
      await remove(harness, [35])
      // It is there for everybody else.
      expect((await lookTwice(harness, async () => undefined)).looks[0]?.size).toBe(41)
    })
    expect(first).toEqual(new Map(ids(40).map((id) => [BigInt(id), 1])))
    expect(second).toEqual(first)
    expect(attempts).toBe(1)
    expect([now.size, now.get(3n), now.get(39n)]).toEqual([41, 2, 1])
  })

  it('begins anew where rows went to segments between its looks, and sees one moment then', async () => {
    const harness = await harnessOf(queryNodes)
    await insert(harness, ids(40), 1)
    const { looks: [first, second], now } = await lookTwice(harness, async () => {
      await upsert(harness, ids(30), 2)
      await flush(harness)
      const held = (): number => harness.roles.queryNode.current.segments(harness.collection.id).reduce((sum, { rows }) => sum + rows, 0)
      await expect.poll(held, { timeout: 20_000 }).toBe(40)
    })
    expect(second).toEqual(first)
    expect([first, now].map((seen) => seen?.size)).toEqual([40, 40])
  })
})

it('a moment that nobody keeps is refused, and deaths are remembered only while one is kept', async () => {
  const harness = await harnessOf(1)
  await insert(harness, ids(10), 1)
  const { current } = harness.roles.queryNode
  const request = { ...common, collectionId: harness.collection.id, filter: '', outputFields: [101], limit: undefined, offset: 0, count: false }
  const moment = await current.moment?.({ ...request, guaranteeTs: await harness.now() })
  if (moment === undefined) return expect.unreachable()
  await remove(harness, [1])
  expect(versions(await current.query({ ...request, guaranteeTs: await harness.now() })).size).toBe(9)
  expect(versions(await current.query({ ...request, guaranteeTs: moment.ts, momentTs: moment.ts })).size).toBe(10)
  moment.release()
  moment.release()
  await expect(current.query({ ...request, guaranteeTs: moment.ts, momentTs: moment.ts })).rejects.toMatchObject({ code: 903 })
})
