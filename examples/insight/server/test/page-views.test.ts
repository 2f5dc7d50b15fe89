/** The page for those who cannot use it as most do, and when not all is well. */
import { createServer, request as ask, type IncomingMessage } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import path from 'node:path'
import { createMemoryKV } from '@timetick/kv/memory'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { hasBrowser, needsBrowser } from './browser.ts'
import { badge, closeOpened, closePages, collection, complaints, names, open, openCollection, openPages, PageSource, serve, shots, visit } from './page-kit.ts'

/** What has the focus, as one would name it. */
const focused = (page: Page) => page.evaluate<string>('(document.activeElement?.textContent || document.activeElement?.id || document.activeElement?.tagName || "").trim()')
const isWide = (page: Page) => page.evaluate<boolean>('document.documentElement.scrollWidth > document.documentElement.clientWidth')

/** A proxy that puts `/deep/insight` before every path, and takes it away again. */
async function startProxy(target: string): Promise<string> {
  const [host = '', port = ''] = target.split(':')
  const below = (request: IncomingMessage): string => (request.url ?? '/').replace(/^\/deep\/insight/, '')
  const headersOf = (request: IncomingMessage) => ({ ...request.headers, host: target, ...(request.headers.origin === undefined ? {} : { origin: `http://${target}` }) })
  const server = createServer((request, response) => {
    if (!(request.url ?? '').startsWith('/deep/insight/')) return void response.writeHead(404).end()
    const onward = ask({ host, port, path: below(request), method: request.method, headers: headersOf(request) }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    request.pipe(onward)
  })
  server.on('upgrade', (request, socket, head) => {
    const onward = connect(Number(port), host, () => {
      const lines = Object.entries(headersOf(request)).map(([name, value]) => `${name}: ${String(value)}`)
      onward.write(`GET ${below(request)} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
      onward.write(head)
      onward.pipe(socket)
      socket.pipe(onward)
    })
    onward.on('error', () => socket.destroy())
    socket.on('error', () => onward.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push({ close: () => new Promise((resolve) => (server.close(() => resolve()), server.closeAllConnections())) })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe.skipIf(!hasBrowser && !needsBrowser)('the page, whoever uses it and whatever goes wrong', () => {
  beforeAll(openPages, 60_000)
  afterAll(closePages)
  afterEach(closeOpened)

  test('X1 C2 a cluster that is gone after a restart: its last state is shown, stale, with its age; a reload shows it again', async () => {
    const kv = createMemoryKV()
    const first = await serve({ kv, sources: { dev: new PageSource([collection(1), collection(2)]) } })
    await first.stop()
    const gone = new PageSource()
    gone.start = () => Promise.reject(new Error('connection refused'))
    const { served } = await serve({ kv, sources: { dev: gone } })
    const page = await visit(served.address)
    for (let round = 0; round < 2; round++) {
      await expect.poll(() => names(page)).toEqual(['orders_000001', 'orders_000002'])
      await expect.poll(() => badge(page)).toMatch(/Stale (now|\d+ (s|min))/)
      await expect.poll(() => page.locator('.why').innerText()).toContain('connection refused')
      if (round === 0) await page.reload()
    }
    expect(await complaints(page)).toEqual([])
  })

  test('behind a proxy that puts a path before it and takes it away: the page, its files, its calls and its socket', async () => {
    const source = new PageSource([collection(1)])
    const { served } = await serve({ sources: { dev: source } })
    const proxy = await startProxy(served.address)
    const page = await visit(proxy, { base: '/deep/insight' })
    await expect.poll(() => badge(page)).toContain('Live')
    source.sink?.upsert('collection', ...collection(1, { load: { state: 'loading', percent: 7 } }))
    await expect.poll(() => page.locator('#collections tbody').innerText()).toContain('loading 7 %')
    await openCollection(page, 'orders_000001')
    await page.locator('dialog dl').waitFor()
  })

  test('U48 at 200 % zoom nothing is lost and nothing scrolls sideways, lists and dialog', async () => {
    const { served } = await serve({ sources: { dev: new PageSource(Array.from({ length: 5 }, (_, i) => collection(i, { name: `a_name_that_is_long_${'x'.repeat(200)}_${i}` }))) }, actions: true })
    const page = await visit(served.address, { viewport: { width: 640, height: 450 }, deviceScaleFactor: 2 })
    await expect.poll(() => names(page)).toHaveLength(5)
    expect(await isWide(page)).toBe(false)
    for (const name of ['Overview', 'Collections', 'Members', 'Changes']) expect(await page.getByRole('region', { name }).count()).toBe(1)
    await page.locator('#collections tbody button.name').first().click()
    await page.locator('dialog dl').waitFor()
    expect(await page.evaluate('document.querySelector("dialog").scrollWidth <= innerWidth')).toBe(true)
    expect(await page.getByRole('button', { name: 'Close' }).isVisible()).toBe(true)
    expect(await complaints(page)).toEqual([])
    await page.screenshot({ path: path.join(shots, 'zoom.png') })
  })

  test.each(['reduce', 'no-preference'] as const)('a change flashes once, and not for those who want it calm: %s', async (reducedMotion) => {
    const source = new PageSource([collection(1)])
    const { served } = await serve({ sources: { dev: source } })
    const page = await visit(served.address, { reducedMotion })
    await expect.poll(() => names(page)).toHaveLength(1)
    source.sink?.upsert('collection', ...collection(1, { load: { state: 'loading', percent: 5 } }))
    const row = page.locator('#collections tbody tr')
    await expect.poll(() => row.getAttribute('data-flash')).toMatch(/even|odd/)
    const animation = await page.evaluate<string>('getComputedStyle(document.querySelector("#collections tbody tr")).animationName')
    expect(animation).toMatch(reducedMotion === 'reduce' ? /^none$/ : /^changed-/)
  })

  test('U48 by the keyboard alone: skip, sort, open, close where one was, pause', async () => {
    const { served } = await serve({ sources: { dev: new PageSource([collection(1), collection(2)]) } })
    const page = await visit(served.address)
    await expect.poll(() => names(page)).toHaveLength(2)
    await page.keyboard.press('Tab')
    expect(await focused(page)).toBe('To the collections')
    await page.keyboard.press('Enter')
    const seen: string[] = []
    for (let i = 0; i < 60 && !seen.includes('Pause'); i++) {
      await page.keyboard.press('Tab')
      const now = await focused(page)
      if (now === 'Rows ≈') {
        await page.keyboard.press('Enter')
        await expect.poll(() => page.locator('th[aria-sort]').allInnerTexts()).toEqual(['Rows ≈'])
      }
      if (now === 'orders_000002') {
        await page.keyboard.press('Enter')
        await page.locator('dialog h2', { hasText: 'orders_000002' }).waitFor()
        await expect.poll(() => page.evaluate('document.querySelector("dialog").contains(document.activeElement)')).toBe(true)
        await page.keyboard.press('Escape')
        await page.locator('dialog').waitFor({ state: 'detached' })
        await expect.poll(() => focused(page)).toBe('orders_000002')
      }
      seen.push(now)
    }
    for (const stop of ['search', 'Name', 'orders_000001', 'orders_000002', 'Pause']) expect(seen).toContain(stop)
    await page.keyboard.press('Space')
    await expect.poll(() => page.getByRole('button', { name: 'Go on' }).getAttribute('aria-pressed')).toBe('true')
  })

  test('G12 U47 after ten minutes of events the tab holds no more than before: feed, rows and heap are bounded', async () => {
    const source = new PageSource(Array.from({ length: 100 }, (_, i) => collection(i)))
    const { served } = await serve({ sources: { dev: source } })
    const page = await visit(served.address)
    await expect.poll(() => names(page)).toHaveLength(100)
    // Ten a second for ten minutes, as fast as the page takes them; one minute where time is short.
    const events = process.env['TIMETICK_RING'] === 'ci' || process.env['TIMETICK_RING'] === 'soak' ? 6000 : 600
    for (let i = 1; i <= events; i++) {
      source.sink?.upsert('node', 'n1', { name: 'node-1', role: 'standalone', state: 'healthy', version: `v${i}` })
      if (i % 300 === 0) await expect.poll(() => page.locator('.strip').innerText()).toContain(`version v${i}`)
    }
    expect(await page.locator('.feed li').count()).toBeLessThanOrEqual(300)
    expect(await page.locator('*').count()).toBeLessThan(6000)
    const session = await page.context().newCDPSession(page)
    await session.send('HeapProfiler.collectGarbage')
    const { usedSize } = (await session.send('Runtime.getHeapUsage')) as { usedSize: number }
    expect(usedSize / 2 ** 20).toBeLessThanOrEqual(40)
  })
})
