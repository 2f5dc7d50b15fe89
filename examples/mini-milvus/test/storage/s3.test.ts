/** Objects on S3: parts, pages, what breaks off, what does not answer, what is refused. */
import { createServer, type Server } from 'node:http'
import { connect, createServer as createTcpServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { openS3Objects } from '../../src/storage/index.ts'
import type { S3Calls } from '../../src/storage/s3-calls.ts'
import { upload } from '../../src/storage/s3-upload.ts'
import { hasServices, serviceUrl } from '../stores/services.edge.ts'
import { openTestS3 } from './test-s3.ts'

const MB = 1024 * 1024
const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 255)
}

async function listening(server: Server | ReturnType<typeof createTcpServer>): Promise<string> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  closers.push(() => {
    if ('closeAllConnections' in server) server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
}

describe.skipIf(!hasServices('s3'))('S3', () => {
  it('writes large objects in parts and reads them in ranges', { timeout: 60_000 }, async () => {
    const remote = await openTestS3({ partBytes: 5 * MB })
    const bytes = pattern(12 * MB + 17)
    await remote.put('large', [bytes.subarray(0, 3), bytes.subarray(3, 11 * MB), bytes.subarray(11 * MB)])
    expect(await remote.size('large')).toBe(bytes.length)
    const target = new Uint8Array(bytes.length)
    await remote.readInto('large', target, 0)
    expect(Buffer.from(target).equals(bytes)).toBe(true)
    const part = new Uint8Array(6 * MB)
    await remote.readInto('large', part, 5 * MB + 1)
    expect(Buffer.from(part).equals(bytes.subarray(5 * MB + 1, 11 * MB + 1))).toBe(true)
    await expect(remote.readInto('large', part, 11 * MB)).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' })
    await expect(remote.readInto('large', new Uint8Array(1), 100 * MB)).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' })
    await remote.close()
  })

  it('lists more than a page', { timeout: 60_000 }, async () => {
    const remote = await openTestS3({ pageKeys: 10 })
    const keys = Array.from({ length: 35 }, (_, i) => `many/${String(i).padStart(5, '0')}`)
    const left = [...keys]
    const worker = async (): Promise<void> => {
      for (let key = left.pop(); key !== undefined; key = left.pop()) await remote.put(key, [])
    }
    await Promise.all(Array.from({ length: 16 }, worker))
    const found: string[] = []
    let pages = 0
    for (let next: string | undefined, isFirst = true; isFirst || next !== undefined; isFirst = false) {
      const page = await remote.list('many/', next)
      found.push(...page.objects.map(({ key }) => key))
      next = page.next
      pages++
    }
    expect(found.sort()).toEqual(keys)
    expect(pages).toBe(4)
    await remote.close()
  })

  it('says who was refused, and what is not there', { timeout: 30_000 }, async () => {
    await expect(openTestS3({ credentials: { accessKeyId: 'nobody', secretAccessKey: 'x' } })).rejects.toMatchObject({ code: 'STORAGE_DENIED', retryable: false })
    await expect(openTestS3({ bucket: 'not-there-at-all', createBucket: false })).rejects.toMatchObject({ code: 'STORAGE_DENIED' })
    const remote = await openTestS3()
    await expect(remote.readInto('nothing', new Uint8Array(1), 0)).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' })
    await remote.delete('nothing')
    await remote.close()
    await remote.close()
    await expect(remote.put('a', [])).rejects.toMatchObject({ name: 'StorageError' })
  })

  it('goes on reading where a connection broke off', { timeout: 30_000 }, async () => {
    const { hostname, port } = new URL(serviceUrl('s3'))
    let cuts = 2
    // Cuts the first connections after 300 KB of answers.
    const proxy = createTcpServer((client) => {
      const server = connect(Number(port), hostname)
      let passed = 0
      server.on('data', (chunk: Buffer) => {
        passed += chunk.length
        if (cuts > 0 && passed > 300_000) {
          cuts--
          client.destroy()
          server.destroy()
        } else client.write(chunk)
      })
      client.pipe(server)
      for (const socket of [client, server]) socket.on('error', () => undefined).on('close', () => (client.destroy(), server.destroy()))
    })
    const rootPath = 'broken-off'
    const plain = await openTestS3({ rootPath })
    const bytes = pattern(2 * MB)
    await plain.put('a', [bytes])
    const remote = await openTestS3({ rootPath, endpoint: await listening(proxy) })
    const target = new Uint8Array(bytes.length)
    await remote.readInto('a', target, 0)
    expect(Buffer.from(target).equals(bytes)).toBe(true)
    expect(cuts).toBe(0)
    await Promise.all([plain.close(), remote.close()])
  })
})

describe('a server that does not behave', () => {
  const options = { region: 'us-east-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' }, pathStyle: true, bucket: 'bucket', createBucket: true, rootPath: 'r', timeoutMs: 300, maxAttempts: 2 }

  it('nobody listens', { timeout: 20_000 }, async () => {
    await expect(openS3Objects({ ...options, endpoint: 'http://127.0.0.1:1' })).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', retryable: true })
  })

  it('never answers', { timeout: 20_000 }, async () => {
    const endpoint = await listening(createTcpServer((socket) => socket.on('error', () => undefined)))
    await expect(openS3Objects({ ...options, endpoint })).rejects.toMatchObject({ code: 'STORAGE_TIMEOUT', retryable: true })
  })

  it('fails, and then does not: the call is made again; a write that keeps failing may have been done', { timeout: 20_000 }, async () => {
    let failures = 1
    const endpoint = await listening(
      createServer((request, response) => {
        request.resume()
        request.on('end', () => {
          const fails = request.method === 'PUT' && failures-- > 0
          response.writeHead(fails ? 500 : 200).end()
        })
      }),
    )
    const remote = await openS3Objects({ ...options, endpoint })
    await remote.put('a', [Uint8Array.of(1)])
    failures = 10
    await expect(remote.put('a', [Uint8Array.of(1)])).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', retryable: true, outcome: 'unknown' })
    await remote.close()
  })

  it('refuses a write: it was not done', { timeout: 20_000 }, async () => {
    const endpoint = await listening(
      createServer((request, response) => {
        request.resume()
        request.on('end', () => response.writeHead(request.method === 'PUT' ? 403 : 200).end())
      }),
    )
    const remote = await openS3Objects({ ...options, endpoint })
    await expect(remote.put('a', [Uint8Array.of(1)])).rejects.toMatchObject({ code: 'STORAGE_DENIED', outcome: 'not-applied' })
    await remote.close()
  })

  it('closing ends calls under way', { timeout: 20_000 }, async () => {
    let asked = 0
    const endpoint = await listening(
      createServer((request, response) => {
        if (request.method === 'HEAD') return void response.writeHead(200).end()
        asked++
      }),
    )
    const remote = await openS3Objects({ ...options, timeoutMs: 15_000, endpoint })
    const reading = remote.readInto('a', new Uint8Array(5), 0)
    const failed = reading.catch((error: unknown) => error)
    await expect.poll(() => asked).toBe(1)
    await remote.close()
    expect(await failed).toMatchObject({ name: 'StorageError' })
  })
})

