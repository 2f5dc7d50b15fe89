import { createMemoryKV } from '@timetick/kv/memory'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { createInsight, foldInto, serveInsight, type Insight, type InsightEvent, type InsightOptions, type InsightSource, type Principal, type Row, type Served, type Sink } from '../src/index.ts'
import { TestClock } from './clock.ts'

class LocalSource implements InsightSource {
  readonly origin = 'push'
  readonly intervalMs = 60_000
  sink: Sink | undefined
  readonly acts: string[] = []
  readonly start = async (sink: Sink) => {
    this.sink = sink
    return {}
  }
  readonly refresh = async () => undefined
  readonly stop = async () => undefined
  readonly act = async (action: string, { db, collection }: { db: string; collection: string }) => void this.acts.push(`${action} ${db}.${collection}`)
  readonly search = async () => ({ rows: [{ id: '1', score: 0.5 }] })
}

const open: { insight: Insight; served: Served }[] = []
afterEach(async () => {
  for (const { insight, served } of open.splice(0)) {
    await insight.close()
    await served.close()
  }
})

async function start(options: Partial<InsightOptions> = {}, sinkOf?: () => Sink | undefined) {
  const source = new LocalSource()
  const insight = createInsight({ kv: createMemoryKV(), clusters: [{ id: 'dev', address: '127.0.0.1', source: () => source, isPinned: true }], limits: { helloMs: 120_000 }, ...options })
  const served = await serveInsight(insight, { host: '127.0.0.1', port: 0 })
  open.push({ insight, served })
  await insight.clusters.get('dev')?.connect()
  await expect.poll(() => (sinkOf ?? (() => source.sink))()).toBeDefined()
  const url = `http://${served.address}${options.basePath ?? ''}/insight/v1`
  const get = async (path: string, init: RequestInit = {}) => {
    const answer = await fetch(`${url}${path}`, init)
    return { status: answer.status, headers: answer.headers, body: (answer.headers.get('content-type')?.includes('json') === true && answer.status !== 304 ? await answer.json() : await answer.text()) as Record<string, never> }
  }
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) => get(path, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } })
  return { source, insight, served, url, get, post }
}

