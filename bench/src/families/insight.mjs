/** Insight: lists of 100,000 collections, changes to many clients, its cache on disk, and what it costs the node around it. */
import { fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { load, percentile } from '../measure.mjs'
import { changesToPage, firstRow } from '../insight/page.mjs'
import { openRemote } from '../insight/remote.mjs'
import { collection, openServer } from '../insight/server.mjs'
import { newFolder, removeFolder } from '../node/program.mjs'

const COLLECTIONS = 100_000
const CLIENTS = 1000

/** The p99 of many calls, in ms. */
function p99Of(call, total = 400) {
  const times = Array.from({ length: total }, (_, i) => {
    const begin = performance.now()
    call(i)
    return performance.now() - begin
  })
  return percentile(times, 0.99)
}

/** Clients of the websocket that tell when an event reached them. */
async function connectClients(address, count, onEvent) {
  const { WebSocket } = await load('ws')
  return Promise.all(
    Array.from({ length: count }, () => new Promise((resolve, reject) => {
      const socket = new WebSocket(`ws://${address}/insight/v1/ws`, 'insight.v1')
      socket.once('error', reject)
      socket.once('open', () => {
        socket.send('{"t":"hello"}')
        socket.send('{"t":"sub","id":"s","cluster":"dev","topics":["node"]}')
      })
      socket.on('message', (data) => {
        const text = data.toString()
        if (text.startsWith('{"t":"live"')) resolve(socket)
        else if (text.startsWith('{"t":"ev"')) onEvent(JSON.parse(text).e)
      })
    })),
  )
}

/** Changes at a rate for a while; the p99 from the change to each client, ms. */
async function fanOut({ served, sink }, { clients, perSecond, seconds }) {
  const sentAt = new Map()
  const lags = []
  const sockets = await connectClients(served.address, clients, (events) => {
    const now = performance.now()
    for (const { data } of events) if (sentAt.has(data.load)) lags.push(now - sentAt.get(data.load))
  })
  for (let i = 0; i < perSecond * seconds; i += 1) {
    sentAt.set(i, performance.now())
    sink.upsert('node', 'n', { name: 'n', load: i })
    await sleep(1000 / perSecond)
  }
  await sleep(300)
  for (const socket of sockets) socket.terminate()
  return percentile(lags, 0.99)
}

/** One client: its wish, and the message that answers it. */
async function ask(address, wish, answer) {
  const { WebSocket } = await load('ws')
  const socket = new WebSocket(`ws://${address}/insight/v1/ws`, 'insight.v1')
  await new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('open', () => {
      socket.send('{"t":"hello"}')
      socket.send(JSON.stringify(wish))
    })
    socket.on('message', (data) => data.toString('latin1', 0, 20).startsWith(`{"t":"${answer}"`) && resolve())
  })
  return socket
}

/** A store that tells how long each save of changed rows took; 0 for one without rows. */
function timedFlushes(kv) {
  let began
  let tell = () => undefined
  const wrapped = new Proxy(kv, {
    get(target, name) {
      const value = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return async (...args) => {
        if (name !== 'multiSaveAndRemove') return value.apply(target, args)
        const [saves] = args
        const hasRows = saves.size > 1
        if (hasRows) began ??= performance.now()
        await value.apply(target, args)
        // The mark of a whole flush comes with its last rows.
        if ([...saves.keys()].every((key) => !key.endsWith('/meta'))) return
        tell(began === undefined ? 0 : performance.now() - began)
        began = undefined
      }
    },
  })
  return { kv: wrapped, next: () => new Promise((resolve) => (tell = resolve)) }
}

const usedMb = () => (process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers) / 2 ** 20
const PAGE = fileURLToPath(new URL('../../../examples/insight/web/dist', import.meta.url))

/** What the page names: files of older builds may lie beside them. */
const pageFiles = () => [...readFileSync(path.join(PAGE, 'index.html'), 'utf8').matchAll(/assets\/[\w-]+\.(?:js|css)/g)].map(([name]) => path.join(PAGE, name))
const MANY = { limits: { maxClientsPerPeer: 5000, maxClients: 5000 } }

