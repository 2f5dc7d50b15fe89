/** S18: what the page of insight on a node's second port tells browsers, and which callers it refuses. */
import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestNode, type TestNode } from './support.ts'

const API = '/insight/v1/clusters/local/collections'
const SOCKET = '/insight/v1/ws'
let test: TestNode
beforeAll(async () => {
  test = await startTestNode({ inMemory: true, metricsPort: 0, parameters: { 'insight.actions': true } })
})
afterAll(() => test?.close())

/** `fetch` sets no Origin and no Host of the caller's choice. */
function ask(path: string, headers: Record<string, string>, method = 'GET', body = ''): Promise<{ readonly status: number | undefined; readonly headers: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    const [host, port] = (test.node.metricsAddress ?? '').split(':')
    const call = request({ host, port, path, method, headers }, (response) => {
      response.resume()
      response.once('end', () => resolve({ status: response.statusCode, headers: response.headers }))
    })
    call.once('upgrade', (_response, socket) => {
      socket.destroy()
      resolve({ status: 101, headers: {} })
    })
    call.once('error', (error: Error & { code?: string }) => (error.code === 'ECONNRESET' ? resolve({ status: 0, headers: {} }) : reject(error)))
    call.end(body)
  })
}

describe('S18: the page', () => {
  it('S18: runs no script but its own, lies in no frame, and is of the type that it says', async () => {
    const { status, headers } = await ask(API, {})
    expect(status).toBe(200)
    const policy = String(headers['content-security-policy'])
    expect(policy).toContain("default-src 'self'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(/script-src[^;]*unsafe/.test(policy)).toBe(false)
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' })
    expect(headers['access-control-allow-origin']).toBeUndefined()
  })

  it('S18: pages of other sites, and names that are none of this machine, get nothing', async () => {
    const own = test.node.metricsAddress ?? ''
    for (const headers of [{ Origin: 'https://elsewhere.example' }, { Origin: 'null' }, { Host: 'elsewhere.example' }] as Record<string, string>[]) {
      const { status } = await ask(API, headers)
      expect([400, 403, 404, 421]).toContain(status)
    }
    const upgrade = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Protocol': 'insight.v1', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' }
    expect((await ask(SOCKET, { ...upgrade, Host: own, Origin: `http://${own}` })).status).toBe(101)
    expect((await ask(SOCKET, { ...upgrade, Host: own, Origin: 'https://elsewhere.example' })).status).not.toBe(101)
  })
})
