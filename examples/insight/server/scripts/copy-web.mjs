/** Puts the built page beside the built server. */
import { cpSync, existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const from = fileURLToPath(new URL('../../web/dist', import.meta.url))
if (!existsSync(from)) throw new Error('the page is not built: run `npm run build` at the root')
cpSync(from, fileURLToPath(new URL('../dist/web', import.meta.url)), { recursive: true })
