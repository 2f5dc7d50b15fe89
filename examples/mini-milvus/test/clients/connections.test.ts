/** When the unmodified Node SDK is there and when it is gone: real connections that are closed, reset, shared and killed. */
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createClients, type Clients } from '../../src/clients/clients.ts'
import { systemClock } from '../../src/edge/system.ts'
import { createDdlHandlers } from '../../src/proxy/ddl.ts'
import type { Listener } from '../../src/server/listen.edge.ts'
import { openServer } from '../../src/server/server.ts'
import { counter, openFixture } from '../catalog/helpers.ts'
import { rawClient } from '../e2e/raw-client.ts'
import { startProxy } from './proxy.ts'
import { startSdkProcess, type SdkProcess } from './sdk-process.ts'

const GRACE = 300
/** For conditions on a busy machine. */
const slow = { timeout: 20_000 }

let clients: Clients
let listener: Listener
let gone: string[]
let processes: SdkProcess[]

async function start(more: { heartbeatTimeoutMs?: number; graceMs?: number } = {}): Promise<string> {
  const timestamps = counter(BigInt(1_760_000_000_000) << 18n)
  const { catalog } = await openFixture({ ids: counter(449_000_000_000_000_001n), timestamps })
  clients = createClients({
    clock: systemClock,
    graceMs: GRACE,
    heartbeatTimeoutMs: 60_000,
    leaseMs: 3_600_000,
    maxClients: 100,
    maxWaiting: 100,
    holders: () => new Set(),
    discard: (client) => gone.push(client),
    rules: { meta: catalog, serverDefault: 'milvus' },
    ...more,
  })
  const handlers = createDdlHandlers({
    meta: catalog,
    catalog,
    timestamps,
    version: 'test',
    clock: systemClock,
    progress: { rowCount: () => 0, loadProgress: () => 100, indexProgress: () => ({ totalRows: 0, indexedRows: 0, pendingRows: 0, state: 'finished', reason: '' }) },
    onConnect: (identifier, info, call) => clients.connected(identifier, info, call),
    onHeartbeat: (identifier, call) => clients.heartbeat(identifier, call),
  })
  listener = await openServer({ port: 0, handlers, clients, clock: systemClock, http: (_, response) => response.end(), limits: { closeGraceMs: 100 } })
  return `127.0.0.1:${listener.port}`
}

const quiet = { telemetry: { enabled: false } }

async function connect(address: string, config: object = {}): Promise<MilvusClient> {
  const client = new MilvusClient({ address, logLevel: 'error', ...config })
  await client.connectPromise
  return client
}

async function startProcess(): Promise<SdkProcess> {
  const started = await startSdkProcess()
  processes.push(started)
  return started
}

const keys = (): string[] => clients.registry.list().map(({ key }) => key)

beforeEach(() => {
  gone = []
  processes = []
})

afterEach(async () => {
  for (const { kill } of processes) await kill()
  await listener.close()
  await clients.close()
})

describe('a client of the Node SDK', () => {
  it('is known by its identifier, and by what it said', async () => {
    const address = await start()
    const client = await connect(address, { option: { visibility: 'flush' } })
    const [state] = clients.registry.list()
    expect(clients.registry.size).toBe(1)
    expect(state).toMatchObject({ kind: 'identifier', sockets: 1, info: { sdkType: 'nodejs' } })
    await client.closeConnection()
  })

  it('an option that is no rule is refused when it connects', async () => {
    const address = await start()
    const client = new MilvusClient({ address, logLevel: 'error', option: { visibility: 'later' } })
    const answer: unknown = await client.connectPromise
    expect(answer).toMatchObject({ status: { error_code: 'IllegalArgument', reason: expect.stringContaining('visibility must be milvus or flush, got "later"') as string } })
    await client.closeConnection().catch(() => undefined)
  })

  it('alone in its process and closed, it is gone after the grace, though its stray socket stays open', async () => {
    const address = await start()
    const child = await startProcess()
    await child.connect('one', { address })
    const [key] = keys()
    await child.closeClient('one')
    await expect.poll(() => gone, slow).toEqual([key])
    expect(clients.registry.gone.get('sockets')).toBe(1)
  })

  it('killed, it is gone', async () => {
    const address = await start()
    const child = await startProcess()
    await child.connect('one', { address })
    await child.kill()
    await expect.poll(() => clients.registry.size, slow).toBe(0)
    expect(clients.registry.socketCount).toBe(0)
  })

  it('whose connection is reset comes back as the same client, within the grace', async () => {
    const address = await start({ graceMs: 20_000 })
    const proxy = await startProxy(address)
    const client = await connect(proxy.address)
    const [key] = keys()
    proxy.reset()
    await expect.poll(() => clients.registry.list()[0]?.sockets, slow).toBe(0)
    await expect.poll(() => client.listCollections().then(({ status }) => status.error_code, () => 'not yet'), slow).toBe('Success')
    expect(keys()).toEqual([key])
    expect(gone).toEqual([])
    await client.closeConnection()
    await proxy.close()
  })

  it('whose connection is reset and that stays away is gone; when it calls again it begins anew', async () => {
    const address = await start()
    const proxy = await startProxy(address)
    const client = await connect(proxy.address, quiet)
    const [key = ''] = keys()
    proxy.reset()
    await expect.poll(() => gone, slow).toEqual([key])
    await expect.poll(() => client.listCollections().then(({ status }) => status.error_code, () => 'not yet'), slow).toBe('Success')
    const again = keys().filter((name) => name.startsWith(key))
    expect(again).toHaveLength(1)
    expect(again).not.toEqual([key])
    await client.closeConnection()
    await proxy.close()
  })

  it('two in one process share a socket; closing one does not end the other', async () => {
    const address = await start({ heartbeatTimeoutMs: 1000 })
    const child = await startProcess()
    await child.connect('one', { address })
    const [one] = keys()
    await child.connect('two', { address, telemetry: { heartbeatInterval: 200 } })
    const two = keys().find((key) => key !== one)
    expect(clients.registry.socketCount).toBe(1)
    await child.call('two', 'listCollections')
    await child.closeClient('one')
    // No socket tells: its heartbeats are missing.
    await expect.poll(() => gone, slow).toContain(one)
    expect(clients.registry.gone.get('heartbeat')).toBeGreaterThan(0)
    expect(two).toBeDefined()
  })

  it('with several sockets it is one client until the last of them is closed', async () => {
    const address = await start()
    const child = await startProcess()
    await child.connect('one', { address, ...quiet, channelOptions: { 'grpc.use_local_subchannel_pool': 1 }, pool: { min: 3, max: 3 } })
    await Promise.all(Array.from({ length: 30 }, () => child.call('one', 'listCollections')))
    expect(clients.registry.size).toBe(1)
    expect(clients.registry.list()[0]?.sockets).toBeGreaterThan(1)
    await child.kill()
    await expect.poll(() => gone.length, slow).toBe(1)
  })

  it('without an identifier the connection is the client', async () => {
    const address = await start()
    const [one, two] = [rawClient(address), rawClient(address)]
    await one.call('ShowCollections', {})
    expect(keys()).toEqual([])
    await one.call('CreateAlias', { alias: 'a', collection_name: 'none' })
    await two.call('CreateAlias', { alias: 'a', collection_name: 'none' })
    expect(new Set(keys()).size).toBe(clients.registry.socketCount)
    expect(clients.registry.list().every(({ kind }) => kind === 'socket')).toBe(true)
    one.close()
    two.close()
    await expect.poll(() => clients.registry.size, slow).toBe(0)
  })
})
