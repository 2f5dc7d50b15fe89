/** A commit of many rows is applied in many turns of the event loop, and seen in one step. */
import type { MsgPosition } from '@timetick/msgstream'
import { describe, expect, it } from 'vitest'
import type { DmlItem, DmlPack } from '../../src/channel/dml-pack.ts'
import { ServiceTime } from '../../src/channel/service-time.ts'
import type { MetaReader } from '../../src/coordinator/api.ts'
import { ChannelBuffers } from '../../src/datanode/channel-buffers.ts'
import { BufferNode } from '../../src/datanode/graph-nodes.ts'
import type { Engine } from '../../src/engine/index.ts'
import type { Column, RowBatch } from '../../src/model/column.ts'
import type { CollectionMeta } from '../../src/model/meta.ts'
import type { Int64Column } from '../../src/model/column.ts'
import { DataType, type CollectionSchema } from '../../src/model/schema.ts'
import { CommitGate } from '../../src/querynode/commit-gate.ts'
import { ApplyNode } from '../../src/querynode/graph-nodes.ts'
import { LoadedShard } from '../../src/querynode/loaded-shard.ts'
import type { SegmentLoader } from '../../src/querynode/segment-loader.ts'
import { STEP_ROWS } from '../../src/segment/steps.ts'
import type { Transaction } from '../../src/staging/transactions.ts'
import { deleteMessage, dmlHeader, encodeKeys, encodeRows, insertMessage } from '../../src/writer/log-messages.ts'

const plain = { description: '', autoId: false, isPartitionKey: false, isClusteringKey: false, isDynamic: false, nullable: false, indexParams: {}, typeParams: {} }
const schema: CollectionSchema = { name: 'large', description: '', enableDynamicField: false, fields: [{ ...plain, id: 100, name: 'id', type: DataType.Int64, isPrimary: true }] }
const collection = { id: 1n, dbName: 'default', schema, truncatedTs: 0n, partitions: [{ id: 2n, name: '_default' }], properties: {} } as unknown as CollectionMeta
const meta = { collectionById: (id: bigint) => (id === 1n ? collection : undefined), flushedTs: () => 0n, segments: () => [], indexes: () => [] } as unknown as MetaReader
const position = {} as MsgPosition
const CHANNELS = ['a', 'b'] as const

function keys(first: number, length: number): Int64Column {
  return { kind: 'int64', type: DataType.Int64, length, valid: undefined, values: BigInt64Array.from({ length }, (_, row) => BigInt(first + row)) }
}

function batch(column: Int64Column): RowBatch {
  return { length: column.length, columns: new Map<number, Column>([[100, column]]) }
}

function item(message: DmlItem['message'], transaction: Transaction | undefined): DmlItem {
  const header = dmlHeader(message)
  if (header === undefined) throw new Error('no header')
  return { header, message, transaction }
}

const target = (channel: string, transaction?: string) => ({ collectionId: 1n, partitionId: 2n, vchannel: channel, transaction })

