import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { createMemoryKV } from '@timetick/kv/memory'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createInsight, readAssets, serveInsight, type ActionName, type Insight, type InsightOptions, type InsightSource, type Row, type Served, type Sink, type VectorQuery } from '../src/index.ts'
import { hasBrowser, needsBrowser, openBrowser } from './browser.ts'

const assets = readAssets(fileURLToPath(new URL('../../web/dist', import.meta.url)))
const shots = fileURLToPath(new URL('./screenshots', import.meta.url))
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

class PageSource implements InsightSource {
  readonly origin = 'push'
  readonly intervalMs = 60_000
  sink: Sink | undefined
  readonly acts: string[] = []
  readonly searched: VectorQuery[] = []
  readonly #rows: readonly (readonly [string, Row])[]
  constructor(rows: readonly (readonly [string, Row])[] = []) {
    this.#rows = rows
  }
  async start(sink: Sink) {
    this.sink = sink
    sink.upsert('database', 'default', { id: '1', name: 'default' })
    sink.upsert('node', 'n1', { name: 'node-1', role: 'standalone', state: 'healthy', version: 'v2.6.0', address: '127.0.0.1:19530' })
    for (const [key, row] of this.#rows) sink.upsert('collection', key, row)
    return {}
  }
  async refresh() {}
  async stop() {}
  async act(action: ActionName, { collection }: { collection: string }) {
    this.acts.push(`${action} ${collection}`)
  }
  async search(query: VectorQuery) {
    this.searched.push(query)
    return { rows: [{ id: '7', score: 0.25, title: 'nearest' }] }
  }
}

const collection = (i: number, more: Row = {}): readonly [string, Row] => [
  `default/${449000000000000000n + BigInt(i)}`,
  { id: String(449000000000000000n + BigInt(i)), db: 'default', name: `orders_${String(i).padStart(6, '0')}`, shards: 1, createdTs: '449000000000000000', indexState: 'finished', load: { state: 'loaded', percent: 100 }, stats: { rows: String(i * 10) }, fields: [{ name: 'id', type: 'Int64', pk: true }, { name: 'vec', type: 'FloatVector', dim: '4' }], ...more },
]

let browser: Browser
const open: { close(): Promise<void> }[] = []

async function serve(options: Partial<InsightOptions> & { sources?: Record<string, PageSource>; port?: number } = {}): Promise<{ insight: Insight; served: Served; stop: () => Promise<void> }> {
  const { sources = { dev: new PageSource() }, port = 0, ...rest } = options
  const insight = createInsight({ kv: createMemoryKV(), assets, clusters: Object.entries(sources).map(([id, source], i) => ({ id, address: `127.0.0.1:${19530 + i}`, source: () => source, isPinned: true })), ...rest })
  const served = await serveInsight(insight, { host: '127.0.0.1', port })
  await Promise.all([...insight.clusters].map((cluster) => cluster.connect()))
  let isStopped = false
  const stop = async () => {
    if (isStopped) return
    isStopped = true
    await insight.close()
    await served.close()
  }
  open.push({ close: stop })
  return { insight, served, stop }
}

async function visit(address: string, { base = '', ...options }: BrowserContextOptions & { base?: string } = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  open.push(context)
  const page = await context.newPage()
  const wrong: string[] = []
  page.on('pageerror', (error) => wrong.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error' && !/ERR_CONNECTION|WebSocket connection/.test(message.text())) wrong.push(message.text())
  })
  open.push({ close: async () => expect(wrong).toEqual([]) })
  await page.goto(`http://${address}${base}/webui/`)
  return page
}
const badge = (page: Page) => page.locator('.badge').innerText()
const names = (page: Page) => page.locator('#collections tbody button.name').allInnerTexts()

async function complaints(page: Page): Promise<string[]> {
  await page.evaluate(axe)
  const result = await page.evaluate('axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21aa"] })')
  return (result as { violations: { id: string; impact: string; nodes: { html: string }[] }[] }).violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)
}

