/** Stores on servers against their raw drivers, on a server of our own: etcd3 as it comes, ioredis calling the same scripts by hand. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { inFlight, load, loadName, percentile, Skip } from '../measure.mjs'

const VALUE = 'v'.repeat(100)
const keyOf = (i) => `bench/${String(i).padStart(34, '0')}`
const here = path.dirname(fileURLToPath(import.meta.url))
const WIDTH = 64
const PAGE = 10_000
const LAGS = 200

async function serve(name) {
  const { startService } = await import('@timetick/tools/services')
  try {
    return await startService(name, { isBench: true })
  } catch (error) {
    throw new Skip(`there is no ${name} here (${error.message.split('\n')[0]})`)
  }
}

/** The scripts of the package, from its sources: nobody outside needs them. */
async function redisScripts() {
  const { transformSync } = await load('esbuild')
  const source = readFileSync(path.join(here, '../../../packages/kv/src/redis/scripts.ts'), 'utf8')
  const { code } = transformSync(source, { loader: 'ts', format: 'esm' })
  return await import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`)
}

/** `{ ours: KVBase, raw: { save, load, multi, prefix, watch } }` on one server. */
async function openEtcd() {
  const openEtcdKV = await loadName('@timetick/kv/etcd', 'openEtcdKV')
  const { Etcd3 } = await load('etcd3')
  const server = await serve('etcd')
  const ours = await openEtcdKV({ hosts: server.url, rootPath: 'ours' })
  const client = new Etcd3({ hosts: server.url })
  const raw = {
    save: (key, value) => client.put(`raw/${key}`).value(value),
    load: (key) => client.get(`raw/${key}`).string(),
    multi: (pairs) => client.kv.txn({ success: pairs.map(([key, value]) => ({ request_put: { key: Buffer.from(`raw/${key}`), value: Buffer.from(value) } })) }),
    async prefix(prefix) {
      const { kvs } = await client.getAll().prefix(`raw/${prefix}`).exec()
      return { keys: kvs.map(({ key }) => key.toString().slice(4)), values: kvs.map(({ value }) => value.toString()) }
    },
    async watch(onEvent) {
      const watcher = await client.watch().prefix('raw/lag/').create()
      watcher.on('put', () => onEvent())
      return () => watcher.cancel()
    },
  }
  return { ours, raw, close: async () => (await ours.close(), client.close(), await server.stop()) }
}

async function openRedis() {
  const openRedisKV = await loadName('@timetick/kv/redis', 'openRedisKV')
  const { Redis } = await load('ioredis')
  const { scripts, storeKeys } = await redisScripts()
  const server = await serve('redis')
  const ours = await openRedisKV({ url: server.url })
  const client = new Redis(server.url)
  const keys = storeKeys('raw')
  for (const { text } of Object.values(scripts)) await client.script('LOAD', text)
  const call = (script, ...args) => client.callBuffer('evalsha', script.sha, keys.length, ...keys, 10_000, ...args)
  const valueOf = (packed) => packed.toString('utf8', packed.indexOf(32, packed.indexOf(32) + 1) + 1)
  const raw = {
    save: (key, value) => call(scripts.write, '', 0, 0, 0, key, value),
    load: async (key) => valueOf((await call(scripts.get, key))[1][0]),
    multi: (pairs) => call(scripts.write, '', 0, 0, 0, ...pairs.flat()),
    async prefix(prefix) {
      const [, , names, ...parts] = await call(scripts.range, `[${prefix}`, Buffer.concat([Buffer.from(`(${prefix}`), Buffer.from([255])]), -1)
      return { keys: names.map(String), values: parts.flat().map(valueOf) }
    },
    async watch(onEvent) {
      const reader = client.duplicate()
      let last = '$'
      let isOver = false
      const read = async () => {
        while (!isOver) {
          const reply = await reader.xreadBuffer('BLOCK', 1000, 'STREAMS', keys[3], last).catch(() => null)
          for (const [id] of reply?.[0][1] ?? []) {
            last = id.toString()
            onEvent()
          }
        }
      }
      void read()
      await reader.ping().catch(() => undefined)
      return () => {
        isOver = true
        reader.disconnect()
      }
    },
  }
  return { ours, raw, close: async () => (await ours.close(), client.disconnect(), await server.stop()) }
}

/** Ours in the shape of the raw ones. */
const shaped = (kv) => ({
  save: (key, value) => kv.save(key, value),
  load: (key) => kv.load(key),
  multi: (pairs) => kv.multiSave(pairs),
  prefix: (prefix) => kv.loadWithPrefix(prefix),
  async watch(onEvent) {
    const watch = kv.watchWithPrefix('lag/')
    await watch.ready
    const follow = async () => {
      for await (const batch of watch) for (const event of batch.events) if (event.type === 'put') onEvent()
    }
    void follow()
    return () => void watch.return()
  },
})

const rates = {
  save: { work: '2,000 of 40 + 100 B, 64 in flight', unit: '/s', async run(store, next) {
    return (await inFlight((i) => store.save(keyOf(next(i)), VALUE), { total: 2000, width: WIDTH })).perSecond
  } },
  load: { work: '4,000 of 100 B, 64 in flight', unit: '/s', async run(store) {
    return (await inFlight((i) => store.load(keyOf(i % PAGE)), { total: 4000, width: WIDTH })).perSecond
  } },
  multi100: { work: '100 pairs each, 64 in flight', unit: 'keys/s', async run(store, next) {
    return (await inFlight((i) => store.multi(Array.from({ length: 100 }, (_, at) => [keyOf(next(i * 100 + at)), VALUE])), { total: 128, width: WIDTH })).perSecond * 100
  } },
  prefix10k: { work: 'a prefix of 10,000 keys', unit: 'keys/s', async run(store) {
    return (await inFlight(async () => {
      if ((await store.prefix('bench/')).keys.length !== PAGE) throw new Error('a page is short')
    }, { total: 10, width: 1 })).perSecond * PAGE
  } },
}

async function lag(store) {
  const lags = []
  let savedAt = 0
  let seen = () => undefined
  const stop = await store.watch(() => {
    lags.push(performance.now() - savedAt)
    seen()
  })
  for (let i = 0; i < LAGS; i += 1) {
    const arrived = new Promise((resolve) => {
      seen = resolve
    })
    savedAt = performance.now()
    await store.save(`lag/${i}`, VALUE)
    await arrived
  }
  await stop()
  return percentile(lags, 0.99)
}

async function filled(open) {
  const context = await open()
  const ours = shaped(context.ours)
  for (let i = 0; i < PAGE; i += 100) {
    const pairs = Array.from({ length: 100 }, (_, at) => [keyOf(i + at), VALUE])
    await ours.multi(pairs)
    await context.raw.multi(pairs)
  }
  return { ...context, shaped: ours, next: (i) => i % PAGE }
}

function rowsOf(backend, open, reference) {
  const rows = Object.entries(rates).map(([name, { work, unit, run }]) => ({
    id: `kv.${backend}.${name}`, work, unit, reference, goal: { op: '>=', value: 0.9, moonshot: backend === 'etcd' ? 1.5 : 1 },
    open: () => filled(open),
    measure: (context) => run(context.shaped, context.next),
    measureReference: (context) => run(context.raw, context.next),
    close: (context) => context?.close(),
  }))
  rows.push({
    id: `kv.watch.lag.${backend}`, work: 'write to delivered event, p99 of 200', unit: 'ms', reference: 'raw watch', goal: { op: '<=', value: 1.2, moonshot: 1 },
    open: async () => {
      const context = await open()
      return { ...context, shaped: shaped(context.ours) }
    },
    measure: (context) => lag(context.shaped),
    measureReference: (context) => lag(context.raw),
    close: (context) => context?.close(),
  })
  return rows
}

export const serverRows = [...rowsOf('etcd', openEtcd, 'raw etcd3'), ...rowsOf('redis', openRedis, 'ioredis, same script')]