describe('REST', () => {
  test('S1 lists, details, search, and their age', async () => {
    const { source, get } = await start()
    for (let i = 0; i < 120; i++) source.sink?.upsert('collection', `default/${i}`, { id: String(449000000000000000n + BigInt(i)), db: 'default', name: `orders_${i}` })
    source.sink?.upsert('partition', 'default/5/9', { id: '9', name: '_default', collId: '449000000000000005', db: 'default' })
    const page = await get('/clusters/dev/collections?q=ORDERS_1&limit=5&fields=id,name')
    expect(page.body).toMatchObject({ total: 31, stale: false, rows: [{ key: 'default/1', id: '449000000000000001', name: 'orders_1' }, {}, {}, {}, {}] })
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'")
    // Other events may come between the two.
    const again = async (): Promise<number> => (await get('/clusters/dev/collections', { headers: { 'if-none-match': (await get('/clusters/dev/collections?limit=1')).headers.get('etag') ?? '' } })).status
    await expect.poll(again).toBe(304)
    expect((await get('/clusters/dev/collections/449000000000000005')).body).toMatchObject({ collection: { name: 'orders_5' }, partitions: [{ name: '_default' }] })
    expect((await get('/clusters/dev/search?q=_default')).body).toMatchObject({ groups: { partitions: { total: 1 } } })
    expect((await get('/clusters')).body).toMatchObject({ clusters: [{ id: 'dev', state: 'live', counts: { collection: 120 } }] })
  })

  test('refusals say what was expected', async () => {
    const { get, post } = await start()
    const cases: [Promise<{ status: number; body: unknown }>, number, string][] = [
      [get('/nothing'), 404, 'not-found'],
      [get('/clusters/other/collections'), 404, 'unknown-cluster'],
      [get('/clusters/%E0%A4%A/collections'), 404, 'not-found'],
      [get('/clusters/dev/collections?limit=0'), 400, 'bad-query'],
      [get('/clusters/dev/collections?order=up'), 400, 'bad-query'],
      [get('/clusters/dev/collections?cursor=zzz'), 400, 'bad-cursor'],
      [get('/clusters/dev/collections/1'), 404, 'not-found'],
      [get('/clusters/dev/search'), 400, 'bad-query'],
      [get('/clusters/dev/events?epoch=other&since=3'), 410, 'outdated'],
      [get('/login'), 405, 'bad-method'],
      [post('/clusters', { id: 'http://169.254.169.254/' }), 404, 'unknown-cluster'],
      [post('/clusters/dev/actions/flush', { collection: 'a' }), 403, 'actions-off'],
      [get('/clusters', { method: 'POST', body: '{}', headers: { 'content-type': 'text/plain' } }), 415, 'bad-type'],
      [get('/clusters', { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } }), 400, 'bad-body'],
      [post('/clusters/dev/vector-search', { collection: 'a', vector: [1, 'x'] }), 400, 'bad-body'],
      [get('/clusters', { method: 'POST', body: `"${'x'.repeat(2 ** 20 + 10)}"`, headers: { 'content-type': 'application/json' } }), 413, 'too-large'],
    ]
    for (const [answer, status, code] of cases) expect(await answer).toMatchObject({ status, body: { code, message: expect.any(String) } })
  })

  test('events as JSON, and as a stream that resumes', async () => {
    const { source, get, url } = await start()
    source.sink?.upsert('node', 'n1', { name: 'a' })
    const { body } = await get('/clusters/dev/events?since=0')
    expect((body as unknown as { events: InsightEvent[] }).events.map(({ type }) => type)).toContain('node.joined')
    expect((await get('/clusters/dev/events?last=1')).body).toMatchObject({ events: [{ type: expect.any(String) }] })
    expect((await get('/clusters/dev/events?last=5000')).status).toBe(200)
    const abort = new AbortController()
    const answer = await fetch(`${url}/clusters/dev/events?types=node`, { headers: { accept: 'text/event-stream', 'last-event-id': `${String((body as unknown as { epoch: string }).epoch)}-1` }, signal: abort.signal })
    expect(answer.headers.get('content-type')).toBe('text/event-stream')
    let text = ''
    const reading = (async () => {
      for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) text += Buffer.from(chunk).toString()
    })().catch(() => undefined)
    await expect.poll(() => text).toContain('node.joined')
    source.sink?.upsert('node', 'n2', { name: 'b' })
    await expect.poll(() => text).toMatch(/event: node\.joined\ndata: .*"key":"n2"/)
    abort.abort()
    await reading
  })

  test('a stream keeps its cluster watched; when the cluster is stopped it ends, and a resume goes on in the next life', async () => {
    const clock = new TestClock()
    let sink: Sink | undefined
    const source = (): InsightSource => ({ origin: 'push', intervalMs: 60_000, start: async (to) => ((sink = to), {}), refresh: async () => undefined, stop: async () => undefined })
    const { insight, url } = await start({ clock, clusters: [{ id: 'dev', address: '127.0.0.1', source }] }, () => sink)
    const cluster = insight.clusters.get('dev')
    const follow = async (lastId?: string) => {
      const answer = await fetch(`${url}/clusters/dev/events?types=node`, { headers: { accept: 'text/event-stream', ...(lastId === undefined ? {} : { 'last-event-id': lastId }) } })
      const seen = { text: '', isEnded: false, lastId: () => [...seen.text.matchAll(/^id: (.+)$/gm)].at(-1)?.[1] }
      void (async () => {
        for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) seen.text += Buffer.from(chunk).toString()
        seen.isEnded = true
      })()
      return seen
    }
    const first = await follow()
    await clock.advance(120_000)
    expect(cluster?.status().state).toBe('live')
    sink?.upsert('node', 'n1', { name: 'a' })
    await expect.poll(() => first.text).toContain('"key":"n1"')
    const stopping = cluster?.disconnect()
    await clock.advance(10_000)
    await stopping
    await clock.advance(20_000)
    await expect.poll(() => first.isEnded).toBe(true)
    await cluster?.connect()
    await clock.advance(10)
    sink?.upsert('node', 'n2', { name: 'b' })
    const second = await follow(first.lastId())
    await expect.poll(() => second.text).toContain('"key":"n2"')
    expect(second.text).not.toContain('event: reset')
    expect(second.text).not.toContain('"key":"n1"')
  })

  test('actions where they are switched on, and a search of vectors', async () => {
    const { source, post } = await start({ actions: true })
    expect((await post('/clusters/dev/actions/flush', { collection: 'a' })).status).toBe(200)
    expect((await post('/clusters/dev/actions/drop', { collection: 'a' })).body).toMatchObject({ code: 'unconfirmed' })
    expect((await post('/clusters/dev/actions/drop', { collection: 'a', confirm: 'a' })).status).toBe(200)
    expect(source.acts).toEqual(['flush default.a', 'drop default.a'])
    expect((await post('/clusters/dev/vector-search', { collection: 'a', vector: [1, 2] })).body).toEqual({ rows: [{ id: '1', score: 0.5 }] })
  })

  test('the document describes every route', async () => {
    const { get } = await start()
    const { body } = await get('/openapi.json')
    const document = body as unknown as { openapi: string; paths: Record<string, Record<string, { operationId: string }>> }
    expect(document.openapi).toBe('3.1.0')
    const ids = Object.values(document.paths).flatMap((path) => Object.values(path).map(({ operationId }) => operationId))
    expect(new Set(ids).size).toBe(ids.length)
    expect(Object.keys(document.paths)).toContain('/clusters/{c}/slow-requests')
    expect((await get('/events.schema.json')).body).toMatchObject({ title: 'InsightEvent' })
  })
})