describe.skipIf(!hasBrowser && !needsBrowser)('the page in Chromium', () => {
  beforeAll(async () => {
    expect(assets, 'the page is not built').toBeDefined()
    mkdirSync(shots, { recursive: true })
    browser = await openBrowser()
  }, 60_000)
  afterAll(() => browser?.close())
  afterEach(async () => {
    for (const one of open.splice(0).toReversed()) await one.close()
  })

  test('a new collection appears, loads, changes and goes, without a reload', async () => {
    const source = new PageSource()
    const { served } = await serve({ sources: { dev: source } })
    const page = await visit(served.address)
    await expect.poll(() => badge(page)).toContain('Live')
    await page.getByText('No collection yet').waitFor()
    expect(await page.locator('.empty').first().innerText()).toContain('127.0.0.1:19530')
    await page.screenshot({ path: path.join(shots, 'empty.png') })
    const [key, row] = collection(1, { load: { state: 'loading', percent: 40 } })
    source.sink?.upsert('collection', key, row)
    await expect.poll(() => names(page)).toEqual(['orders_000001'])
    expect(await page.locator('#collections tbody').innerText()).toContain('loading 40 %')
    source.sink?.upsert('collection', key, { ...row, load: { state: 'loaded', percent: 100 } })
    await expect.poll(() => page.locator('#collections .state[data-state=loaded]').count()).toBe(1)
    await expect.poll(() => page.locator('.feed li').first().innerText()).toContain('load.changed')
    source.sink?.drop('collection', key)
    await expect.poll(() => names(page)).toEqual([])
  })

  test('the server goes and comes back: the page says so, and goes on by itself', async () => {
    const source = new PageSource([collection(1)])
    const first = await serve({ sources: { dev: source } })
    const page = await visit(first.served.address)
    await expect.poll(() => names(page)).toEqual(['orders_000001'])
    const port = Number(first.served.address.split(':')[1])
    await first.stop()
    await expect.poll(() => badge(page)).toContain('Offline')
    expect(await names(page)).toEqual(['orders_000001'])
    await page.screenshot({ path: path.join(shots, 'stale.png') })
    await serve({ sources: { dev: new PageSource([collection(1), collection(2)]) }, port })
    await expect.poll(() => badge(page), { timeout: 15_000 }).toContain('Live')
    await expect.poll(() => names(page)).toEqual(['orders_000001', 'orders_000002'])
  })

  test('100,000 collections: search and sort are the server’s, and few rows are on the page', async () => {
    const { served } = await serve({ sources: { dev: new PageSource(Array.from({ length: 100_000 }, (_, i) => collection(i))) } })
    const page = await visit(served.address)
    await expect.poll(() => names(page).then((list) => list.length), { timeout: 20_000 }).toBe(100)
    await page.screenshot({ path: path.join(shots, 'many.png') })
    await page.keyboard.press('/')
    await page.keyboard.type('ORDERS_0999')
    await expect.poll(() => page.locator('.pages').innerText()).toContain('1–100 of 100')
    expect(await page.locator('#collections tbody tr').count()).toBeLessThanOrEqual(200)
    await page.getByRole('button', { name: 'Rows ≈' }).click()
    await page.getByRole('button', { name: 'Rows ≈' }).click()
    await expect.poll(() => names(page).then((list) => list[0])).toBe('orders_099999')
    expect(page.url()).toContain('q=ORDERS_0999')
    await page.reload()
    await expect.poll(() => names(page).then((list) => list[0])).toBe('orders_099999')
  })

  test('rows do not jump while one reads: what is new is told, and shown when asked for', async () => {
    const source = new PageSource([collection(5), collection(6)])
    const { served } = await serve({ sources: { dev: source } })
    const page = await visit(served.address)
    await expect.poll(() => names(page)).toHaveLength(2)
    source.sink?.upsert('collection', ...collection(1))
    await page.getByRole('button', { name: /new — show/ }).waitFor()
    expect(await names(page)).toEqual(['orders_000005', 'orders_000006'])
    await page.getByRole('button', { name: /new — show/ }).click()
    await expect.poll(() => names(page)).toEqual(['orders_000001', 'orders_000005', 'orders_000006'])
  })

  test('two clusters with the same names do not mix, behind a proxy’s path too', async () => {
    const { served } = await serve({ basePath: '/deep/milvus', sources: { dev: new PageSource([collection(1)]), prod: new PageSource([collection(2)]) } })
    const page = await visit(served.address, { base: '/deep/milvus' })
    await expect.poll(() => names(page)).toEqual(['orders_000001'])
    await page.locator('.strip select').selectOption('prod')
    await expect.poll(() => names(page)).toEqual(['orders_000002'])
    expect(await page.locator('.feed').innerText()).not.toContain('orders_000001')
  })

  test('names are text, whatever they hold', async () => {
    const hostile = ['<img src=x onerror="window.hacked=1">', '"><script>window.hacked=1</script>', '\u202eevil', 'x'.repeat(255)]
    const { served } = await serve({ sources: { dev: new PageSource(hostile.map((name, i) => collection(i, { name, description: name }))) } })
    const page = await visit(served.address)
    await expect.poll(() => names(page)).toHaveLength(4)
    for (const button of await page.locator('#collections tbody button.name').all()) {
      await button.click()
      await page.locator('dialog dl').waitFor()
      await page.keyboard.press('Escape')
      await page.locator('dialog').waitFor({ state: 'detached' })
    }
    expect(await page.evaluate('window.hacked')).toBeUndefined()
    const width = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
    expect(width).toBe(0)
  })

  test('a drawer with details, a vector search, and actions that need a name and ten seconds', async () => {
    const source = new PageSource([collection(3)])
    const { served } = await serve({ sources: { dev: source }, actions: true })
    const page = await visit(served.address)
    await page.getByRole('button', { name: 'orders_000003' }).first().click()
    const dialog = page.locator('dialog')
    await dialog.getByText('Fields (2)').waitFor()
    await dialog.getByLabel('Vector, or key of a row').fill('[1, 2, 3, 4]')
    await dialog.getByLabel('Filter').fill('id > 3')
    await dialog.getByRole('button', { name: 'Search' }).click()
    await dialog.getByText('nearest', { exact: true }).waitFor()
    expect(source.searched).toHaveLength(1)
    await dialog.getByRole('button', { name: 'similar' }).click()
    await expect.poll(() => source.searched.map(({ vector }) => vector)).toEqual([[1, 2, 3, 4], '7'])
    expect(source.searched.slice(0, 1)).toMatchObject([{ collection: 'orders_000003', vector: [1, 2, 3, 4], filter: 'id > 3' }])
    await page.screenshot({ path: path.join(shots, 'drawer.png') })
    await dialog.getByRole('button', { name: 'flush' }).click()
    await expect.poll(() => source.acts).toEqual(['flush orders_000003'])
    expect(await dialog.getByRole('button', { name: 'drop' }).isDisabled()).toBe(true)
    await dialog.getByLabel(/to drop it/).fill('orders_000003')
    await dialog.getByRole('button', { name: 'drop' }).click()
    await dialog.getByRole('button', { name: /undo/ }).click()
    await page.waitForTimeout(200)
    expect(source.acts).toEqual(['flush orders_000003'])
  })

  test('who is there and what they do: staged work, tasks, log channels, slow calls, watchdogs; numbers with their last minutes', async () => {
    const source = new PageSource([collection(1)])
    const { served } = await serve({ sources: { dev: source } })
    const page = await visit(served.address)
    await expect.poll(() => badge(page)).toContain('Live')
    const now = Date.now()
    source.sink?.upsert('client', '449', { identifier: '449', sdk: 'nodejs', version: '3.0.6', host: 'h', user: 'root', connectedAt: now, lastActive: now, staged: { rows: 1234, deletes: 2, bytes: 5 * 2 ** 20, spilledBytes: 0, since: now - 65_000, collections: ['1'] } })
    source.sink?.upsert('task', 'default/1/flush-1', { name: 'flush orders', type: 'flush', state: 'running' })
    source.sink?.upsert('stream', 'dml_0', { name: 'dml_0', state: 'ok', readers: ['datanode', 'querynode'] })
    source.sink?.upsert('watchdog', 'query-node', { name: 'query-node', target: 'query-node', state: 'ok', restarts: 0 })
    source.sink?.upsert('slowRequest', 's1', { method: 'Search', db: 'default', coll: 'orders', durMs: 2345.6, ts: now })
    const members = page.getByRole('region', { name: 'Members' })
    await expect.poll(() => members.innerText()).toContain('Staged work (1)')
    const text = await members.innerText()
    for (const part of ['1 234', '5.00 MiB', '1 min', 'flush orders', 'running', 'dml_0', 'Slow calls (1)', '2346', 'nodejs']) expect(text).toContain(part)
    source.sink?.upsert('task', 'default/1/flush-1', { name: 'flush orders', type: 'flush', state: 'finished' })
    source.sink?.upsert('watchdog', 'query-node', { name: 'query-node', target: 'query-node', state: 'dead', restarts: 3 })
    source.sink?.upsert('stream', 'dml_0', { name: 'dml_0', state: 'stuck', readers: ['datanode'] })
    await expect.poll(() => members.innerText()).toContain('stuck')
    await expect.poll(() => page.locator('.tile[data-bad=true]').innerText()).toContain('2')
    await expect.poll(() => page.locator('.feed').innerText()).toContain('flush.finished')
    expect(await page.locator('.feed').innerText()).toContain('timetick.state')
    for (const type of ['rpc.qps{all}', 'rpc.p99{all}', 'timetick.lag{dml_0}', 'stream.lag{dml_0/datanode}', 'queue.waiting{dml}', 'queue.running{dml}', 'staged{rows}']) source.sink?.gauge(type, 7)
    await expect.poll(() => page.getByRole('region', { name: 'Overview' }).innerText(), { timeout: 10_000 }).toMatch(/Calls a second\s+7/)
    for (let i = 0; i < 3; i++) {
      source.sink?.gauge('rpc.qps{all}', 8 + i)
      await expect.poll(() => page.getByRole('region', { name: 'Overview' }).innerText(), { timeout: 10_000 }).toMatch(new RegExp(`Calls a second\\s+${8 + i}`))
    }
    expect(await page.locator('.tile svg polyline').count()).toBeGreaterThan(0)
    expect(await page.getByRole('region', { name: 'Charts' }).locator('figure').count()).toBeGreaterThanOrEqual(5)
    source.sink?.drop('client', '449')
    await expect.poll(() => members.innerText()).not.toContain('Staged work')
    expect(await complaints(page)).toEqual([])
    await page.screenshot({ path: path.join(shots, 'members.png'), fullPage: true })
  })

  test('a cluster that does not answer is shown as stale, with its age, its rows and why; a change of a row is marked', async () => {
    let isUp = true
    let rounds = 0
    const source = new PageSource([collection(1)])
    Object.assign(source, {
      intervalMs: 300,
      refresh: async () => {
        rounds++
        if (!isUp) throw new Error('14 UNAVAILABLE: connection refused')
      },
    })
    const { served } = await serve({ sources: { dev: source } })
    const page = await visit(served.address)
    await expect.poll(() => names(page)).toEqual(['orders_000001'])
    const [key, row] = collection(1, { load: { state: 'loading', percent: 5 } })
    source.sink?.upsert('collection', key, row)
    await expect.poll(() => page.locator('#collections tbody tr').getAttribute('data-flash')).toMatch(/even|odd/)
    isUp = false
    await expect.poll(() => badge(page), { timeout: 15_000 }).toContain('Stale')
    expect(await page.locator('.why').innerText()).toContain('UNAVAILABLE')
    expect(await names(page)).toEqual(['orders_000001'])
    await page.screenshot({ path: path.join(shots, 'stale-cluster.png') })
    isUp = true
    await expect.poll(() => badge(page), { timeout: 20_000 }).toContain('Live')
    expect(rounds).toBeGreaterThan(1)
  })

  test('keys: search, rows, help', async () => {
    const { served } = await serve({ sources: { dev: new PageSource([collection(1), collection(2)]) } })
    const page = await visit(served.address)
    await expect.poll(() => names(page)).toHaveLength(2)
    await page.keyboard.press('j')
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.locator('dialog h2', { hasText: 'orders_000002' }).waitFor()
    await page.keyboard.press('Escape')
    await page.keyboard.press('?')
    await page.locator('dialog', { hasText: 'search collections' }).waitFor()
  })

  test('a guarded server asks for a login, and foreign pages get nothing', async () => {
    const { served } = await serve({ access: { token: 'secret' }, sources: { dev: new PageSource([collection(1)]) } })
    const context = await browser.newContext()
    open.push(context)
    const page = await context.newPage()
    await page.goto(`http://${served.address}/webui/`)
    await page.getByLabel('Password or token').fill('secret')
    await page.getByRole('button', { name: 'Enter' }).click()
    await expect.poll(() => names(page)).toEqual(['orders_000001'])
    const other = await serve({})
    const foreign = await context.newPage()
    await foreign.goto(`http://${other.served.address}/healthz`)
    const outcome = await foreign.evaluate(`fetch('http://${served.address}/insight/v1/clusters', { headers: { authorization: 'Bearer secret' } }).then(() => 'read', () => 'refused')`)
    expect(outcome).toBe('refused')
  })

  test.each(['light', 'dark'] as const)('axe finds nothing serious, %s', async (colorScheme) => {
    const source = new PageSource(Array.from({ length: 30 }, (_, i) => collection(i)))
    const { served } = await serve({ sources: { dev: source } })
    const page = await visit(served.address, { colorScheme })
    await expect.poll(() => names(page)).toHaveLength(30)
    for (let i = 0; i < 3; i++) source.sink?.gauge('timetick.lag{dml_0}', 10 + i)
    await page.locator('figure').waitFor()
    await page.screenshot({ path: path.join(shots, `${colorScheme}.png`), fullPage: true })
    expect(await complaints(page)).toEqual([])
    await page.getByRole('button', { name: 'orders_000003' }).first().click()
    await page.locator('dialog dl').waitFor()
    expect(await complaints(page)).toEqual([])
  })

  test('a phone shows it without scrolling sideways', async () => {
    const { served } = await serve({ sources: { dev: new PageSource([collection(1)]) } })
    const page = await visit(served.address, { viewport: { width: 320, height: 700 } })
    await expect.poll(() => names(page)).toHaveLength(1)
    await page.screenshot({ path: path.join(shots, 'phone.png'), fullPage: true })
    expect(await page.evaluate('document.documentElement.scrollWidth <= 320')).toBe(true)
    expect(await complaints(page)).toEqual([])
  })
})
