import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request, type IncomingHttpHeaders } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib'
import { createMemoryKV } from '@timetick/kv/memory'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readAssets } from '../src/edge/assets.ts'
import { createInsight, serveInsight, type Insight, type Served } from '../src/index.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'insight-assets-'))
const script = 'console.log(1)\n'.repeat(100)
let insight: Insight
let served: Served
beforeAll(async () => {
  mkdirSync(path.join(folder, 'assets'))
  const put = (name: string, body: string | Uint8Array) => writeFileSync(path.join(folder, name), body)
  put('index.html', '<p>page</p>')
  put('assets/a.js', script)
  put('assets/a.js.br', brotliCompressSync(script))
  put('assets/a.js.gz', gzipSync(script))
  insight = createInsight({ kv: createMemoryKV(), clusters: [], assets: readAssets(folder) })
  served = await serveInsight(insight, { host: '127.0.0.1', port: 0 })
})
afterAll(async () => {
  await insight?.close()
  await served?.close()
  rmSync(folder, { recursive: true, force: true })
})

function get(name: string, encoding: string | undefined): Promise<{ status: number; headers: IncomingHttpHeaders; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const [host, port] = served.address.split(':')
    const asked = request({ host, port, path: `/webui/${name}`, headers: encoding === undefined ? {} : { 'accept-encoding': encoding } }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) }))
    })
    asked.on('error', reject).end()
  })
}

test('U47 a file that was compressed when the page was built is served so to who takes it', async () => {
  const plain = (body: Buffer): Buffer => body
  const cases = [
    ['gzip, deflate, br', 'br', brotliDecompressSync],
    ['BR;q=0.5', 'br', brotliDecompressSync],
    ['gzip, br;q=0', 'gzip', gunzipSync],
    ['gzip;q=1.0, br;q=0.0', 'gzip', gunzipSync],
    ['brotli, gzipped', undefined, plain],
    ['identity', undefined, plain],
    ['', undefined, plain],
    [undefined, undefined, plain],
  ] as const
  for (const [accepted, encoding, decode] of cases) {
    const { status, headers, body } = await get('assets/a.js', accepted)
    expect([accepted, status, headers['content-encoding'], headers.vary]).toEqual([accepted, 200, encoding, 'accept-encoding'])
    expect(headers['content-type']).toBe('text/javascript; charset=utf-8')
    expect(Number(headers['content-length'])).toBe(body.length)
    expect(decode(body).toString()).toBe(script)
  }
  expect((await get('', 'br')).headers['content-encoding']).toBeUndefined()
  expect((await get('assets/a.js.br', 'br')).status).toBe(404)
})

test('U47 the page is 60 kB gzipped at most, and 300 kB on disk with all its forms', () => {
  const built = fileURLToPath(new URL('../../web/dist', import.meta.url))
  expect(existsSync(built), 'the page is not built: run `npm run build` at the root').toBe(true)
  const page = readFileSync(path.join(built, 'index.html'), 'utf8')
  const names = ['index.html', ...[...page.matchAll(/assets\/[\w-]+\.(?:js|css)/g)].map(([name]) => name)]
  expect(names.length).toBeGreaterThan(2)
  const bodies = names.map((name) => readFileSync(path.join(built, name)))
  const sum = (sizes: readonly number[]): number => sizes.reduce((a, b) => a + b, 0)
  expect(sum(bodies.map((body) => gzipSync(body).length))).toBeLessThanOrEqual(60 * 1024)
  expect(sum(bodies.map((body) => body.length + gzipSync(body).length + brotliCompressSync(body).length))).toBeLessThanOrEqual(300 * 1024)
})
