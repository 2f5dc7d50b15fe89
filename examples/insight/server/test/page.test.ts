import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { hasBrowser, needsBrowser } from './browser.ts'
import { badge, chromium, closeOpened, closePages, collection, complaints, feed, names, open, openCollection, openPages, PageSource, serve, shots, stopTime, visit } from './page-kit.ts'
import { portOfItsOwn } from './port.ts'

describe.skipIf(!hasBrowser && !needsBrowser)('the page in Chromium', () => {
  beforeAll(openPages, 60_000)
  afterAll(closePages)
  afterEach(closeOpened)

  test('U45 a new collection appears, loads, changes and goes, without a reload', async () => {
    const source = new PageSource()
    const { served } = await serve({ sources: { dev: source } })
    const page = await visit(served.address)
    await expect.poll(() => badge(page)).toContain('Live')
    await page.getByText('No collection yet').waitFor()
    await expect.poll(() => page.locator('#collections .empty').innerText()).toContain('127.0.0.1:19530')
    await page.screenshot({ path: path.join(shots, 'empty.png') })
    const [key, row] = collection(1, { load: { state: 'loading', percent: 40 } })
    source.sink?.upsert('collection', key, row)
    await expect.poll(() => names(page)).toEqual(['orders_000001'])
    await expect.poll(() => page.locator('#collections tbody').innerText()).toContain('loading 40 %')
    source.sink?.upsert('collection', key, { ...row, load: { state: 'loaded', percent: 100 } })
    await expect.poll(() => page.locator('#collections .state[data-state=loaded]').count()).toBe(1)
    await expect.poll(() => feed(page)).toContain('load.changed')
    source.sink?.drop('collection', key)
    await expect.poll(() => names(page)).toEqual([])
  })

  test('the server goes and comes back: the page says so, and goes on by itself', async () => {
    const source = new PageSource([collection(1)])
    const port = await portOfItsOwn()
    const first = await serve({ sources: { dev: source }, port })
    const page = await visit(first.served.address)
    await expect.poll(() => names(page)).toEqual(['orders_000001'])
    await first.stop()
    await expect.poll(() => badge(page)).toContain('Offline')
    expect(await names(page)).toEqual(['orders_000001'])
    await page.screenshot({ path: path.join(shots, 'stale.png') })
    await serve({ sources: { dev: new PageSource([collection(1), collection(2)]) }, port })
    await expect.poll(() => badge(page)).toContain('Live')
    await expect.poll(() => names(page)).toEqual(['orders_000001', 'orders_000002'])
  })

  test('S1 G4 100,000 collections: search and sort are the server’s, and few rows are on the page', async () => {
    const { served } = await serve({ sources: { dev: new PageSource(Array.from({ length: 100_000 }, (_, i) => collection(i))) } })
    const page = await visit(served.address)
    await expect.poll(() => names(page).then((list) => list.length)).toBe(100)
    await page.screenshot({ path: path.join(shots, 'many.png') })
    await page.keyboard.press('/')
    await page.keyboard.type('ORDERS_0999')
    await expect.poll(() => page.locator('.pages').innerText()).toMatch(/1–100 of 100$/m)
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

  test('C2 two clusters with the same names do not mix, behind a proxy’s path too', async () => {
    const { served } = await serve({ basePath: '/deep/milvus', sources: { dev: new PageSource([collection(1)]), prod: new PageSource([collection(2)]) } })
    const page = await visit(served.address, { base: '/deep/milvus' })
    await expect.poll(() => names(page)).toEqual(['orders_000001'])
    await page.locator('.strip select').selectOption('prod')
    await expect.poll(() => names(page)).toEqual(['orders_000002'])
    await expect.poll(() => feed(page)).toContain('orders_000002')
    expect(await feed(page)).not.toContain('orders_000001')
  })

  test('U44 names are text, whatever they hold', async () => {
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

  test('U46 a drawer with details, a vector search, and actions that need a name and ten seconds', async () => {
    const source = new PageSource([collection(3)])
    const { served } = await serve({ sources: { dev: source }, actions: true })
    const page = await visit(served.address)
    await openCollection(page, 'orders_000003')
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
    // Time of the page stands still from here: ten seconds pass when the test says so.
    await stopTime(page)
    await dialog.getByLabel(/to drop it/).fill('orders_000003')
    await dialog.getByRole('button', { name: 'drop' }).click()
    await dialog.getByRole('button', { name: /undo/ }).click()
    await page.clock.runFor(11_000)
    await dialog.getByRole('button', { name: 'drop', exact: true }).click()
    await dialog.getByRole('button', { name: /undo/ }).waitFor()
    await page.clock.runFor(9000)
    expect(source.acts).toEqual(['flush orders_000003'])
    await page.clock.runFor(2000)
    await expect.poll(() => source.acts).toEqual(['flush orders_000003', 'drop orders_000003'])
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
    for (const part of ['1 234', '5.00 MiB', 'flush orders', 'running', 'dml_0', 'Slow calls (1)', '2346', 'nodejs']) await expect.poll(() => members.innerText()).toContain(part)
    await expect.poll(() => members.locator('table', { hasText: 'Staged work' }).innerText()).toMatch(/\d min/)
    source.sink?.upsert('task', 'default/1/flush-1', { name: 'flush orders', type: 'flush', state: 'finished' })
    source.sink?.upsert('watchdog', 'query-node', { name: 'query-node', target: 'query-node', state: 'dead', restarts: 3 })
    source.sink?.upsert('stream', 'dml_0', { name: 'dml_0', state: 'stuck', readers: ['datanode'] })
    await expect.poll(() => members.innerText()).toContain('stuck')
    await expect.poll(() => page.locator('.tile[data-bad=true]').innerText()).toContain('2')
    await expect.poll(() => feed(page)).toContain('flush.finished')
    await expect.poll(() => feed(page)).toContain('timetick.state')
    for (const type of ['rpc.qps{all}', 'rpc.p99{all}', 'timetick.lag{dml_0}', 'stream.lag{dml_0/datanode}', 'queue.waiting{dml}', 'queue.running{dml}', 'staged{rows}']) source.sink?.gauge(type, 7)
    await expect.poll(() => page.getByRole('region', { name: 'Overview' }).innerText()).toMatch(/Calls a second\s+7/)
    for (let i = 0; i < 3; i++) {
      source.sink?.gauge('rpc.qps{all}', 8 + i)
      await expect.poll(() => page.getByRole('region', { name: 'Overview' }).innerText()).toMatch(new RegExp(`Calls a second\\s+${8 + i}`))
    }
    await expect.poll(() => page.locator('.tile svg polyline').count()).toBeGreaterThan(0)
    await expect.poll(() => page.getByRole('region', { name: 'Charts' }).locator('figure').count()).toBeGreaterThanOrEqual(5)
    source.sink?.drop('client', '449')
    await expect.poll(() => members.innerText()).not.toContain('Staged work')
    expect(await complaints(page)).toEqual([])
    await page.screenshot({ path: path.join(shots, 'members.png'), fullPage: true })
  })

  test('W1 what happens while the first rows are on their way is not lost', async () => {
    const source = new PageSource()
    // Rows are taken when the page asks, and sent two seconds later.
    const { served } = await serve({ sources: { dev: source }, limits: { batchMs: 2000 } })
    const page = await visit(served.address)
    await expect.poll(() => badge(page)).toContain('Live')
    source.sink?.upsert('client', '449', { identifier: 'came-meanwhile', sdk: 'nodejs' })
    const members = page.getByRole('region', { name: 'Members' })
    await expect.poll(() => members.innerText()).toContain('node-1')
    await expect.poll(() => members.innerText()).toContain('came-meanwhile')
  })

  test('U45 a cluster that does not answer is shown as stale, with its age, its rows and why; a change of a row is marked', async () => {
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
    const { insight, served } = await serve({ sources: { dev: source } })
    const page = await visit(served.address)
    await expect.poll(() => names(page)).toEqual(['orders_000001'])
    const [key, row] = collection(1, { load: { state: 'loading', percent: 5 } })
    source.sink?.upsert('collection', key, row)
    await expect.poll(() => page.locator('#collections tbody tr').getAttribute('data-flash')).toMatch(/even|odd/)
    isUp = false
    await expect.poll(() => badge(page)).toContain('Stale')
    await expect.poll(() => page.locator('.why').innerText()).toContain('UNAVAILABLE')
    expect(await names(page)).toEqual(['orders_000001'])
    await page.screenshot({ path: path.join(shots, 'stale-cluster.png') })
    isUp = true
    // By itself it asks again after a pause that has become longer with each failure.
    await insight.clusters.get('dev')?.refresh()
    await expect.poll(() => badge(page)).toContain('Live')
    expect(rounds).toBeGreaterThan(1)
  })

  test('U48 keys: search, rows, help', async () => {
    const { served } = await serve({ sources: { dev: new PageSource([collection(1), collection(2)]) } })
    const page = await visit(served.address)
    await expect.poll(() => names(page)).toHaveLength(2)
    await page.keyboard.press('j')
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.locator('dialog h2', { hasText: 'orders_000002' }).waitFor()
    await page.keyboard.press('Escape')
    await page.locator('dialog').waitFor({ state: 'detached' })
    await page.keyboard.press('?')
    await page.locator('dialog', { hasText: 'search collections' }).waitFor()
  })

  test('a guarded server asks for a login, and foreign pages get nothing', async () => {
    const { served } = await serve({ access: { token: 'secret' }, sources: { dev: new PageSource([collection(1)]) } })
    const context = await chromium().newContext()
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

  test.each(['light', 'dark'] as const)('U48 G12 axe finds nothing serious, %s', async (colorScheme) => {
    const source = new PageSource(Array.from({ length: 30 }, (_, i) => collection(i)))
    const { served } = await serve({ sources: { dev: source } })
    const page = await visit(served.address, { colorScheme })
    await expect.poll(() => names(page)).toHaveLength(30)
    for (let i = 0; i < 3; i++) source.sink?.gauge('timetick.lag{dml_0}', 10 + i)
    await page.locator('figure').waitFor()
    await page.screenshot({ path: path.join(shots, `${colorScheme}.png`), fullPage: true })
    expect(await complaints(page)).toEqual([])
    await openCollection(page, 'orders_000003')
    await page.locator('dialog dl').waitFor()
    expect(await complaints(page)).toEqual([])
  })

  test('U48 a phone shows it without scrolling sideways', async () => {
    const { served } = await serve({ sources: { dev: new PageSource([collection(1)]) } })
    const page = await visit(served.address, { viewport: { width: 320, height: 700 } })
    await expect.poll(() => names(page)).toHaveLength(1)
    await page.screenshot({ path: path.join(shots, 'phone.png'), fullPage: true })
    expect(await page.evaluate('document.documentElement.scrollWidth <= 320')).toBe(true)
    expect(await complaints(page)).toEqual([])
  })
})