describe('an upload in parts', () => {
  function fake(behaviour: Partial<S3Calls> = {}): { calls: S3Calls; log: string[]; parts: Uint8Array[] } {
    const log: string[] = []
    const parts: Uint8Array[] = []
    const calls = {
      put: async (_key: string, body: Uint8Array) => void log.push(`put ${body.length}`),
      beginParts: async () => 'id',
      putPart: async (_key: string, _id: string, number: number, body: Uint8Array) => {
        log.push(`part ${number} ${body.length}`)
        parts[number - 1] = body
        return `e${number}`
      },
      endParts: async (_key: string, _id: string, etags: readonly string[]) => void log.push(`end ${etags.join()}`),
      abortParts: async () => void log.push('abort'),
      ...behaviour,
    } as unknown as S3Calls
    return { calls, log, parts }
  }

  it('joins and cuts chunks to parts; one part is a plain put', async () => {
    const chunks = (lengths: readonly number[]): Uint8Array[] => lengths.map((length) => pattern(length))
    for (const [lengths, expected] of [
      [[], ['put 0']],
      [[0, 3], ['put 3']],
      [[4, 6], ['put 10']],
      [[4, 7], ['part 1 10', 'part 2 1', 'end e1,e2']],
      [[25], ['part 1 10', 'part 2 10', 'part 3 5', 'end e1,e2,e3']],
    ] as const) {
      const { calls, log } = fake()
      await upload(calls, 'k', chunks(lengths), 10)
      expect(log).toEqual(expected)
    }
  })

  it('a failed part ends it, and what was sent is removed', async () => {
    const { calls, log } = fake({ putPart: async (_key, _id, number) => (number === 2 ? Promise.reject(new Error('no')) : 'e') })
    await expect(upload(calls, 'k', [pattern(100)], 10)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', outcome: 'not-applied' })
    expect(log).toEqual(['abort'])
  })

  it('after a failed end nobody knows', async () => {
    const { calls } = fake({ endParts: () => Promise.reject(new Error('no answer')) })
    await expect(upload(calls, 'k', [pattern(100)], 10)).rejects.toMatchObject({ outcome: 'unknown' })
  })

  it('a source that fails ends it', async () => {
    const { calls, log } = fake()
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield pattern(30)
      throw new TypeError('expected more')
    }
    await expect(upload(calls, 'k', source(), 10)).rejects.toThrow('expected more')
    expect(log.at(-1)).toBe('abort')
  })

  it('holds a few parts at once', async () => {
    let underWay = 0
    let most = 0
    const { calls } = fake({
      async putPart() {
        most = Math.max(most, ++underWay)
        await new Promise((done) => setImmediate(done))
        underWay--
        return 'e'
      },
    })
    await upload(calls, 'k', [pattern(1000)], 10)
    expect(most).toBe(3)
  })
})
