/** A holder that is killed loses its keys when its lease has ended, all in one revision, and not before. */
import { bundleFixture, startChild } from '@timetick/tools/child'
import { expect, it, onTestFinished } from 'vitest'
import { openEtcdKV } from '../src/etcd.ts'
import type { KVBase, WatchBatch } from '../src/index.ts'
import { openLmdbKV } from '../src/lmdb.ts'
import { openRedisKV } from '../src/redis.ts'
import { freshFolders } from './folders.edge.ts'
import { hasService, serviceUrl } from './services.edge.ts'

const fresh = freshFolders()
const TTL_MS = 2000
const rootPath = `holders-${process.pid}`

async function killHolder(where: string): Promise<void> {
  const child = startChild(await bundleFixture(import.meta.dirname, 'holder', 'leases'), [where, rootPath, String(TTL_MS)])
  onTestFinished(async () => {
    child.process.kill('SIGKILL')
    await child.exited
  })
  // Alive for longer than its time to live.
  await child.line('kept', 6)
  child.process.kill('SIGKILL')
  await child.exited
}

async function expectEnd(kv: KVBase, watched: Promise<IteratorResult<WatchBatch, unknown>>): Promise<void> {
  const batch: WatchBatch | undefined = (await watched).value as WatchBatch | undefined
  expect(batch?.events.map((event) => `${event.type} ${event.key}`).sort((a, b) => (a < b ? -1 : 1))).toEqual(['delete held/a', 'delete held/b'])
  expect(new Set(batch?.events.map((event) => event.revision)).size).toBe(1)
  expect((await kv.loadWithPrefix('')).keys).toEqual([])
  await kv.close()
}

for (const [name, open] of [['etcd', (hosts: string) => openEtcdKV({ hosts, rootPath })], ['redis', (url: string) => openRedisKV({ url, rootPath })]] as const) {
  it.skipIf(!hasService(name))(`on ${name}`, { timeout: 60_000 }, async () => {
    const url = serviceUrl(name)
    const kv = await open(url)
    const killing = killHolder(url)
    const watch = kv.watchWithPrefix('held/')
    const created = await watch.next()
    expect(created.value?.events).toHaveLength(2)
    const next = watch.next()
    await killing
    expect(await kv.has('held/a'), 'it was kept alive until just now').toBe(true)
    await expectEnd(kv, next)
  })
}

it('on lmdb: whoever opens the folder next sees to it', { timeout: 60_000 }, async () => {
  const path = await fresh()
  await killHolder(path)
  const kv = await openLmdbKV({ path, rootPath })
  const watch = kv.watchWithPrefix('held/')
  expect(await kv.has('held/a')).toBe(true)
  await expectEnd(kv, watch.next())
})
