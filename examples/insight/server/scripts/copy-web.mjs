/** Puts the built page beside the built server, each file compressed as well: nothing is compressed while it is served. */
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, gzipSync } from 'node:zlib'

const from = fileURLToPath(new URL('../../web/dist', import.meta.url))
const to = fileURLToPath(new URL('../dist/web', import.meta.url))
if (!existsSync(from)) throw new Error('the page is not built: run `npm run build` at the root')
rmSync(to, { recursive: true, force: true })
cpSync(from, to, { recursive: true })
for (const name of readdirSync(to, { recursive: true })) {
  if (!/\.(html|js|css|svg|json)$/.test(name)) continue
  const file = path.join(to, name)
  const body = readFileSync(file)
  writeFileSync(`${file}.br`, brotliCompressSync(body))
  writeFileSync(`${file}.gz`, gzipSync(body, { level: 9 }))
}
