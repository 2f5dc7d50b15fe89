/** What is kept of commits goes when nobody can need it any more, and not before. */
import { createMemoryKV } from '@timetick/kv/memory'
import { positionToJson } from '@timetick/msgstream'
import { addDuration, composeTimestamp } from '@timetick/tso'
import { describe, expect, it, onTestFinished } from 'vitest'
import { CommitForgetting } from '../../src/cluster/commit-forgetting.ts'
import { loadCommits } from '../../src/cluster/commit-records.ts'
import { REVISION_KEY } from '../../src/cluster/followed-prefix.ts'
import { systemClock } from '../../src/edge/system.ts'
import { encodeMeta } from '../../src/model/meta.ts'
import { COMMITS, LAST_COMMITS } from '../../src/staging/commit-keys.ts'

const LEADER = 'coordinator/leader'
const NOW = composeTimestamp(1_800_000_000_000, 0)
const OLD = addDuration(NOW, -600_000)
const YOUNG = addDuration(NOW, -1_000)

async function open(checkpoints: Readonly<Record<string, bigint>>) {
  const kv = createMemoryKV()
  await kv.save(LEADER, 'first')
  const modRevision = (await kv.loadEntry(LEADER))?.modRevision ?? 0n
  const catalog = {
    collectionById: (id: bigint) => (id === 7n ? ({ id } as never) : undefined),
    checkpoint: (channel: string) => (checkpoints[channel] === undefined ? undefined : JSON.stringify(positionToJson({ channel, msgId: undefined, timestamp: checkpoints[channel] }))),
  }
  const forgetting = new CommitForgetting({ kv, catalog, timestamps: { allocOne: async () => NOW }, clock: systemClock, leader: { key: LEADER, modRevision }, onProblem: (message) => expect.unreachable(message) })
  onTestFinished(async () => {
    await forgetting.close()
    await kv.close()
  })
  const record = (id: string, ts: bigint, channels: readonly string[]): Promise<unknown> => kv.save(COMMITS + id, encodeMeta({ ts, channels }))
  const left = async (): Promise<string[]> => [...(await loadCommits(kv)).keys()].sort()
  return { kv, forgetting, record, left }
}

describe('forgetting commits', () => {
  it('keeps what a channel may be read for, and what is young', async () => {
    const { forgetting, record, left } = await open({ a: NOW, b: NOW, lagging: OLD - 1n })
    await record('passed', OLD, ['a', 'b'])
    await record('read', OLD, ['a', 'lagging'])
    await record('unread', OLD, ['a', 'never read'])
    await record('young', YOUNG, ['a'])
    await forgetting.forget()
    expect(await left()).toEqual(['read', 'unread', 'young'])
  })

  it('forgets the last commits of collections that are gone', async () => {
    const { kv, forgetting } = await open({})
    for (const key of ['7', '8', REVISION_KEY]) await kv.save(LAST_COMMITS + key, '5')
    await forgetting.forget()
    expect((await kv.loadWithPrefix(LAST_COMMITS)).keys).toEqual([LAST_COMMITS + '7', LAST_COMMITS + REVISION_KEY])
  })

  it('removes nothing when another leads, and more than one transaction takes', async () => {
    const { kv, forgetting, record, left } = await open({ a: NOW })
    for (let id = 0; id < 250; id++) await record(`c${id}`, OLD, ['a'])
    await kv.save(LEADER, 'second')
    await forgetting.forget()
    expect(await left()).toHaveLength(250)
    const successor = await open({ a: NOW })
    for (let id = 0; id < 250; id++) await successor.record(`c${id}`, OLD, ['a'])
    await successor.forgetting.forget()
    expect(await successor.left()).toEqual([])
  })
})
