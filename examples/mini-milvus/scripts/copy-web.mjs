// Puts the page of insight beside the program.
import { cpSync, existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const from = path.join(path.dirname(createRequire(import.meta.url).resolve('timetick-insight/package.json')), 'dist/web')
if (!existsSync(from)) throw new Error('the page is not built: run `npm run build` at the root')
cpSync(from, fileURLToPath(new URL('../dist/web', import.meta.url)), { recursive: true })
