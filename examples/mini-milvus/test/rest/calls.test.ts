/** What HTTP itself decides: time, content types, bodies in flight, who is known, and which answers each family gives. */
import { request as httpRequest } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { createRestHandler, type RestOptions } from '../../src/rest/index.ts'
import { AuthenticationError, PermissionError } from '../../src/server/auth-errors.ts'
import type { CallContext, Gate, HandlerTable } from '../../src/server/handlers.ts'
import type { Listener } from '../../src/server/listen.edge.ts'
import { MilvusError } from '../../src/server/status.ts'
import { serve } from '../server/helpers.ts'

const open: Listener[] = []
afterEach(async () => {
  for (const listener of open.splice(0)) await listener.close()
})

async function start(handlers: HandlerTable, more: Partial<RestOptions> = {}): Promise<string> {
  const { listener, address } = await serve({}, {}, createRestHandler({ handlers, ...more }))
  open.push(listener)
  return `http://${address}`
}

const LIST = '/v2/vectordb/collections/list'
const names = (run: (call: CallContext) => Promise<string[]>): HandlerTable => ({
  ShowCollections: { kind: 'ddl', run: async (_request: never, call: CallContext) => ({ collection_names: await run(call) }) },
})

async function post(url: string, body: string, headers: Record<string, string> = {}) {
  const response = await fetch(url, { method: 'POST', body, headers })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

describe('time', () => {
  it('gives up after Request-Timeout, with 408 and its code, and stops the call', async () => {
    const seen: { deadline?: number | undefined; reason?: unknown } = {}
    const url = await start(
      names(
        (call) =>
          new Promise(() => {
            seen.deadline = call.deadline
            call.signal.addEventListener('abort', () => (seen.reason = call.signal.reason))
          }),
      ),
    )
    expect(await post(url + LIST, '{}', { 'Request-Timeout': '1' })).toEqual({ status: 408, body: { code: 10_001, message: 'request timeout' } })
    expect(seen.reason).toMatchObject({ name: 'TimeoutError' })
    expect(seen.deadline).toBeTypeOf('number')
  })

  it('may not ask for more than the port allows; what is no time is not heard', async () => {
    const never = names(() => new Promise(() => {}))
    const url = await start(never, { limits: { callTimeoutMs: 30 } })
    for (const asked of ['600', 'soon', '-1', '0', '1e3', '99999999999'])
      expect([asked, (await post(url + LIST, '{}', { 'Request-Timeout': asked })).status]).toEqual([asked, 408])
    const flat = await fetch(`${url}/api/v1/collections`)
    expect([flat.status, await flat.json()]).toMatchObject([408, { code: 10_001, reason: 'request timeout' }])
  })

  it('tells handlers when the client went away', async () => {
    const gone = new Promise<unknown>((resolve) => {
      void start(
        names((call) => {
          call.signal.addEventListener('abort', () => resolve(call.signal.reason))
          sent.destroy()
          return new Promise(() => {})
        }),
      ).then((url) => {
        sent = httpRequest(url + LIST, { method: 'POST' })
        sent.on('error', () => {})
        sent.end('{}')
      })
    })
    let sent: ReturnType<typeof httpRequest>
    expect(await gone).toMatchObject({ name: 'AbortError' })
  })
})

describe('bodies', () => {
  it('are JSON whatever their type says; nothing is no body, but resources take it', async () => {
    const url = await start(names(() => Promise.resolve(['a'])))
    for (const type of ['text/plain;charset=UTF-8', 'application/x-yaml', 'multipart/form-data', 'application/json; charset=latin1'])
      expect((await post(url + LIST, '{}', { 'content-type': type })).body).toMatchObject({ code: 0, data: ['a'] })
    for (const bad of ['', ' ', 'null', '[]', '"x"', '{', '{"a":1}x', '\u0000', '{"a":}'])
      expect([bad, (await post(url + LIST, bad)).body]).toMatchObject([bad, { code: 1801 }])
    expect(await (await fetch(`${url}/api/v1/collections-list`)).json()).toMatchObject({ collection_names: ['a'] })
    expect((await post(`${url}/api/v1/collections`, '[1]')).status).toBe(400)
  })

  it('in flight have a bound, beyond which they may try again', async () => {
    let release = (): void => {}
    let entered = (): void => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    const isRunning = new Promise<void>((resolve) => (entered = resolve))
    const handlers = names(async () => {
      entered()
      await held
      return []
    })
    const url = await start(handlers, { limits: { maxInFlightBytes: 100 } })
    const first = post(url + LIST, `{"x":"${'y'.repeat(70)}"}`)
    await isRunning
    expect((await post(url + LIST, `{"x":"${'y'.repeat(40)}"}`)).body).toMatchObject({ code: 8, message: expect.stringContaining('retry') as unknown })
    release()
    expect((await first).body).toMatchObject({ code: 0 })
    expect((await post(url + LIST, `{"x":"${'y'.repeat(70)}"}`)).body).toMatchObject({ code: 0 })
  })
})

describe('the gate', () => {
  const refuse = (error: Error): Gate => ({
    identify: () => {
      if (error instanceof AuthenticationError) throw error
      return undefined
    },
    authorize: () => {
      throw error
    },
  })

  it('says 401 with code 1800 to who is not known, before the body is read', async () => {
    const url = await start(names(() => Promise.resolve([])), { authorize: refuse(new AuthenticationError('who?')) })
    expect(await post(url + LIST, 'no json')).toEqual({ status: 401, body: { code: 1800, message: "user hasn't authenticated" } })
    const v1 = await fetch(`${url}/v1/vector/collections`)
    expect([v1.status, await v1.json()]).toEqual([401, { code: 1800, message: "user hasn't authenticated" }])
    const resource = await fetch(`${url}/api/v1/collections-list`)
    expect([resource.status, await resource.json()]).toMatchObject([401, { error_code: 1, code: 1800 }])
  })

  it('says 403 with code 1401 to who may not', async () => {
    const url = await start(names(() => Promise.resolve([])), { authorize: refuse(new PermissionError('no')) })
    expect(await post(url + LIST, '{}')).toEqual({ status: 403, body: { code: 1401, message: 'no' } })
    const flat = await fetch(`${url}/api/v1/collections`)
    expect([flat.status, await flat.json()]).toMatchObject([403, { code: 1401, reason: 'no' }])
  })

  it('hears credentials as they were sent, and the database', async () => {
    const heard: Record<string, string | undefined>[] = []
    const url = await start(
      names((call) => {
        heard.push({ who: call.metadata.get('authorization'), db: call.dbName })
        return Promise.resolve([])
      }),
    )
    await post(url + LIST, '{}', { Authorization: 'Bearer root:Milvus', 'DB-Name': 'mine' })
    await post(url + LIST, '{"dbName":"other"}', { 'DB-Name': 'mine' })
    await fetch(`${url}/v1/vector/collections?dbName=third`)
    await fetch(`${url}/api/v1/collections?db_name=fourth`)
    expect(heard).toEqual([
      { who: 'Bearer root:Milvus', db: 'mine' },
      { who: undefined, db: 'other' },
      { who: undefined, db: 'third' },
      { who: undefined, db: 'fourth' },
    ])
  })
})

describe('failures', () => {
  it('have the envelope of their family', async () => {
    const failing = (error: Error): Promise<string> => start(names(() => Promise.reject(error)))
    const asked = async (url: string) => [
      await post(url + LIST, '{}'),
      await fetch(`${url}/v1/vector/collections`).then(async (answer) => ({ status: answer.status, body: await answer.json() })),
      await fetch(`${url}/api/v1/collections-list`).then(async (answer) => ({ status: answer.status, body: await answer.json() })),
    ]
    const known = await asked(await failing(new MilvusError(800, 'database not found[database=x]')))
    expect(known).toMatchObject([
      { status: 200, body: { code: 800, message: 'database not found[database=x]' } },
      { status: 200, body: { code: 800, message: 'database not found[database=x]' } },
      { status: 200, body: { status: { code: 800, reason: 'database not found[database=x]' } } },
    ])
    const unknown = await asked(await failing(new Error('a bug')))
    expect(unknown).toMatchObject([
      { status: 200, body: { code: 65_535 } },
      { status: 200, body: { code: 65_535 } },
      { status: 500, body: { code: 65_535, error_code: 1 } },
    ])
  })

  it('of paths are 404 and 405, with the methods that there are', async () => {
    const url = await start({})
    const wrong = await fetch(url + LIST)
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST'])
    for (const path of ['/v2/vectordb', '/v2/vectordb/collections', '/v3', '/api/v1', '/%', '/v1/vector/collections/', '/__proto__', '/api/v1/collections/%zz'])
      expect([path, (await fetch(url + path)).status]).toEqual([path, 404])
  })

  it('of calls that are not served say so, on every route that has no handler', async () => {
    const url = await start({})
    for (const path of ['jobs/import/commit', 'segments/describe', 'quotacenter/describe', 'users/list'])
      expect((await post(`${url}/v2/vectordb/${path}`, '{"jobId":1,"segmentIDs":[1]}')).body).toMatchObject({ code: 10, message: expect.stringContaining('not served') as unknown })
  })
})
