import { afterAll, beforeAll, describe, it } from 'vitest'
import { openEtcdKV } from '../src/etcd.ts'
import { openRedisKV } from '../src/redis.ts'
import { type Proxy, startProxy } from './proxy.edge.ts'
import { hasService, ownService, type Service } from './services.edge.ts'
import { bigPrefix, blackHole, storm, type StormOptions } from './storm.ts'

const TIMEOUT_MS = 1500
const seed = Number(process.env['SEED'] ?? 20_220_901)

interface Backend {
  readonly name: 'etcd' | 'redis'
  readonly args: readonly string[]
  open(url: string): ReturnType<StormOptions['open']>
}

const backends: Backend[] = [
  { name: 'etcd', args: [], open: (hosts) => openEtcdKV({ hosts, timeoutMs: TIMEOUT_MS }) },
  { name: 'redis', args: ['--appendonly', 'yes', '--appendfsync', 'always'], open: (url) => openRedisKV({ url, timeoutMs: TIMEOUT_MS }) },
]

for (const backend of backends) {
  describe.skipIf(!hasService(backend.name))(`faults on ${backend.name}`, () => {
    let service: Service
    let proxy: Proxy
    let options: StormOptions
    beforeAll(async () => {
      service = await ownService(backend.name, { args: backend.args })
      proxy = await startProxy(service.url)
      const url = new URL(service.url)
      url.port = String(proxy.port)
      const through = url.href.replace(/\/$/, '')
      options = { service, proxy, seed, open: () => backend.open(through), openDirect: () => backend.open(service.url) }
    })
    afterAll(() => proxy.close())

    it('cut connections and a killed server lose nothing that was acknowledged, and no event', async () => {
      console.info(`${backend.name}: ${await storm(options)}`)
    }, 300_000)

    it('every call ends within its deadline when nothing comes back', () => blackHole(options))

    it('a prefix of 5 MB', async () => bigPrefix(await options.openDirect()))
  })
}