describe('who may come in', () => {
  const alice: Principal = { name: 'alice', mayAct: false, sees: (_kind, key) => key.startsWith('hers/') }
  const guarded = { access: { token: 'secret', login: async (user: string, password: string) => (user === 'alice' && password === 'right' ? alice : undefined) } }

  test('names and origins that are not ours are refused', async () => {
    const { served, insight } = await start()
    const { request } = await import('node:http')
    const ask = (headers: Record<string, string>) =>
      new Promise<number>((resolve, reject) => {
        const [host, port] = served.address.split(':')
        request({ host, port, path: '/insight/v1/clusters', headers }, (answer) => {
          answer.resume()
          resolve(answer.statusCode ?? 0)
        })
          .on('error', reject)
          .end()
      })
    expect(await ask({ host: 'evil.example' })).toBe(403)
    expect(await ask({ host: served.address, origin: 'http://evil.example' })).toBe(403)
    expect(await ask({ host: served.address, origin: `http://${served.address}` })).toBe(200)
    const socket = new WebSocket(`ws://${served.address}/insight/v1/ws`, 'insight.v1', { origin: 'http://evil.example' })
    expect(await new Promise((resolve) => socket.once('error', resolve))).toMatchObject({ message: expect.stringContaining('403') })
    expect(insight.hub.clients).toBe(0)
  })

  test('without a token nothing is told; a login gives one, wrong ones wait', async () => {
    // Time stands still: who waits goes on waiting.
    const { source, get, post } = await start({ ...guarded, clock: new TestClock() })
    source.sink?.upsert('collection', 'default/1', { id: '1', db: 'default', name: 'secret_plans' })
    source.sink?.upsert('collection', 'hers/2', { id: '2', db: 'hers', name: 'ok' })
    for (const path of ['/clusters', '/clusters/dev/collections', '/config', '/clusters/dev/events']) expect((await get(path)).status).toBe(401)
    expect((await post('/login', { user: 'alice', password: 'right' })).status).toBe(200)
    const { token } = (await post('/login', { user: 'alice', password: 'right' })).body as unknown as { token: string }
    const hers = await get('/clusters/dev/collections', { headers: { authorization: `Bearer ${token}` } })
    expect(hers.body).toMatchObject({ total: 1, rows: [{ name: 'ok' }] })
    expect((await get('/clusters/dev/collections', { headers: { authorization: 'Bearer secret' } })).body).toMatchObject({ total: 2 })
    expect((await get('/clusters/dev', { method: 'DELETE', headers: { authorization: `Bearer ${token}` } })).status).toBe(403)
    const codes: number[] = []
    for (let i = 0; i < 7; i++) codes.push((await post('/login', { user: 'alice', password: 'wrong' })).status)
    expect(codes.slice(0, 5)).toEqual([401, 401, 401, 401, 401])
    expect(codes.at(-1)).toBe(429)
  })

  test('a ticket is good once', async () => {
    const { served, get } = await start(guarded)
    const { ticket } = (await get('/ws-ticket', { method: 'POST', headers: { authorization: 'Bearer secret' } })).body as unknown as { ticket: string }
    const hello = (member: object) =>
      new Promise<string>((resolve) => {
        const socket = new WebSocket(`ws://${served.address}/insight/v1/ws`, 'insight.v1', { origin: `http://${served.address}` })
        socket.once('open', () => socket.send(JSON.stringify({ t: 'hello', ...member })))
        socket.once('message', (data: Buffer) => {
          resolve((JSON.parse(data.toString()) as { t: string }).t)
          socket.close()
        })
        socket.once('close', (code) => resolve(String(code)))
      })
    expect(await hello({ ticket })).toBe('welcome')
    expect(await hello({ ticket })).toBe('4401')
    expect(await hello({ token: 'secret' })).toBe('welcome')
    expect(await hello({})).toBe('4401')
  })
})

test('W1 over a real socket: rows, events, and a big or binary message ends it', async () => {
  const { source, served } = await start({ basePath: '/milvus' })
  source.sink?.upsert('collection', 'default/1', { name: 'a' })
  const socket = new WebSocket(`ws://${served.address}/milvus/insight/v1/ws`, 'insight.v1')
  const rows = new Map<string, Row>()
  const seen: string[] = []
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as { t: string; rows?: { kind: string; key: string; row: Row }[]; e?: InsightEvent[] }
    seen.push(message.t)
    for (const { kind, key, row } of message.rows ?? []) rows.set(`${kind}\n${key}`, row)
    for (const event of message.e ?? []) foldInto(rows, event)
  })
  await new Promise((resolve) => socket.once('open', resolve))
  socket.send(JSON.stringify({ t: 'hello' }))
  socket.send(JSON.stringify({ t: 'sub', id: 's', cluster: 'dev', topics: ['collection'] }))
  await expect.poll(() => seen).toContain('live')
  source.sink?.upsert('collection', 'default/1', { name: '<img src=x onerror=alert(1)>' })
  await expect.poll(() => rows.get('collection\ndefault/1')).toEqual({ name: '<img src=x onerror=alert(1)>' })
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.send('x'.repeat(70_000))
  expect(await closed).toBe(1009)
})
