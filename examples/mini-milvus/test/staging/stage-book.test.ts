/** What is staged, and how little it takes to drop it. */
import { describe, expect, it } from 'vitest'
import type { CollectionMeta } from '../../src/model/meta.ts'
import type { StagedWork } from '../../src/staging/staging.ts'
import { StageBook } from '../../src/staging/stage-book.ts'
import { primaryKeyColumn } from '../../src/model/primary-keys.ts'
import { rows } from '../node/harness.ts'

const collection = (id: bigint) => ({ id }) as unknown as CollectionMeta
const limits = { maxClientBytes: 1e12, maxBytes: 1e12 }

function counted(work: StagedWork, count: () => void): StagedWork {
  return new Proxy(work, { get: (target, name) => (count(), Reflect.get(target, name) as unknown) })
}

describe('the book of stages', () => {
  it('drops a million staged rows without a look at any of them', () => {
    const book = new StageBook(limits)
    const batch = rows(Array.from({ length: 50 }, (_, id) => id), 1)
    let looks = 0
    for (let i = 0; i < 20_000; i++) book.add('a', counted({ collection: collection(i % 2 === 0 ? 1n : 2n), inserts: [{ partitionId: 7n, ...batch }] }, () => looks++), i)
    book.add('b', { collection: collection(1n), inserts: [{ partitionId: 7n, ...batch }] }, 5)
    looks = 0
    expect(book.describe().map(({ client, rows: count, since }) => [client, count, since])).toEqual([['a', 1_000_000, 0], ['b', 50, 5]])
    expect(book.drop('a', 1n).rows).toBe(500_000)
    expect(book.drop('a')).toEqual({ rows: 500_000, file: undefined })
    expect(looks).toBe(0)
    const left = book.bytes
    book.drop('b')
    expect([left > 0, book.bytes, book.size]).toEqual([true, 0, 0])
  })

  it('drops what was taken for a flush in one piece, and keeps what came since', () => {
    const book = new StageBook(limits)
    const work = (id: number): StagedWork => ({ collection: collection(1n), inserts: [{ partitionId: 7n, ...rows([id], 1) }] })
    book.add('a', work(1), 1)
    book.add('a', work(2), 2)
    const { entries } = book.stage('a')?.groups.get(1n) ?? { entries: [] }
    const taken = { entries, count: entries.length }
    book.add('a', work(3), 3)
    book.dropTaken('a', 1n, taken)
    expect(book.describe()).toMatchObject([{ rows: 1, since: 3, bytes: book.bytes }])
    const again = book.stage('a')?.groups.get(1n)?.entries ?? []
    book.dropTaken('a', 1n, { entries: again, count: again.length })
    expect([book.bytes, book.size]).toEqual([0, 0])
  })

  it('keeps its sums when a partition goes, also of work that names others, too', () => {
    const book = new StageBook(limits)
    const both: StagedWork = { collection: collection(1n), inserts: [{ partitionId: 7n, ...rows([1, 2], 1) }, { partitionId: 8n, ...rows([3], 1) }], deletes: [{ partitionId: 8n, keys: primaryKeyColumn(5, [4n]) }, { partitionId: 0n, keys: primaryKeyColumn(5, [5n]) }] }
    book.add('a', both, 1)
    book.add('b', { collection: collection(1n), inserts: [{ partitionId: 8n, ...rows([9], 1) }] }, 2)
    expect(book.dropPartition(1n, 8n).map((one) => one.rows)).toEqual([1, 1])
    expect(book.describe()).toMatchObject([{ client: 'a', rows: 2, deletes: 1, bytes: book.bytes }])
  })
})
