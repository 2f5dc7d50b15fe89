import { expect, it } from 'vitest'
import type { Batch, FetchedPartition } from '../src/kafka/platformatic/types.ts'
import { visibleRecords } from '../src/kafka/platformatic/visible.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

function data(firstOffset: number, producerId: number, values: readonly string[], isTransactional = true): Batch {
  const records = values.map((value, offsetDelta) => ({ offsetDelta, key: null, value: bytes(value) }))
  return { firstOffset: BigInt(firstOffset), lastOffsetDelta: values.length - 1, attributes: isTransactional ? 0x10 : 0, producerId: BigInt(producerId), records }
}

function marker(offset: number, producerId: number, isCommit: boolean): Batch {
  const key = Uint8Array.of(0, 0, 0, isCommit ? 1 : 0)
  return { firstOffset: BigInt(offset), lastOffsetDelta: 0, attributes: 0x30, producerId: BigInt(producerId), records: [{ offsetDelta: 0, key, value: null }] }
}

function seen(records: readonly Batch[], abortedTransactions: FetchedPartition['abortedTransactions'] = [], from = 0): { rows: string[]; last: number } {
  const { offsets, frames, last } = visibleRecords({ logStartOffset: 0n, abortedTransactions, records }, from)
  return { rows: offsets.map((offset, i) => `${offset}${new TextDecoder().decode(frames[i])}`), last }
}

it('gives what lies at or behind the offset, of batches that come whole', () => {
  expect(seen([data(4, 1, ['a', 'b', 'c'], false)], [], 5)).toEqual({ rows: ['5b', '6c'], last: 6 })
})

it('passes markers, which are nothing to read', () => {
  expect(seen([data(0, 1, ['a']), marker(1, 1, true), marker(2, 2, false)])).toEqual({ rows: ['0a'], last: 2 })
})

it('leaves out a transaction that was aborted, and what other producers wrote meanwhile stays', () => {
  const records = [data(0, 1, ['a']), data(1, 2, ['x']), data(2, 7, ['b'], false), data(3, 2, ['y']), marker(4, 1, true), marker(5, 2, false), data(6, 2, ['c']), marker(7, 2, true)]
  expect(seen(records, [{ producerId: 2n, firstOffset: 1n }])).toEqual({ rows: ['0a', '2b', '6c'], last: 7 })
})

it('leaves out the rest of a transaction that began before the fetched range, and several of one producer', () => {
  const records = [data(10, 2, ['x']), marker(11, 2, false), data(12, 2, ['a']), marker(13, 2, true), data(14, 2, ['y']), marker(15, 2, false)]
  const aborted = [
    { producerId: 2n, firstOffset: 14n },
    { producerId: 2n, firstOffset: 3n },
  ]
  expect(seen(records, aborted, 10)).toEqual({ rows: ['12a'], last: 15 })
})

it('of an empty answer nothing was looked at', () => {
  expect(seen([])).toEqual({ rows: [], last: -1 })
})
