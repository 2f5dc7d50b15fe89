/** A client's writes as one change: what is left of several writes to the same rows within one stage. */
import { describe, expect, it } from 'vitest'
import { isPrimaryKeyColumn, primaryKeyAt, primaryKeyColumn, primaryKeyList } from '../../src/model/primary-keys.ts'
import { compileFilter } from '../../src/filter/index.ts'
import { netEffect, type NetContext } from '../../src/staging/net-effect.ts'
import { checkPartial } from '../../src/staging/partial-check.ts'
import type { PartialRows } from '../../src/staging/partial-rows.ts'
import { StageBook } from '../../src/staging/stage-book.ts'
import type { StagedWork } from '../../src/staging/staging.ts'
import { seededRandom } from '../e2e/support.ts'
import { rows } from '../node/harness.ts'
import { points as collection } from './points.ts'

const keysOf = (ids: readonly number[]) => primaryKeyColumn(5, ids.map(BigInt))
const insert = (ids: readonly number[], version = 1): StagedWork => ({ collection, inserts: [{ partitionId: 7n, ...rows(ids, version) }] })
const remove = (...ids: number[]): StagedWork => ({ collection, deletes: [{ partitionId: 0n, keys: keysOf(ids) }] })
const upsert = (ids: readonly number[], version: number): StagedWork => ({ ...remove(...ids), ...insert(ids, version) })
const where = (filter: string): StagedWork => ({ collection, predicate: { partitionId: 0n, filter, templates: new Map() } })
/** Gives the version, and not the vector. */
const partial = (ids: readonly number[], version: number): StagedWork & { readonly partial: PartialRows } => {
  const { rows: all, keys } = rows(ids, version)
  const columns = new Map([...all.columns].filter(([id]) => id !== 102))
  return { collection, partial: { rows: { length: ids.length, columns }, keys, scopeId: 7n, partitionId: 7n, ops: new Map(), newKeys: undefined } }
}

/** What is committed: versions by id. */
function contextOf(committed: ReadonlyMap<number, number>, leftOut: string[] = []): NetContext {
  const rowsNow = (chosen: readonly number[]) => {
    const ids = chosen.filter((id) => committed.has(id)).sort((a, b) => a - b)
    const columns = new Map([...rows(ids, 0).rows.columns, [101, primaryKeyColumn(5, ids.map((id) => BigInt(committed.get(id) ?? 0)))] as const])
    return { count: ids.length, keys: keysOf(ids), columns, serviceTs: 10n }
  }
  return {
    collection,
    readTs: 10n,
    pause: async () => undefined,
    signal: new AbortController().signal,
    onLeftOut: (why) => void leftOut.push(why),
    queryNode: {
      query: async ({ keys = [] }) => rowsNow([...keys].map(Number)),
      matchingKeys: async ({ filter }) => {
        const compiled = compileFilter(filter, collection.schema, new Map())
        const { columns, keys } = rowsNow([...committed.keys()])
        const mask = new Uint8Array(keys.length)
        compiled.evaluate({ length: keys.length, column: (id) => columns.get(id) }, 0, keys.length, mask)
        return [keysOf([...mask].flatMap((bit, row) => (bit === 1 ? [Number(primaryKeyAt(keys, row))] : [])))]
      },
    },
  }
}

/** What everybody sees after the flush. */
async function flushed(before: ReadonlyMap<number, number>, works: readonly StagedWork[], leftOut: string[] = []): Promise<Record<number, number>> {
  const { deletes, inserts } = await netEffect(works, contextOf(before, leftOut))
  const after = new Map(before)
  for (const { keys } of deletes) for (const key of primaryKeyList(keys)) after.delete(Number(key))
  for (const { rows: batch, keys } of inserts) {
    const versions = batch.columns.get(101)
    primaryKeyList(keys).forEach((key, row) => {
      expect(after.has(Number(key)), `row ${key} twice`).toBe(false)
      after.set(Number(key), isPrimaryKeyColumn(versions) ? Number(primaryKeyAt(versions, row)) : NaN)
    })
  }
  return Object.fromEntries([...after].sort(([a], [b]) => a - b))
}

