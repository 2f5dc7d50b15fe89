import type { MsgPosition } from '@timetick/msgstream'
import { describe, expect, it } from 'vitest'
import type { DmlItem, DmlPack } from '../../src/channel/dml-pack.ts'
import type { MetaReader } from '../../src/coordinator/api.ts'
import { ChannelBuffers } from '../../src/datanode/channel-buffers.ts'
import { primaryKeyColumn } from '../../src/model/primary-keys.ts'
import { DataType } from '../../src/model/schema.ts'
import { deleteMessage, dmlHeader, encodeRows, keyBatch } from '../../src/writer/log-messages.ts'

const key = { collectionId: 7n, vchannel: 'dml_0_7v0' }

function reader(flushed: { ts: bigint }): MetaReader {
  const collection = { id: 7n, truncatedTs: 0n, partitions: [{ id: 1n }] }
  return { flushedTs: () => flushed.ts, collectionById: (id: bigint) => (id === 7n ? collection : undefined) } as unknown as MetaReader
}

function position(timestamp: bigint): MsgPosition {
  return { channel: 'dml_0', msgId: undefined, timestamp }
}

function item(ts: bigint): DmlItem {
  const message = deleteMessage({ ...key, partitionId: 1n }, encodeRows(keyBatch(primaryKeyColumn(DataType.Int64, [ts]))), ts)
  const header = dmlHeader(message)
  if (header === undefined) throw new Error('no header')
  return { header, message }
}

function pack(begin: bigint, end: bigint, ...at: bigint[]): DmlPack {
  return { timeTick: end, items: at.map(item), startPosition: position(begin), endPosition: position(end) }
}

const policy = { sealBytes: 1e9, sealIdleMs: 1000 }

describe('buffers of a channel', () => {
  it('hold the checkpoint at the first write that no segment has', () => {
    const flushed = { ts: 0n }
    const buffers = new ChannelBuffers(reader(flushed), policy)
    expect(buffers.checkpoint()).toBeUndefined()
    buffers.take(pack(0n, 10n), 0)
    expect(buffers.checkpoint()).toEqual(position(10n))
    buffers.take(pack(10n, 20n, 15n), 0)
    buffers.take(pack(20n, 30n, 25n), 0)
    expect(buffers.checkpoint()).toEqual(position(10n))
    const [sealed] = buffers.take(pack(30n, 40n), 1000)
    expect(sealed).toMatchObject({ endTs: 40n, ...key })
    expect(sealed?.deletes.map(({ ts }) => ts)).toEqual([15n, 25n])
    expect(buffers.checkpoint()).toEqual(position(10n))
    if (sealed !== undefined) buffers.saved(sealed)
    expect(buffers.checkpoint()).toEqual(position(40n))
  })

  it('skip what segments have already', () => {
    const buffers = new ChannelBuffers(reader({ ts: 15n }), policy)
    buffers.take(pack(0n, 20n, 10n, 15n, 16n), 0)
    const [sealed] = buffers.take(pack(20n, 30n), 5000)
    expect(sealed?.deletes.map(({ ts }) => ts)).toEqual([16n])
  })

  it('flush on demand at the first tick that covers the wish, an empty shard too', async () => {
    const flushed = { ts: 0n }
    const buffers = new ChannelBuffers(reader(flushed), policy)
    const done = buffers.flush(key, 25n)
    expect(buffers.take(pack(0n, 20n), 0)).toEqual([])
    const [sealed] = buffers.take(pack(20n, 30n), 0)
    expect(sealed).toMatchObject({ endTs: 30n, rowCount: 0, startPosition: undefined })
    flushed.ts = 30n
    if (sealed !== undefined) buffers.saved(sealed)
    await done
    await buffers.flush(key, 30n)
    expect(buffers.hasWishes).toBe(false)
  })

  it('have one flush of a shard under way at a time', () => {
    const buffers = new ChannelBuffers(reader({ ts: 0n }), policy)
    buffers.take(pack(0n, 10n, 5n), 0)
    const [first] = buffers.take(pack(10n, 20n, 15n), 2000)
    expect(first).toBeDefined()
    expect(buffers.take(pack(20n, 30n, 25n), 9000)).toEqual([])
    if (first !== undefined) buffers.saved(first)
    expect(buffers.take(pack(30n, 40n), 20_000)).toHaveLength(1)
  })

  it('reject those who wait for a flush when flushing fails', async () => {
    const buffers = new ChannelBuffers(reader({ ts: 0n }), policy)
    const done = buffers.flush(key, 5n)
    buffers.fail(new Error('disk gone'))
    await expect(done).rejects.toThrow('disk gone')
  })
})
