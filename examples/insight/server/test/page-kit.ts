/** A page in Chromium before a server whose source a test drives. */
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { createMemoryKV } from '@timetick/kv/memory'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { expect } from 'vitest'
import { createInsight, readAssets, serveInsight, type ActionName, type Insight, type InsightOptions, type InsightSource, type Row, type Served, type Sink, type VectorQuery } from '../src/index.ts'
import { openBrowser } from './browser.ts'

const assets = readAssets(fileURLToPath(new URL('../../web/dist', import.meta.url)))
export const shots = fileURLToPath(new URL('./screenshots', import.meta.url))
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

export class PageSource implements InsightSource {
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

export const collection = (i: number, more: Row = {}): readonly [string, Row] => [
  `default/${449000000000000000n + BigInt(i)}`,
  { id: String(449000000000000000n + BigInt(i)), db: 'default', name: `orders_${String(i).padStart(6, '0')}`, shards: 1, createdTs: '449000000000000000', indexState: 'finished', load: { state: 'loaded', percent: 100 }, stats: { rows: String(i * 10) }, fields: [{ name: 'id', type: 'Int64', pk: true }, { name: 'vec', type: 'FloatVector', dim: '4' }], ...more },
]

let browser: Browser | undefined
export const open: { close(): Promise<void> }[] = []

export async function serve(options: Partial<InsightOptions> & { sources?: Record<string, PageSource>; port?: number } = {}): Promise<{ insight: Insight; served: Served; stop: () => Promise<void> }> {
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

export async function visit(address: string, { base = '', ...options }: BrowserContextOptions & { base?: string } = {}): Promise<Page> {
  const context = await chromium().newContext({ viewport: { width: 1280, height: 900 }, ...options })
  open.push(context)
  const page = await context.newPage()
  await page.clock.install()
  if (process.env['TIMETICK_SLOW'] === '1') await slowDown(page)
  const wrong: string[] = []
  page.on('pageerror', (error) => wrong.push(String(error)))
  page.on('console', (message) => {
    // A call that a stopped server did not answer, in whichever way, is told as what it is.
    if (message.type() === 'error' && !/net::ERR_|WebSocket connection/.test(message.text())) wrong.push(message.text())
  })
  open.push({ close: async () => expect(wrong).toEqual([]) })
  await page.goto(`http://${address}${base}/webui/`)
  return page
}
/** As on a machine that is busy, and a network that stalls: nothing but time may change. */
async function slowDown(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page)
  await session.send('Emulation.setCPUThrottlingRate', { rate: 6 })
  await page.routeWebSocket(/\/ws$/, (socket) => {
    const server = socket.connectToServer()
    let last = Promise.resolve()
    // In their order, each up to 300 ms later than the one before.
    server.onMessage((message) => {
      last = last.then(() => new Promise((resolve) => setTimeout(resolve, Math.random() * 300))).then(() => socket.send(message))
    })
  })
}

/** Stops time in the page, so that what it shows for a while stays. `page.clock` moves it. */
export async function stopTime(page: Page): Promise<void> {
  await page.clock.pauseAt((await page.evaluate<number>('Date.now()')) + 15_000)
}

export const badge = (page: Page) => page.locator('.badge').innerText()
/** The feed as it is now: other events come in between, whoever made them. */
export const feed = (page: Page) => page.locator('.feed').innerText()
/** Opens a collection from the list: the feed has buttons of the same name, and moves. */
export const openCollection = (page: Page, name: string) => page.locator('#collections tbody button.name', { hasText: name }).click()
export const names = (page: Page) => page.locator('#collections tbody button.name').allInnerTexts()

export async function complaints(page: Page): Promise<string[]> {
  await page.evaluate(axe)
  const result = await page.evaluate('axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21aa"] })')
  return (result as { violations: { id: string; impact: string; nodes: { html: string }[] }[] }).violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)
}

export function chromium(): Browser {
  if (browser === undefined) throw new Error('the browser is not open')
  return browser
}

export async function openPages(): Promise<void> {
  if (assets === undefined) throw new Error('the page is not built')
  mkdirSync(shots, { recursive: true })
  browser = await openBrowser()
}

export const closePages = async (): Promise<void> => browser?.close()

export async function closeOpened(): Promise<void> {
  for (const one of open.splice(0).toReversed()) await one.close()
}
