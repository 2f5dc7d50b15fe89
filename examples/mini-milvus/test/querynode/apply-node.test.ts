import { describe, expect, test } from 'vitest'
import type { MsgPosition } from '@timetick/msgstream'
import type { DmlPack } from '../../src/channel/dml-pack.ts'
import type { MetaReader } from '../../src/coordinator/api.ts'
import type { CollectionMeta } from '../../src/model/meta.ts'
import { primaryKeyColumn } from '../../src/model/primary-keys.ts'
import { DataType } from '../../src/model/schema.ts'
import { ServiceTime } from '../../src/channel/service-time.ts'
import { CommitGate } from '../../src/querynode/commit-gate.ts'
import { ApplyNode } from '../../src/querynode/graph-nodes.ts'
import type { LoadedShard } from '../../src/querynode/loaded-shard.ts'
import { deleteMessage, dmlHeader, encodeKeys } from '../../src/writer/log-messages.ts'

const target = { collectionId: 1n, partitionId: 2n, vchannel: 'v' }
const body = encodeKeys(primaryKeyColumn(DataType.Int64, [1n]))

function packOf(timestamps: readonly bigint[]): DmlPack {
  const items = timestamps.map((ts) => {
    const message = deleteMessage(target, body, ts)
    const header = dmlHeader(message)
    if (header === undefined) throw new Error('no header')
    return { header, message }
  })
  const position = {} as MsgPosition
  return { timeTick: 99n, items, startPosition: position, endPosition: position }
}

/** Each delete costs so many rows. @returns what was applied, turn by turn */
async function run(timestamps: readonly bigint[], cost: number): Promise<bigint[][]> {
  const turns: bigint[][] = [[]]
  const shard = {
    applyDelete({ ts }: { readonly ts: bigint }): number {
      turns.at(-1)?.push(ts)
      return cost
    },
  } as unknown as LoadedShard
  const meta = { collectionById: () => ({}) as CollectionMeta } as unknown as MetaReader
  const serviceTime = new ServiceTime()
  const node = new ApplyNode('apply', { name: 'v', serviceTime, gate: new CommitGate(new Map()), find: () => shard }, meta, async () => {
    // Who begins to read here goes on behind what was applied.
    expect(serviceTime.ts).toBe(turns.at(-1)?.at(-1))
    turns.push([])
  })
  const pack = packOf(timestamps)
  expect(await node.operate([pack])).toBe(pack)
  return turns
}

describe('a pack', () => {
  test('of little is applied in one turn', async () => {
    expect(await run([1n, 2n, 3n], 10)).toEqual([[1n, 2n, 3n]])
  })

  test('of much is applied in several, and what has one timestamp in one', async () => {
    expect(await run([1n, 2n, 2n, 2n, 3n, 4n], 20_000)).toEqual([[1n], [2n, 2n, 2n], [3n], [4n]])
    expect(await run([1n, 1n, 2n, 3n, 3n, 4n], 9000)).toEqual([[1n, 1n], [2n, 3n, 3n], [4n]])
  })

  test('without anything passes', async () => {
    expect(await run([], 1)).toEqual([[]])
  })
})
