import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ServerCredentials, credentials } from '@grpc/grpc-js'
import { createMemoryKV } from '@timetick/kv/memory'
import { afterEach, expect, test } from 'vitest'
import { checkTimestampHealth, connectTimestampSource, serveTimestampOracle } from '../src/grpc.ts'
import type { RemoteTimestampSource } from '../src/grpc.ts'
import { openTimestampOracle } from '../src/index.ts'

const clean: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const step of clean.splice(0).reverse()) await step()
})

/** Made for these tests alone: an authority that nobody else trusts, `localhost` and one client. Good for 100 years. */
const pem = (name: string): Promise<Buffer> => readFile(join(import.meta.dirname, 'fixtures', 'tls', name))

async function serve(wantsClients: boolean): Promise<string> {
  const oracle = await openTimestampOracle({ kv: createMemoryKV() })
  clean.push(() => oracle.close())
  const pairs = [{ private_key: await pem('server.key'), cert_chain: await pem('server.pem') }]
  const server = await serveTimestampOracle({ oracle, credentials: ServerCredentials.createSsl(wantsClients ? await pem('ca.pem') : null, pairs, wantsClients) })
  clean.push(() => server.close())
  return `localhost:${server.port}`
}

function connect(address: string, given: object | undefined, timeoutMs: number): RemoteTimestampSource {
  const source = connectTimestampSource({ addresses: [address], credentials: given, timeoutMs, minBackoffMs: 5, maxBackoffMs: 50 })
  clean.push(() => source.close())
  return source
}

test('over TLS: who trusts the authority is served, who does not and who speaks plain text is not', async () => {
  const address = await serve(false)
  const trusting = credentials.createSsl(await pem('ca.pem'))
  const source = connect(address, trusting, 10_000)
  const first = await source.allocOne()
  expect((await source.getTimestamp(5)).first > first).toBe(true)
  expect(await checkTimestampHealth({ address, credentials: trusting, timeoutMs: 10_000 })).toBe(true)
  for (const given of [undefined, credentials.createSsl()]) {
    await expect(connect(address, given, 400).allocOne()).rejects.toMatchObject({ code: 'TSO_TIMEOUT', retryable: true })
    await expect(checkTimestampHealth({ address, credentials: given, timeoutMs: 400 })).rejects.toMatchObject({ code: 'TSO_UNAVAILABLE' })
  }
})

test('over mutual TLS: a client without a certificate is not served', async () => {
  const address = await serve(true)
  const known = credentials.createSsl(await pem('ca.pem'), await pem('client.key'), await pem('client.pem'))
  expect((await connect(address, known, 10_000).getTimestamp(3)).count).toBe(3)
  await expect(connect(address, credentials.createSsl(await pem('ca.pem')), 400).allocOne()).rejects.toMatchObject({ code: 'TSO_TIMEOUT' })
})
