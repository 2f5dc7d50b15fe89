/** The page of insight in Chromium, for rows that are about what a reader sees. */
import { existsSync } from 'node:fs'
import { load, Skip } from '../measure.mjs'

const executablePath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium'

export async function openPage(address) {
  if (!existsSync(executablePath)) throw new Skip('there is no Chromium')
  const { chromium } = await load('playwright-core')
  const browser = await chromium.launch({ executablePath, args: [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking'] })
  const page = await browser.newPage()
  await page.goto(`http://${address}/webui/`)
  return { browser, page }
}

/** From the start of the navigation until the first row is there, ms. */
export async function firstRow(address) {
  const { browser, page } = await openPage(address)
  try {
    await page.waitForSelector('#collections tbody tr')
    return await page.evaluate('performance.now()')
  } finally {
    await browser.close()
  }
}

/** From a change to the picture that shows it, by the one clock of this machine, ms each. */
export async function changesToPage(address, { changes, everyMs, change }) {
  const { browser, page } = await openPage(address)
  try {
    await page.waitForSelector('#collections tbody tr')
    await page.evaluate(`window.seen = {}; new MutationObserver(() => { const name = document.querySelector('#collections tbody tr').innerText.match(/loading (\\d+) %/)?.[1]; if (name !== undefined) window.seen[name] ??= Date.now() }).observe(document.querySelector('#collections tbody'), { subtree: true, childList: true, characterData: true })`)
    const sentAt = []
    for (let i = 0; i < changes; i += 1) {
      sentAt.push(Date.now())
      change(i)
      await new Promise((resolve) => setTimeout(resolve, everyMs))
    }
    const seen = await page.evaluate('window.seen')
    return sentAt.flatMap((at, i) => (seen[i] === undefined ? [] : [seen[i] - at]))
  } finally {
    await browser.close()
  }
}

/** Heap of the tab after all garbage is gone, MB, and the share of a processor that it takes while little happens, %. */
export async function tabCost(address, { busy, idleMs }) {
  const { browser, page } = await openPage(address)
  try {
    await page.waitForSelector('#collections tbody tr')
    const session = await page.context().newCDPSession(page)
    await session.send('Performance.enable', { timeDomain: 'threadTicks' })
    const taskSeconds = async () => (await session.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'TaskDuration').value
    await busy()
    await new Promise((resolve) => setTimeout(resolve, 1000))
    const before = await taskSeconds()
    const begin = performance.now()
    await new Promise((resolve) => setTimeout(resolve, idleMs))
    const idlePercent = ((await taskSeconds()) - before) * 1e5 / (performance.now() - begin)
    await session.send('HeapProfiler.collectGarbage')
    const { usedSize } = await session.send('Runtime.getHeapUsage')
    return { heapMb: usedSize / 2 ** 20, idlePercent }
  } finally {
    await browser.close()
  }
}
