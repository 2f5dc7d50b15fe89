/** Typed calls over both transports: results, errors with their codes, deadlines, cancellation, dead and hostile peers. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/edge/system.ts'
import { isRpcError, RpcError } from '../../src/internal/errors.ts'
import { createGrpcTransport, type InternalTls } from '../../src/internal/grpc-transport.ts'
import { MemoryNetwork } from '../../src/internal/memory-transport.ts'
import { createClient, ServiceTable, type CallOptions, type ServiceDefinition } from '../../src/internal/service.ts'
import type { Transport } from '../../src/internal/transport.ts'
import { MilvusError } from '../../src/server/status.ts'
import { makeCertificates } from '../server/certificates.edge.ts'

interface EchoApi {
  echo(request: { readonly value: unknown }, options?: CallOptions): Promise<{ readonly value: unknown }>
  fail(request: { readonly how: string }, options?: CallOptions): Promise<never>
  hang(request: object, options?: CallOptions): Promise<never>
}
const ECHO: ServiceDefinition<EchoApi> = { name: 'Echo', methods: { echo: { timeoutMs: 5_000 }, fail: { timeoutMs: 5_000 }, hang: { timeoutMs: 5_000 } } }

const closers: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

class Echo implements EchoApi {
  readonly hanging: AbortSignal[] = []
  calls = 0

  async echo({ value }: { readonly value: unknown }): Promise<{ readonly value: unknown }> {
    this.calls++
    return { value }
  }

  async fail({ how }: { readonly how: string }): Promise<never> {
    if (how === 'milvus') throw new MilvusError(100, 'collection not found[database=default][collection=x]', 4)
    if (how === 'rpc') throw new RpcError('RPC_NOT_OWNER', 'not mine', { outcome: 'not-applied', details: { owner: '3' } })
    if (how === 'part') throw Object.assign(new Error('no space'), { code: 'MSG_FULL', retryable: true, outcome: 'not-applied' })
    throw new Error('secret path /etc/passwd is none of this')
  }

  hang(_request: object, { signal }: CallOptions = {}): Promise<never> {
    if (signal !== undefined) this.hanging.push(signal)
    return new Promise(() => undefined)
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    if (turn > 1_000) throw new Error('it did not come')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

const transports: [string, (secret?: string) => Transport][] = [
  ['gRPC', (secret) => createGrpcTransport({ host: '127.0.0.1', port: 0, clock: systemClock, closeGraceMs: 50, maxBytes: 4 * 1024 * 1024, secret })],
  ['memory', () => new MemoryNetwork({ clock: systemClock }).at('a')],
]

describe.each(transports)('calls over %s', (name, create) => {
  const open = async (): Promise<{ echo: Echo; client: EchoApi; table: ServiceTable; transport: Transport; address: string }> => {
    const echo = new Echo()
    const table = new ServiceTable()
    table.add(ECHO, echo)
    const transport = create()
    const server = await table.listen(transport)
    closers.push(() => transport.close(), () => server.close())
    return { echo, table, transport, address: server.address, client: createClient(ECHO, transport, () => server.address) }
  }

  it('carry plain data both ways', async () => {
    const { client } = await open()
    const value = { id: 2n ** 60n, name: 'ü', vectors: new Float32Array([1, 2]), bytes: Uint8Array.of(1, 2, 3), map: new Map([[1n, [true, null]]]) }
    expect(await client.echo({ value })).toEqual({ value })
  })

  it('carry errors with what they mean', async () => {
    const { client } = await open()
    await expect(client.fail({ how: 'milvus' })).rejects.toMatchObject({ name: 'MilvusError', code: 100, legacy: 4, message: expect.stringContaining('collection=x') as string })
    await expect(client.fail({ how: 'rpc' })).rejects.toMatchObject({ name: 'RpcError', code: 'RPC_NOT_OWNER', retryable: true, outcome: 'not-applied', details: { owner: '3' } })
    await expect(client.fail({ how: 'part' })).rejects.toMatchObject({ name: 'RemoteError', code: 'MSG_FULL', retryable: true, outcome: 'not-applied' })
    await expect(client.fail({ how: 'bug' })).rejects.toMatchObject({ code: 'INTERNAL', retryable: false })
  })

  it('end by their deadline, and tell the other side', async () => {
    const { client, echo } = await open()
    await expect(client.hang({}, { timeoutMs: 50 })).rejects.toMatchObject({ code: 'RPC_TIMEOUT', outcome: 'unknown' })
    await until(() => echo.hanging[0]?.aborted === true)
  })

  it('end by their signal, and tell the other side', async () => {
    const { client, echo } = await open()
    const abort = new AbortController()
    const call = client.hang({}, { signal: abort.signal })
    await until(() => echo.hanging.length === 1)
    abort.abort(new Error('enough'))
    await expect(call).rejects.toThrow('enough')
    await until(() => echo.hanging[0]?.aborted === true)
    await expect(client.echo({ value: 1 }, { signal: abort.signal })).rejects.toThrow('enough')
    expect(echo.calls).toBe(0)
  })

  it('are refused by who stops, and surely not done', async () => {
    const { client, table, echo } = await open()
    table.stop()
    await expect(client.echo({ value: 1 })).rejects.toMatchObject({ code: 'RPC_CLOSED', retryable: true, outcome: 'not-applied' })
    expect(echo.calls).toBe(0)
  })

  it('fail where nobody is, or the method is unknown', async () => {
    const { transport, address } = await open()
    const nobody = createClient(ECHO, transport, () => (name === 'gRPC' ? '127.0.0.1:1' : 'nowhere'))
    await expect(nobody.echo({ value: 1 })).rejects.toMatchObject({ code: 'RPC_UNAVAILABLE', retryable: true, outcome: 'not-applied' })
    const other = createClient<EchoApi>({ ...ECHO, name: 'Other' }, transport, () => address)
    await expect(other.echo({ value: 1 })).rejects.toMatchObject({ code: 'RPC_UNKNOWN_METHOD' })
  })

  it('that are no messages are answered as such', async () => {
    const { transport, address } = await open()
    const reply = await transport.call(address, 'Echo/echo', Uint8Array.of(99, 1, 2), { timeoutMs: 5_000 })
    expect(new TextDecoder().decode(reply)).toContain('RPC_MALFORMED')
    await transport.close()
    await expect(transport.call(address, 'Echo/echo', Uint8Array.of(0), { timeoutMs: 5_000 })).rejects.toMatchObject({ code: 'RPC_CLOSED' })
  })
})

describe('gRPC between processes', () => {
  const serve = async (secret: string): Promise<{ address: string; echo: Echo }> => {
    const echo = new Echo()
    const table = new ServiceTable()
    table.add(ECHO, echo)
    const transport = transports[0]?.[1](secret) as Transport
    const server = await table.listen(transport)
    closers.push(() => transport.close(), () => server.close())
    return { address: server.address, echo }
  }
  const call = (secret: string | undefined, address: string, value: unknown = 1): Promise<unknown> => {
    const transport = transports[0]?.[1](secret) as Transport
    closers.push(() => transport.close())
    return createClient(ECHO, transport, () => address).echo({ value })
  }

  it('wants the secret of the cluster', async () => {
    const { address, echo } = await serve('correct')
    await expect(call('wrong', address)).rejects.toMatchObject({ code: 'RPC_UNAUTHENTICATED', retryable: false })
    await expect(call(undefined, address)).rejects.toMatchObject({ code: 'RPC_UNAUTHENTICATED' })
    expect(echo.calls).toBe(0)
    expect(await call('correct', address)).toEqual({ value: 1 })
  })

  it('calls nobody that it may not call', async () => {
    const { address, echo } = await serve('')
    const transport = createGrpcTransport({ host: '127.0.0.1', port: 0, clock: systemClock, mayCall: () => false })
    closers.push(() => transport.close())
    await expect(createClient(ECHO, transport, () => address).echo({ value: 1 })).rejects.toMatchObject({ code: 'RPC_UNAUTHENTICATED', outcome: 'not-applied' })
    expect(echo.calls).toBe(0)
  })

  it('wants certificates of one authority on both sides, where there are any', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'timetick-internal-'))
    closers.push(() => rm(folder, { recursive: true, force: true }))
    const tlsOf = async (name: string): Promise<InternalTls> => {
      const { ca, cert, key } = makeCertificates(folder, name)
      return { ca: await readFile(ca), cert: await readFile(cert), key: await readFile(key) }
    }
    const [ours, theirs] = [await tlsOf('ours'), await tlsOf('theirs')]
    const open = (tls: InternalTls | undefined): Transport => {
      const transport = createGrpcTransport({ host: '127.0.0.1', port: 0, clock: systemClock, tls, closeGraceMs: 100 })
      closers.push(() => transport.close())
      return transport
    }
    const echo = new Echo()
    const table = new ServiceTable()
    table.add(ECHO, echo)
    const server = await table.listen(open(ours))
    closers.push(() => server.close())
    const ask = (tls: InternalTls | undefined): Promise<unknown> => createClient(ECHO, open(tls), () => server.address).echo({ value: 7 }, { timeoutMs: 3_000 })
    await expect(ask(undefined)).rejects.toMatchObject({ name: 'RpcError' })
    await expect(ask(theirs)).rejects.toMatchObject({ name: 'RpcError' })
    // Who trusts the authority but is not signed by it is nobody, too.
    await expect(ask({ ...theirs, ca: ours.ca })).rejects.toMatchObject({ name: 'RpcError' })
    expect(echo.calls).toBe(0)
    expect(await ask(ours)).toEqual({ value: 7 })
  })

  it('refuses messages beyond its bound', async () => {
    const { address } = await serve('')
    const error: unknown = await call('', address, new Uint8Array(5 * 1024 * 1024)).catch((failure: unknown) => failure)
    expect(isRpcError(error, 'RPC_TOO_LARGE')).toBe(true)
    expect(await call('', address)).toEqual({ value: 1 })
  })

  it('outlives garbage on its port', async () => {
    const { address } = await serve('')
    const port = Number(address.split(':')[1])
    await new Promise<void>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.end('GET / HTTP/1.1\r\n\r\n'.repeat(100)))
      socket.on('error', () => undefined)
      socket.on('close', () => resolve())
      socket.resume()
    })
    expect(await call('', address)).toEqual({ value: 1 })
  })

  it('does not wait for ever for a peer that accepts and says nothing', async () => {
    const sockets = new Set<Socket>()
    const silent: Server = createServer((socket) => void sockets.add(socket.on('error', () => undefined).resume()))
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    closers.push(() => new Promise((resolve) => {
      silent.close(resolve)
      for (const socket of sockets) socket.destroy()
    }))
    const transport = transports[0]?.[1]() as Transport
    closers.push(() => transport.close())
    const client = createClient(ECHO, transport, () => `127.0.0.1:${(silent.address() as AddressInfo).port}`)
    await expect(client.echo({ value: 1 }, { timeoutMs: 300 })).rejects.toMatchObject({ name: 'RpcError', retryable: true })
  })
})
