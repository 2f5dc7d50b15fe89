/** The last flush of each collection as every proxy knows it: who was told that a flush is done finds it everywhere. */
import type { KVBase } from '@timetick/kv'
import { createMemoryKV } from '@timetick/kv/memory'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CommitMirror, COMMITS } from '../../src/cluster/commit-mirror.ts'
import { REVISION_KEY } from '../../src/cluster/followed-prefix.ts'
import { Mirrors } from '../../src/cluster/mirrors.ts'
import { systemClock } from '../../src/edge/system.ts'
import { LAST_COMMITS } from '../../src/staging/commit-keys.ts'

let kv: KVBase
let opened: CommitMirror[]

async function open(): Promise<{ readonly mirror: CommitMirror; readonly mirrors: Mirrors }> {
  const mirrors = new Mirrors()
  const mirror = await CommitMirror.open({ kv, clock: systemClock, mirrors })
  opened.push(mirror)
  return { mirror, mirrors }
}

const save = (id: bigint, ts: bigint): Promise<unknown> => kv.multiSave(new Map([[LAST_COMMITS + id, String(ts)], [LAST_COMMITS + REVISION_KEY, String(ts)]]))
const present = async (): Promise<bigint> => (await kv.loadEntry(LAST_COMMITS + REVISION_KEY))?.modRevision ?? 0n

beforeEach(() => {
  kv = createMemoryKV()
  opened = []
})
afterEach(async () => {
  for (const mirror of opened) await mirror.close()
  await kv.close()
})

describe('the last commits', () => {
  it('are there at the start, follow the store, and go with their collection', async () => {
    await save(7n, 100n)
    const { mirror, mirrors } = await open()
    expect([mirror.lastCommit(7n), mirror.lastCommit(8n)]).toEqual([100n, 0n])
    await save(8n, 2n ** 62n)
    await mirrors.waitFor(COMMITS, await present())
    expect(mirror.lastCommit(8n)).toBe(2n ** 62n)
    await kv.remove(LAST_COMMITS + '7')
    await expect.poll(() => mirror.lastCommit(7n)).toBe(0n)
  })
})