/** Pauses wait until the test lets them go, one after the other. */
class Scheduler {
  readonly #waiting: (() => void)[] = []
  readonly pause = (): Promise<void> => new Promise((resolve) => void this.#waiting.push(resolve))

  get isIdle(): boolean {
    return this.#waiting.length === 0
  }

  async step(): Promise<void> {
    this.#waiting.shift()?.()
    for (let i = 0; i < 20; i++) await Promise.resolve()
  }
}

function setUp(): { shards: Map<string, LoadedShard>; scheduler: Scheduler; nodes: Map<string, ApplyNode>; alive: () => number; held: () => number } {
  const scheduler = new Scheduler()
  const gate = new CommitGate(new Map(CHANNELS.map((name) => [name, 0n])))
  const shards = new Map<string, LoadedShard>()
  const nodes = new Map<string, ApplyNode>()
  for (const name of CHANNELS) {
    const serviceTime = new ServiceTime()
    const shard = new LoadedShard({ shard: { vchannel: name, pchannel: name }, collectionId: 1n, meta, loader: {} as SegmentLoader, engine: {} as Engine, serviceTime, vectorFields: new Map(), isLoadedPartition: () => true, onBadIndex: () => undefined, signal: new AbortController().signal, pause: scheduler.pause })
    shards.set(name, shard)
    nodes.set(name, new ApplyNode(`apply/${name}`, { name, serviceTime, gate, find: (_id, vchannel) => shards.get(vchannel) }, meta, scheduler.pause))
  }
  const alive = (): number => [...shards.values()].flatMap((shard) => shard.views(undefined, false)).reduce((sum, view) => sum + view.length - view.tombstones.deadCount, 0)
  const held = (): number => [...shards.values()].reduce((sum, shard) => sum + shard.growingRows, 0)
  return { shards, scheduler, nodes, alive, held }
}

describe('a commit of many rows', () => {
  const transaction: Transaction = { ts: 20n, channels: CHANNELS }
  const packOf = (channel: string, items: readonly DmlItem[]): DmlPack => ({ timeTick: 30n, items, startPosition: { ...position, channel }, endPosition: position })

  it('takes some thousand rows a turn, and shows a million and their deletes in one step', async () => {
    const { shards, scheduler, nodes, alive, held } = setUp()
    const rows = 500_000
    const old = 50_000
    for (const [index, name] of CHANNELS.entries()) shards.get(name)?.applyInsert(collection, 2n, batch(keys(index * old, old)), 10n)
    expect(alive()).toBe(2 * old)
    const done = CHANNELS.map(async (name, index) => {
      const items = [
        item(deleteMessage(target(name, 't'), encodeKeys(keys(index * old, old)), 20n), transaction),
        item(insertMessage(target(name, 't'), encodeRows(batch(keys(10_000_000 + index * rows, rows))), 20n), transaction),
      ]
      return nodes.get(name)?.operate([packOf(name, items)])
    })
    let turns = 0
    for (let before = held(); !scheduler.isIdle || turns === 0; before = held(), turns++) {
      await scheduler.step()
      if (!scheduler.isIdle) expect(alive(), `turn ${turns}`).toBe(2 * old)
      expect(held() - before, `turn ${turns}`).toBeLessThanOrEqual(STEP_ROWS)
    }
    await Promise.all(done)
    expect(alive()).toBe(2 * rows)
    expect(turns).toBeGreaterThan(2 * Math.floor(rows / STEP_ROWS))
  })

  it('is not seen while another channel is behind, nor when a collection is released meanwhile', async () => {
    const { shards, scheduler, nodes, alive } = setUp()
    const part = (name: string) => packOf(name, [item(insertMessage(target(name, 't'), encodeRows(batch(keys(name === 'a' ? 0 : 100_000, 50_000))), 20n), transaction)])
    const first = (async () => nodes.get('a')?.operate([part('a')]))()
    while (!scheduler.isIdle) await scheduler.step()
    expect(alive()).toBe(0)
    // Released and loaded anew: what was made ready is of a shard that nobody has any more.
    const fresh = setUp().shards.get('a') as LoadedShard
    shards.set('a', fresh)
    const second = (async () => nodes.get('b')?.operate([part('b')]))()
    while (!scheduler.isIdle) await scheduler.step()
    await Promise.all([first, second])
    expect(alive()).toBe(100_000)
  })

  it('is decoded in steps by the data node, and counted in one', async () => {
    const scheduler = new Scheduler()
    const buffers = new ChannelBuffers(meta, { sealBytes: 1e12, sealIdleMs: 1e9 })
    const node = new BufferNode('buffer', buffers, new ServiceTime(), { monotonic: () => 0, yieldToLoop: scheduler.pause })
    const items = Array.from({ length: 16 }, (_, i) => item(insertMessage(target('a', 't'), encodeRows(batch(keys(i * 65_536, 65_536))), 20n), transaction))
    const taken = node.operate([packOf('a', items)])
    let turns = 0
    for (; !scheduler.isIdle; turns++) {
      expect(buffers.unflushedRows(1n, undefined)).toBe(0)
      await scheduler.step()
    }
    await taken
    expect(turns).toBe(2)
    expect(buffers.unflushedRows(1n, undefined)).toBe(16 * 65_536)
    // Who counts at a moment before it leaves it out: another channel may not have its part yet.
    expect([buffers.unflushedRows(1n, undefined, 19n), buffers.unflushedRows(1n, undefined, 20n)]).toEqual([0, 16 * 65_536])
  })
})
