/** What people asked for of a page like this: the wishes of U44 by their numbers. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { hasBrowser, needsBrowser } from './browser.ts'
import { closeOpened, closePages, collection, names, openCollection, openPages, PageSource, serve, stopTime, visit } from './page-kit.ts'

describe.skipIf(!hasBrowser && !needsBrowser)('wishes', () => {
  beforeAll(openPages, 60_000)
  afterAll(closePages)
  afterEach(closeOpened)

  test('U44 wish 15: dynamic fields of every row are shown, and long text whole when one asks', async () => {
    const source = new PageSource([collection(1)])
    const long = `begins ${'and goes on '.repeat(500)}to its end`
    Object.assign(source, { search: async () => ({ rows: [{ id: '9007199254740993', score: 0.5 }, { id: '8', score: 0.75, colour: 'red', 'a.b': 'dotted', tags: { deep: [1] } }, { id: '9', score: 1, story: long }] }) })
    const { served } = await serve({ sources: { dev: source } })
    const page = await visit(served.address)
    await openCollection(page, 'orders_000001')
    const dialog = page.locator('dialog')
    await dialog.getByLabel('Vector, or key of a row').fill('[1, 2, 3, 4]')
    await dialog.getByRole('button', { name: 'Search' }).click()
    const nearest = dialog.locator('table', { hasText: 'Nearest' })
    await nearest.waitFor()
    expect(await nearest.locator('th').allInnerTexts()).toEqual(['id', 'score', 'colour', 'a.b', 'tags', 'story', 'more'])
    const text = await nearest.innerText()
    for (const part of ['9007199254740993', 'red', 'dotted', '{"deep":[1]}']) expect(text).toContain(part)
    expect(text).not.toContain('to its end')
    await nearest.locator('summary').focus()
    await page.keyboard.press('Enter')
    await expect.poll(() => nearest.innerText()).toContain('to its end')
    expect(await page.evaluate('document.querySelector("dialog").scrollWidth <= innerWidth')).toBe(true)
  })

  test.each(['with', 'without'] as const)('U44 wish 18: ids are copied, exactly, %s the clipboard that browsers keep from most pages', async (clipboard) => {
    const { served } = await serve({ sources: { dev: new PageSource([collection(7)]) } })
    const page = await visit(served.address, { permissions: ['clipboard-read', 'clipboard-write'] })
    if (clipboard === 'without') await page.evaluate('Object.defineProperty(window, "isSecureContext", { value: false })')
    await expect.poll(() => names(page)).toHaveLength(1)
    await stopTime(page)
    await page.locator('#collections').getByRole('button', { name: '449000000000000007' }).click()
    await page.locator('#collections .copy[data-said=copied]').waitFor()
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe('449000000000000007')
    await page.clock.resume()
    await openCollection(page, 'orders_000007')
    await page.locator('dialog dl').waitFor()
    await stopTime(page)
    await page.locator('dialog dl').getByRole('button', { name: '449000000000000007' }).click()
    await page.locator('dialog dl .copy[data-said=copied]').waitFor()
    await page.locator('dialog summary', { hasText: 'JSON' }).click()
    await page.locator('dialog').getByRole('button', { name: 'Copy as JSON' }).click()
    await page.locator('dialog details .copy[data-said=copied]').waitFor()
    expect(JSON.parse(await page.evaluate<string>('navigator.clipboard.readText()'))).toMatchObject({ collection: { id: '449000000000000007' } })
  })
})
