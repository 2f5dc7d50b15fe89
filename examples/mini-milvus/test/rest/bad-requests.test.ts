import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRestHandler, routes } from '../../src/rest/index.ts'
import type { Gate } from '../../src/server/handlers.ts'
import { MilvusError } from '../../src/server/status.ts'
import { serve } from '../server/helpers.ts'
import { callWithSamples } from './samples.ts'
import { openTestNode, type TestNode } from '../server/node.ts'

let node: TestNode
beforeAll(async () => {
  node = await openTestNode()
})
afterAll(() => node.close())

async function post(path: string, body: unknown, headers: Record<string, string> = {}) {
  const raw = typeof body === 'string' ? body : JSON.stringify(body)
  const response = await fetch(`http://${node.address}/v2/vectordb/${path}`, { method: 'POST', body: raw, headers })
  return { status: response.status, body: (await response.json()) as { readonly code: number; readonly message?: string } }
}

describe('bad requests over REST', () => {
  it('answers each with its code', async () => {
    expect((await post('collections/describe', {})).body).toMatchObject({
      code: 1802,
      message: expect.stringContaining('collectionName') as unknown,
    })
    expect((await post('collections/describe', '')).body).toMatchObject({ code: 1801 })
    expect((await post('collections/describe', '{"collectionName":')).body).toMatchObject({ code: 1801 })
    expect((await post('collections/describe', { collectionName: 5 })).body).toMatchObject({ code: 1803 })
    expect((await post('collections/describe', { collectionName: 'nope' })).body).toMatchObject({ code: 100 })
    expect((await post('collections/create', { collectionName: 'x' })).body).toMatchObject({
      code: 1802,
      message: expect.stringContaining('dimension') as unknown,
    })
    expect((await post('collections/create', { collectionName: 'x', dimension: 1 })).body).toMatchObject({ code: 1100 })
    expect(
      (await post('collections/create', { collectionName: 'x', schema: { fields: [{ fieldName: 'a', dataType: 'int64' }] } })).body,
    ).toMatchObject({ code: 1803 })
    expect(
      (await post('collections/create', { collectionName: 'x', schema: { fields: [{ fieldName: 'a', dataType: 'toString' }] } })).body,
    ).toMatchObject({ code: 1803 })
    expect((await post('collections/no_such', {})).status).toBe(404)
    expect((await fetch(`http://${node.address}/`)).status).toBe(404)
    expect((await fetch(`http://${node.address}/v2/vectordb/collections/list`)).status).toBe(405)
    expect((await post('collections/list', 'x', { 'content-encoding': 'gzip' })).status).toBe(415)
    expect(node.log).toEqual([])
  })

  it('refuses a body beyond its limit, announced or not', async () => {
    const { listener, address } = await serve({}, {}, createRestHandler({ handlers: {}, limits: { maxReceiveBytes: 1000 } }))
    const url = `http://${address}/v2/vectordb/collections/list`
    expect((await fetch(url, { method: 'POST', body: `{"a":"${'x'.repeat(2000)}"}` })).status).toBe(413)
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let i = 0; i < 20; i++) controller.enqueue(new Uint8Array(100))
        controller.close()
      },
    })
    expect((await fetch(url, { method: 'POST', body: stream, duplex: 'half' })).status).toBe(413)
    expect(await (await fetch(url, { method: 'POST', body: '{}' })).json()).toMatchObject({ code: 10 })
    await listener.close()
  })

  it('passes every route through the gate', async () => {
    const denied: string[] = []
    const authorize: Gate = {
      identify: () => undefined,
      authorize(rpc) {
        denied.push(rpc)
        throw new MilvusError(1401, 'not permitted')
      },
    }
    const guarded = await openTestNode({}, {}, { authorize })
    for (const route of routes) {
      const { status, body } = await callWithSamples(guarded.address, route)
      expect([route.method, route.path, status, body.code ?? (body.status as { code?: number } | undefined)?.code]).toEqual([route.method, route.path, 403, 1401])
    }
    expect(denied.length).toBeGreaterThanOrEqual(routes.length)
    await guarded.close()
  })

  it('reports health', async () => {
    const response = await fetch(`http://${node.address}/healthz`)
    expect([response.status, await response.text()]).toEqual([200, 'OK'])
    const sick = await openTestNode({ health: () => ({ healthy: false, reasons: ['query node: lagging'] }) })
    const answer = await fetch(`http://${sick.address}/healthz`, { headers: { 'content-type': 'application/json' } })
    expect([answer.status, await answer.json()]).toMatchObject([500, { detail: ['query node: lagging'] }])
    await sick.close()
  })
})
