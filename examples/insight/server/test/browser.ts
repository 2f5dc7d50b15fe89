/** Debian's Chromium, where it is. */
import { existsSync } from 'node:fs'
import { chromium, type Browser } from 'playwright-core'

const executablePath = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'
export const hasBrowser = existsSync(executablePath)
/** CI must have one. */
export const needsBrowser = process.env['REQUIRE_BROWSER'] === '1' || process.env['REQUIRE_SERVICES'] === '1'

export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'],
  })
}
