import { describe, it } from 'vitest'
import type { KVBase } from '../src/index.ts'
import { openLmdbKV } from '../src/lmdb.ts'
import { testKV } from '../src/testing.ts'
import { freshFolders } from './folders.edge.ts'

const fresh = freshFolders()
const paths = new WeakMap<KVBase, string>()

async function open(path: string, rootPath?: string): Promise<KVBase> {
  const kv = await openLmdbKV({ path, rootPath })
  paths.set(kv, path)
  return kv
}

testKV('lmdb', {
  runner: { describe, it },
  create: async () => open(await fresh()),
  createBounded: async () => openLmdbKV({ path: await fresh(), maxHistory: 10, maxWatchLagBytes: 4096 }),
  async reopen(kv) {
    await kv.close()
    return open(paths.get(kv) ?? '')
  },
  features: { backend: 'lmdb', durability: 'power', watchAcrossRestarts: true },
})

testKV('lmdb with a root path, synced in intervals', {
  runner: { describe, it },
  create: async () => openLmdbKV({ path: await fresh(), rootPath: '/by-dev', sync: 'interval' }),
  features: { durability: 'process' },
})
