import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { createHealthHandler, renderMetrics } from '../src/http.ts'
import { FakeComponent, live, registered } from './helpers.ts'

async function serve(handler: ReturnType<typeof createHealthHandler>): Promise<{ get: (path: string, init?: RequestInit) => Promise<[number, string]>; close: () => void }> {
  const server = createServer((req, res) => void (handler(req, res) || res.writeHead(404).end('other')))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const get = async (path: string, init: RequestInit = {}): Promise<[number, string]> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init)
    return [response.status, await response.text()]
  }
  return { get, close: () => (server.closeAllConnections(), void server.close()) }
}

describe('health over HTTP', () => {
  it('keeps liveness, readiness and start-up apart', async () => {
    const parts = registered({ restart: { maxRestarts: 0 } })
    let fenced = false
    const { get, close } = await serve(createHealthHandler({ watchdog: parts.dog, ready: { session: () => !fenced, broken: () => true } }))
    expect(await get('/livez')).toEqual([200, 'ok\n'])
    expect(await get('/startupz')).toEqual([503, 'a has not started\n'])
    expect(await get('/readyz')).toEqual([503, 'a is starting, says nothing\n'])
    await live(parts, 'a', 400)
    expect((await get('/startupz'))[0]).toBe(200)
    expect((await get('/readyz?x=1'))[0]).toBe(200)
    expect(await get('/healthz')).toEqual([200, 'OK'])
    fenced = true
    expect(await get('/readyz')).toEqual([503, 'session says no\n'])
    expect((await get('/livez'))[0]).toBe(200)
    parts.beat('a', 'unhealthy')
    expect(await get('/healthz')).toEqual([500, 'Not all components are healthy, 0/1'])
    const [, json] = await get('/healthz', { headers: { 'content-type': 'application/json' } })
    expect(JSON.parse(json)).toEqual({ state: 'Not all components are healthy, 0/1', detail: [{ name: 'a', code: 'Abnormal' }] })
    await parts.clock.advance(200)
    expect(await get('/livez')).toEqual([503, 'a was given up\n'])
    expect((await get('/startupz'))[0]).toBe(200)
    expect((await get('/livez', { method: 'POST' }))[0]).toBe(405)
    expect(await get('/livez', { method: 'HEAD' })).toEqual([503, ''])
    expect(await get('/toString')).toEqual([404, 'other'])
    close()
    await parts.dog.close()
  })

  it('gives metrics, escaped and bounded', async () => {
    const parts = registered()
    parts.dog.register(new FakeComponent('we"ird\\\n'))
    await live(parts, 'a', 200)
    const text = renderMetrics(parts.dog)
    expect(text).toContain('timetick_watchdog_components{phase="up"} 1\n')
    expect(text).toContain('timetick_watchdog_beats_total{id="a"} 1\n')
    expect(text).toContain('timetick_watchdog_healthy{id="we\\"ird\\\\\\n"} 0\n')
    expect(renderMetrics(parts.dog, { maxSeries: 0 })).not.toContain('id=')
    expect(() => renderMetrics(parts.dog, { prefix: 'a b' })).toThrow(RangeError)
    await parts.dog.close()
  })
})