export const rows = [
  {
    id: 'insight.query', work: `search, count and page of ${COLLECTIONS.toLocaleString('en')} collections, p99`, unit: 'ms', goal: { op: '<=', value: 10, moonshot: 5 },
    open: () => openServer({ collections: COLLECTIONS }), close: (server) => server?.close(),
    measure: ({ layer }) => p99Of((i) => layer.query({ kind: 'collection', q: `orders_${i % 97}`, limit: 50 })),
  },
  {
    id: 'insight.sort', work: `first 50 of ${COLLECTIONS.toLocaleString('en')} by any column, p99`, unit: 'ms', goal: { op: '<=', value: 5, moonshot: 2.5 },
    open: () => openServer({ collections: COLLECTIONS }), close: (server) => server?.close(),
    measure: ({ layer }) => p99Of((i) => layer.query({ kind: 'collection', sort: ['name', 'id', 'stats.rows', 'createdTs'][i % 4], order: i % 2 === 0 ? 'asc' : 'desc', limit: 50 }), 100),
  },
  {
    id: 'insight.lag', work: 'change to message, 100 clients, p99', unit: 'ms', goal: { op: '<=', value: 250, moonshot: 125 },
    open: () => openServer(MANY), close: (server) => server?.close(),
    measure: (server) => fanOut(server, { clients: 100, perSecond: 20, seconds: 2 }),
  },
  {
    id: 'insight.fanout', work: `change to message, ${CLIENTS} clients at 20 events/s, p99, clients in the same process`, unit: 'ms', goal: { op: '<=', value: 150, moonshot: 75 },
    open: () => openServer(MANY), close: (server) => server?.close(),
    measure: (server) => fanOut(server, { clients: CLIENTS, perSecond: 20, seconds: 2 }),
  },
  {
    id: 'insight.checkpoint', work: `${COLLECTIONS.toLocaleString('en')} rows saved and read again on lmdb`, unit: 's', goal: { op: '<=', value: 3.5, moonshot: 1.75 },
    open: () => newFolder(), close: (folder) => removeFolder(folder),
    async measure(folder) {
      const { openLmdbKV } = await load('@timetick/kv/lmdb')
      const kv = await openLmdbKV({ path: path.join(folder, `cache-${Math.floor(performance.now())}`) })
      const server = await openServer({ collections: COLLECTIONS, kv })
      const cluster = server.insight.clusters.get('dev')
      const begin = performance.now()
      await cluster.disconnect()
      await cluster.connect()
      const elapsed = performance.now() - begin
      await server.close()
      return elapsed / 1000
    },
  },
  {
    id: 'insight.flush', work: '1,000 changed rows of 100,000 saved on lmdb (G8)', unit: 'ms', goal: { op: '<=', value: 20, moonshot: 10 },
    open: async () => {
      const folder = newFolder()
      const { openLmdbKV } = await load('@timetick/kv/lmdb')
      const timed = timedFlushes(await openLmdbKV({ path: path.join(folder, 'cache') }))
      return { folder, timed, server: await openServer({ collections: COLLECTIONS, kv: timed.kv }) }
    },
    close: async (opened) => {
      await opened?.server.close()
      if (opened !== undefined) removeFolder(opened.folder)
    },
    async measure({ timed, server: { sink } }) {
      while (await timed.next() > 0) continue
      for (let i = 0; i < 1000; i += 1) sink.upsert('collection', `default/${i}`, { ...collection(i), description: String(performance.now()) })
      let elapsed = 0
      while (elapsed === 0) elapsed = await timed.next()
      return elapsed
    },
  },
  {
    id: 'insight.dom', work: 'change to what the page shows, 100 other clients, p99 (G4)', unit: 'ms', goal: { op: '<=', value: 250, moonshot: 125 },
    open: () => openServer({ ...MANY, collections: 100 }), close: (server) => server?.close(),
    async measure({ served, sink }) {
      const sockets = await connectClients(served.address, 100, () => undefined)
      const lags = await changesToPage(served.address, { changes: 60, everyMs: 50, change: (i) => sink.upsert('collection', 'default/0', { ...collection(0), name: 'a', load: { state: 'loading', percent: i } }) })
      for (const socket of sockets) socket.terminate()
      return percentile(lags, 0.99)
    },
  },
  {
    id: 'insight.paint', work: `the page from nothing to its first rows of ${COLLECTIONS.toLocaleString('en')} (G12)`, unit: 'ms', goal: { op: '<=', value: 1000, moonshot: 500 },
    open: () => openServer({ collections: COLLECTIONS }), close: (server) => server?.close(),
    measure: ({ served }) => firstRow(served.address),
  },
  {
    id: 'insight.remote', work: 'processor for an idle remote cluster of 10,000 collections (G11)', unit: '%', goal: { op: '<=', value: 3, moonshot: 1.5 },
    open: async () => {
      const remote = await openRemote({ collections: 10_000, intervalMs: 5000 })
      await sleep(2000)
      return remote
    },
    close: (remote) => remote?.close(),
    async measure() {
      const before = process.cpuUsage()
      await sleep(5000)
      const { user, system } = process.cpuUsage(before)
      return (user + system) / 5e4
    },
  },
  {
    id: 'insight.heap', work: `memory of ${COLLECTIONS.toLocaleString('en')} collections, searched and sorted (G1)`, unit: 'MB', goal: { op: '<=', value: 100, moonshot: 50 }, warmups: 0,
    open: () => undefined, close: () => undefined,
    async measure() {
      globalThis.gc?.()
      const before = usedMb()
      const server = await openServer({ collections: COLLECTIONS })
      server.layer.query({ kind: 'collection', q: 'orders_1', sort: 'stats.rows' })
      // What holds back changes that come too often is forgotten after five seconds.
      await sleep(5500)
      server.sink.upsert('collection', 'default/0', collection(0))
      globalThis.gc?.()
      const used = usedMb() - before
      await server.close()
      return used
    },
  },
  {
    id: 'insight.resume', work: 'a client that missed 19,000 events gets them (G7)', unit: 'ms', goal: { op: '<=', value: 500, moonshot: 250 },
    open: () => openServer(MANY), close: (server) => server?.close(),
    async measure({ layer, served, sink }) {
      const { epoch, seq } = layer
      for (let i = 0; i < 19_000; i += 1) sink.upsert('node', `n${i % 50}`, { name: `n${i % 50}`, load: i + Math.random() })
      const begin = performance.now()
      const socket = await ask(served.address, { t: 'sub', id: 's', cluster: 'dev', topics: ['*'], from: { epoch, seq } }, 'live')
      const elapsed = performance.now() - begin
      socket.terminate()
      return elapsed
    },
  },
  {
    id: 'insight.view', work: `the first 200 rows of ${COLLECTIONS.toLocaleString('en')} for a page (G7)`, unit: 'ms', goal: { op: '<=', value: 50, moonshot: 25 },
    open: () => openServer({ ...MANY, collections: COLLECTIONS }), close: (server) => server?.close(),
    async measure({ served }) {
      const begin = performance.now()
      const socket = await ask(served.address, { t: 'view', id: 's', cluster: 'dev', kind: 'collection', limit: 200, sort: 'stats.rows', order: 'desc' }, 'page')
      const elapsed = performance.now() - begin
      socket.terminate()
      return elapsed
    },
  },
  {
    id: 'insight.idle', work: `memory of ${CLIENTS} idle clients (G10)`, unit: 'MB', goal: { op: '<=', value: 30, moonshot: 15 }, warmups: 0,
    open: () => openServer(MANY), close: (server) => server?.close(),
    async measure({ served }) {
      const before = process.memoryUsage().rss
      const crowd = fork(fileURLToPath(new URL('../insight/crowd.mjs', import.meta.url)), [served.address, String(CLIENTS), 'dev'])
      await new Promise((resolve) => crowd.once('message', resolve))
      const grown = (process.memoryUsage().rss - before) / 2 ** 20
      crowd.disconnect()
      await new Promise((resolve) => crowd.once('exit', resolve))
      return Math.max(0, grown)
    },
  },
  {
    id: 'insight.blocked', work: `longest stop of the loop while ${COLLECTIONS.toLocaleString('en')} rows are told again (G9)`, unit: 'ms', goal: { op: '<=', value: 20, moonshot: 10 },
    open: () => openServer({ collections: COLLECTIONS }), close: (server) => server?.close(),
    async measure({ sink }) {
      let longest = 0
      let at = performance.now()
      for (let i = 0; i < COLLECTIONS; i += 1) {
        sink.upsert('collection', `default/${i}`, collection(i))
        if (i % 100 !== 99) continue
        longest = Math.max(longest, performance.now() - at)
        await new Promise((resolve) => setImmediate(resolve))
        at = performance.now()
      }
      return longest
    },
  },
  {
    id: 'insight.page', work: 'scripts and styles of the page, gzipped (G12)', unit: 'KB', goal: { op: '<=', value: 60, moonshot: 45 }, warmups: 0,
    measure: () => pageFiles().reduce((sum, file) => sum + gzipSync(readFileSync(file)).length, 0) / 1024,
  },
]
