/** Segments as they were, and the answers of several nodes as one. */
import { SeededRandom } from '@timetick/tso/testing'
import { describe, expect, it } from 'vitest'
import type { Column } from '../../src/model/column.ts'
import { primaryKeyColumn, primaryKeyList } from '../../src/model/primary-keys.ts'
import { DataType, type CollectionSchema } from '../../src/model/schema.ts'
import type { SearchResult } from '../../src/querynode/api.ts'
import { mergeQueries, mergeSearches, mergeTermStats } from '../../src/querynode/merge-results.ts'
import { Tombstones } from '../../src/querynode/tombstones.ts'

describe('tombstones', () => {
  it('know who lived at each moment that is remembered, whatever order deaths are heard of in', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = new SeededRandom(seed)
      const rows = random.integer(1, 30)
      const tombstones = new Tombstones(rows)
      const died = new Map<number, bigint>()
      for (let i = 0; i < 40; i++) {
        const row = random.integer(0, rows - 1)
        const ts = BigInt(random.integer(1, 50))
        // A row that died is heard of again only with later deaths: an earlier one is before every moment that is asked for.
        const known = died.get(row)
        if (known !== undefined && ts < known) continue
        expect(tombstones.kill(row, ts), `seed ${seed}`).toBe(known === undefined)
        if (known === undefined) died.set(row, ts)
      }
      for (const ts of [0n, 10n, 25n, 50n]) {
        const begin = random.integer(0, rows)
        const end = random.integer(begin, rows)
        const then = tombstones.at(ts, begin, end)
        const expected = Array.from({ length: end }, (_, row) => (row >= begin && (died.get(row) ?? 99n) > ts ? 1 : 0))
        expect([...then.alive.subarray(0, end)], `seed ${seed}`).toEqual(expected)
        expect(then.deadCount, `seed ${seed}`).toBe(expected.filter((alive) => alive === 0).length)
      }
      expect(tombstones.at(50n, 0, rows)).toBe(tombstones)
    }
  })

  it('never show a row again that was truncated, or whose death is forgotten', () => {
    const tombstones = new Tombstones(4)
    tombstones.kill(0, 10n)
    tombstones.kill(1, 20n)
    tombstones.kill(2)
    tombstones.kill(1)
    expect([...tombstones.at(5n, 0, 4).alive]).toEqual([1, 0, 0, 1])
    expect(tombstones.diedAt(0)).toBe(10n)
    tombstones.forget(10n)
    expect([...tombstones.at(5n, 0, 4).alive]).toEqual([0, 0, 0, 1])
  })
})

const plain = { description: '', autoId: false, isPartitionKey: false, isClusteringKey: false, isDynamic: false, nullable: false, indexParams: {}, typeParams: {} }
const schema: CollectionSchema = {
  name: 'merged',
  description: '',
  enableDynamicField: false,
  fields: [
    { ...plain, id: 100, name: 'id', type: DataType.Int64, isPrimary: true },
    { ...plain, id: 101, name: 'value', type: DataType.Int64, isPrimary: false },
  ],
}

interface Hit {
  readonly key: bigint
  readonly score: number
}

function searchResult(queries: readonly (readonly Hit[])[]): SearchResult {
  const hits = queries.flat()
  const keys = primaryKeyColumn(DataType.Int64, hits.map(({ key }) => key))
  const columns = new Map<number, Column>([[101, primaryKeyColumn(DataType.Int64, hits.map(({ key }) => key * 10n))]])
  return { metric: 'L2', counts: Uint32Array.from(queries, ({ length }) => length), scores: Float32Array.from(hits, ({ score }) => score), keys, columns, serviceTs: 5n }
}

describe('answers of several nodes', () => {
  it('are merged as one node would have answered, over random divisions', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = new SeededRandom(seed)
      const [nq, nodes, k] = [random.integer(1, 3), random.integer(1, 4), random.integer(1, 8)]
      const offset = random.integer(0, k - 1)
      const better = (a: Hit, b: Hit): number => a.score - b.score || Number(a.key - b.key)
      const all = Array.from({ length: nq }, () => Array.from({ length: random.integer(0, 20) }, (_, i): Hit & { node: number } => ({ key: BigInt(i), score: random.integer(0, 6), node: random.integer(0, nodes - 1) })))
      const parts = Array.from({ length: nodes }, (_, node) => searchResult(all.map((hits) => hits.filter((hit) => hit.node === node).sort(better).slice(0, k))))
      const merged = mergeSearches(parts, { nq, k, offset, outputFields: [101] }, schema)
      const expected = all.map((hits) => [...hits].sort(better).slice(offset, k))
      expect([...merged.counts], `seed ${seed}`).toEqual(expected.map(({ length }) => length))
      expect(primaryKeyList(merged.keys), `seed ${seed}`).toEqual(expected.flat().map(({ key }) => key))
      const values = merged.columns.get(101)
      expect(values?.kind === 'int64' ? [...values.values] : [], `seed ${seed}`).toEqual(expected.flat().map(({ key }) => key * 10n))
    }
  })

  it('are counted together and paged in the order of keys', () => {
    const part = (keys: readonly bigint[], count: number) => ({ count, keys: primaryKeyColumn(DataType.Int64, keys), columns: new Map(), serviceTs: 7n })
    const merged = mergeQueries([part([1n, 4n, 9n], 5), part([2n, 3n], 2), part([], 0)], { limit: 2, offset: 1, outputFields: [] }, schema)
    expect([merged.count, primaryKeyList(merged.keys)]).toEqual([7, [2n, 3n]])
    expect(primaryKeyList(mergeQueries([part([1n, 4n], 2), part([2n], 1)], { limit: undefined, offset: 0, outputFields: [] }, schema).keys)).toEqual([1n, 2n, 4n])
    expect(mergeTermStats([{ rows: 2, length: 9, rowsWith: new Map([[1, 2]]) }, { rows: 3, length: 1, rowsWith: new Map([[1, 1], [5, 3]]) }])).toEqual({ rows: 5, length: 10, rowsWith: new Map([[1, 3], [5, 3]]) })
  })
})