describe('the net effect of a stage', () => {
  const none = new Map<number, number>()
  const one = new Map([[1, 9]])

  it('insert, then delete: nothing, also of a row that was there', async () => {
    expect(await flushed(none, [insert([1, 2]), remove(1)])).toEqual({ 2: 1 })
    expect(await flushed(one, [insert([1]), remove(1)])).toEqual({})
    expect(await flushed(none, [insert([1, 2]), where('id == 1')])).toEqual({ 2: 1 })
  })

  it('delete, then insert: the new row, once', async () => {
    expect(await flushed(one, [remove(1), insert([1], 2)])).toEqual({ 1: 2 })
    expect(await flushed(one, [where('version == 9'), insert([1], 2)])).toEqual({ 1: 2 })
    expect(await flushed(none, [remove(1), insert([1], 2)])).toEqual({ 1: 2 })
  })

  it('upsert twice: the last one, of a row that was there and of one that was not', async () => {
    expect(await flushed(one, [upsert([1, 2], 3), upsert([1, 2], 4)])).toEqual({ 1: 4, 2: 4 })
    expect(await flushed(one, [upsert([1], 3), remove(1), upsert([1], 4)])).toEqual({ 1: 4 })
    expect(await flushed(one, [upsert([1], 3), upsert([1], 4), remove(1)])).toEqual({})
  })

  it('is what the writes one after the other would have left, whatever they are', async () => {
    const seed = Date.now() % 100_000
    const random = seededRandom(seed)
    const pick = (count: number): number => Math.floor(random() * count)
    for (let round = 0; round < 150; round++) {
      const before = new Map<number, number>(Array.from({ length: pick(5) }, () => [pick(6), 1]))
      const model = new Map(before)
      const works = Array.from({ length: 1 + pick(8) }, (_, at): StagedWork => {
        const ids = [...new Set(Array.from({ length: 1 + pick(3) }, () => pick(6)))]
        const version = 10 + at
        const kind = pick(4)
        if (kind === 0) {
          for (const id of ids) model.delete(id)
          return remove(...ids)
        }
        if (kind === 1) {
          const least = pick(18)
          for (const [id, there] of model) if (there >= least) model.delete(id)
          return where(`version >= ${least}`)
        }
        if (kind === 2) {
          if (ids.every((id) => model.has(id))) for (const id of ids) model.set(id, version)
          return partial(ids, version)
        }
        for (const id of ids) model.set(id, version)
        return upsert(ids, version)
      })
      expect({ seed, round, after: await flushed(before, works) }).toEqual({ seed, round, after: Object.fromEntries([...model].sort(([a], [b]) => a - b)) })
    }
  })

  it('goes on without what can be done no more, and says so', async () => {
    const leftOut: string[] = []
    expect(await flushed(none, [insert([2]), partial([1], 5), partial([2], 6)], leftOut)).toEqual({ 2: 6 })
    expect(leftOut).toEqual(['collection points: the partial upsert of row 1 was left out: fieldSchema(vec) has no corresponding fieldData pass in'])
  })

  it('does not take a failure for a refusal', async () => {
    const context = contextOf(none)
    const queryNode = { ...context.queryNode, query: () => Promise.reject(new Error('the node is away')) }
    await expect(netEffect([partial([1], 5)], { ...context, queryNode })).rejects.toThrow('the node is away')
  })
})

describe('a partial upsert when it is staged', () => {
  const check = async (before: ReadonlyMap<number, number>, staged: readonly StagedWork[], ids: readonly number[], spill = false): Promise<void> => {
    const book = new StageBook({ maxClientBytes: 1e9, maxBytes: 1e9 })
    const entries = staged.map((work) => book.add('a', work, 0))
    if (spill) for (const entry of entries) entry.spilled = []
    await checkPartial(entries, partial(ids, 5).partial, contextOf(before))
  }
  const refused = { code: 1100, message: 'fieldSchema(vec) has no corresponding fieldData pass in' }

  it('of rows that are there is taken: committed ones, and its client’s own', async () => {
    await check(new Map([[1, 9]]), [], [1])
    await check(new Map([[1, 9]]), [insert([2])], [1, 2])
    await check(new Map(), [upsert([1], 1), partial([1], 2)], [1])
    await check(new Map([[1, 9]]), [remove(1), insert([1])], [1])
  })

  it('of a row that is not there is refused as Milvus does', async () => {
    await expect(check(new Map(), [], [1])).rejects.toMatchObject(refused)
    await expect(check(new Map([[1, 9]]), [insert([2])], [1, 2, 3])).rejects.toMatchObject(refused)
    await expect(check(new Map([[1, 9]]), [remove(1)], [1])).rejects.toMatchObject(refused)
    await expect(check(new Map(), [insert([1]), remove(1)], [1])).rejects.toMatchObject(refused)
  })

  it('is left to the flush where only that can know', async () => {
    await check(new Map([[1, 9]]), [where('version == 9')], [1])
    await check(new Map(), [insert([1])], [1], true)
  })
})
