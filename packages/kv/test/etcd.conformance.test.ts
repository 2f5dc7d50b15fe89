import { Etcd3 } from 'etcd3'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { openEtcdKV, type EtcdKVOptions } from '../src/etcd.ts'
import type { KVBase } from '../src/index.ts'
import { testKV } from '../src/testing.ts'
import { hasService, ownService } from './services.edge.ts'

let hosts = ''
let compactor: Etcd3
let count = 0
const roots = new WeakMap<KVBase, string>()

async function open(options: EtcdKVOptions = {}, rootPath = `kit-${count++}`): Promise<KVBase> {
  const kv = await openEtcdKV({ hosts, rootPath, ...options })
  roots.set(kv, rootPath)
  return kv
}

/** As a store whose server keeps few revisions: after each save the old ones go. */
async function openCompacting(): Promise<KVBase> {
  const kv = await open({ maxWatchLagBytes: 4096 })
  let saves = 0
  return new Proxy(kv, {
    get(target, name) {
      if (name === 'save') {
        return async (...list: Parameters<KVBase['save']>) => {
          const revision = await target.save(...list)
          saves++
          if (saves % 20 === 0) await compactor.kv.compact({ revision: String(revision - 10n) })
          return revision
        }
      }
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

describe.skipIf(!hasService('etcd'))('on etcd', () => {
  beforeAll(async () => {
    hosts = (await ownService('etcd')).url
    compactor = new Etcd3({ hosts })
  })
  afterAll(() => compactor.close())

  testKV('etcd', {
    runner: { describe, it },
    create: () => open(),
    createBounded: openCompacting,
    async reopen(kv) {
      await kv.close()
      return open({}, roots.get(kv) ?? '')
    },
    features: { backend: 'etcd', durability: 'power', maxTransactionOps: 128, sharing: 'writers' },
  })
})
