/** Clients of rule `flush` that do what nobody should: each harms itself at most. */
import { ConsistencyLevelEnum as Level, DataType, MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createClients } from '../../src/clients/clients.ts'
import { SimClock } from '../clients/sim-clock.ts'
import { startTestNode, type TestNode } from './support.ts'

const slow = { timeout: 20_000 }

describe('clients of rule flush', () => {
  let test: TestNode
  let other: MilvusClient
  let count = 0
  beforeAll(async () => {
    test = await startTestNode({ inMemory: true, parameters: { 'common.visibility': 'flush', 'staging.maxClientBytes': '2m', 'staging.maxBytes': '3m', 'clients.grace': '100ms' } })
    other = await connect()
  })
  afterAll(async () => {
    await other.closeConnection()
    await test.close()
  })

  async function connect(): Promise<MilvusClient> {
    // A connection of its own, so that its end is seen.
    const client = new MilvusClient({ address: test.node.address, logLevel: 'error', telemetry: { enabled: false }, channelOptions: { 'grpc.use_local_subchannel_pool': 1 } })
    await client.connectPromise
    return client
  }

  async function make(): Promise<string> {
    const collection_name = `c${(count += 1)}`
    const fields = [
      { name: 'id', data_type: DataType.Int64, is_primary_key: true },
      { name: 'text', data_type: DataType.VarChar, max_length: 65_535, nullable: true },
      { name: 'vector', data_type: DataType.FloatVector, dim: 2 },
    ]
    const made = await test.client.createCollection({ collection_name, shards_num: 2, fields, index_params: [{ field_name: 'vector', index_type: 'FLAT', metric_type: 'L2' }] })
    expect(made.error_code).toBe('Success')
    await test.client.loadCollectionSync({ collection_name })
    return collection_name
  }

  const row = (id: number, text: string | null = null) => ({ id, text, vector: [id, 0] })
  const rows = (from: number, many: number, text: string | null = null) => Array.from({ length: many }, (_, at) => row(from + at, text))

  async function seen(collection_name: string): Promise<string[]> {
    const { status, data } = await other.query({ collection_name, filter: 'id >= 0', output_fields: ['id', 'text'], consistency_level: Level.Eventually })
    expect(status.error_code).toBe('Success')
    return data.map(({ id, text }) => `${String(id)} ${String(text)}`).sort()
  }

  it('that stage for ever meet the bound, which they can retry behind a flush; the others go on', async () => {
    const collection_name = await make()
    const greedy = await connect()
    const text = 'x'.repeat(10_000)
    let staged = 0
    for (;;) {
      const { status } = await greedy.insert({ collection_name, data: rows(staged, 10, text) })
      if (status.code !== 0) {
        expect(status).toMatchObject({ code: 8, retriable: true })
        break
      }
      expect((staged += 10)).toBeLessThan(1_000)
    }
    expect((await other.insert({ collection_name, data: rows(10_000, 10, text) })).status.code).toBe(0)
    expect((await greedy.insert({ collection_name, data: rows(staged, 10, text) })).status.code).toBe(8)
    expect((await greedy.flush({ collection_names: [collection_name] })).status.code).toBe(0)
    expect((await greedy.insert({ collection_name, data: rows(staged, 10, text) })).status.code).toBe(0)
    await other.flush({ collection_names: [collection_name] })
    expect(await seen(collection_name)).toHaveLength(staged + 10)
    await greedy.closeConnection()
  })

  it('together meet the bound of all; who goes makes room', async () => {
    const collection_name = await make()
    const [one, two] = [await connect(), await connect()]
    const text = 'x'.repeat(18_000)
    for (let from = 0; from < 100; from += 10) expect((await one.insert({ collection_name, data: rows(from, 10, text) })).status.code).toBe(0)
    const codes: (number | undefined)[] = []
    for (let from = 1_000; from < 1_100; from += 10) codes.push((await two.insert({ collection_name, data: rows(from, 10, text) })).status.code)
    expect(codes).toContain(8)
    await one.closeConnection()
    await expect.poll(async () => (await two.insert({ collection_name, data: rows(2_000, 10, text) })).status.code, slow).toBe(0)
    await two.closeConnection()
  })

  it('with one row beyond the bound are refused, and keep what they had', async () => {
    const collection_name = await make()
    await other.insert({ collection_name, data: [row(1, 'kept')] })
    const huge = Array.from({ length: 40 }, (_, at) => row(100 + at, 'x'.repeat(65_535)))
    expect((await other.insert({ collection_name, data: huge })).status).toMatchObject({ code: 8, retriable: true })
    expect((await other.insert({ collection_name, data: [row(2, 'x'.repeat(65_535))] })).status.code).toBe(0)
    await other.flush({ collection_names: [collection_name] })
    expect((await seen(collection_name)).map((found) => found.slice(0, 6))).toEqual(['1 kept', '2 xxxx'])
  })

  it('that flush nothing, or a collection that is not there, are told so', async () => {
    const collection_name = await make()
    for (let round = 0; round < 2; round++) expect((await other.flush({ collection_names: [collection_name] })).status.code).toBe(0)
    expect((await other.flush({ collection_names: ['nowhere'] })).status.code).toBe(100)
    await other.insert({ collection_name, data: [row(1)] })
    expect((await other.flush({ collection_names: [collection_name, 'nowhere'] })).status.code).toBe(100)
    // Nothing of a flush that was refused.
    expect(await seen(collection_name)).toEqual([])
    await other.flush({ collection_names: [collection_name] })
    expect(await seen(collection_name)).toEqual(['1 null'])
  })

  it('that flush twice at once, or give up a flush, commit once', async () => {
    const collection_name = await make()
    await other.insert({ collection_name, data: rows(0, 50, 'once') })
    const answers = await Promise.all([1, 2, 3].map(() => other.flush({ collection_names: [collection_name] })))
    expect(answers.map(({ status }) => status.code)).toEqual([0, 0, 0])
    expect(await seen(collection_name)).toHaveLength(50)
    await other.insert({ collection_name, data: rows(50, 50, 'twice') })
    await other.flush({ collection_names: [collection_name], timeout: 1 }).catch(() => undefined)
    // It was done, or it was not; in any case not in part.
    expect([50, 100]).toContain((await seen(collection_name)).length)
    expect((await other.flush({ collection_names: [collection_name] })).status.code).toBe(0)
    expect(new Set(await seen(collection_name)).size).toBe(100)
    expect(await seen(collection_name)).toHaveLength(100)
  })

  it('that write the same rows: what was flushed last is there, whole', async () => {
    const collection_name = await make()
    await test.client.upsert({ collection_name, data: rows(0, 20, 'A') })
    await other.upsert({ collection_name, data: rows(10, 20, 'B') })
    const flushing = test.client.flush({ collection_names: [collection_name] })
    await other.upsert({ collection_name, data: rows(5, 10, 'B2') })
    await flushing
    expect(await seen(collection_name)).toEqual(rows(0, 20).map(({ id }) => `${id} A`).sort())
    await other.flush({ collection_names: [collection_name] })
    const expected = rows(0, 30).map(({ id }) => `${id} ${id < 5 ? 'A' : id < 15 ? 'B2' : 'B'}`)
    expect(await seen(collection_name)).toEqual(expected.sort())
  })
})

describe('10,000 clients', () => {
  it('that come, call and go leave nothing', async () => {
    const clock = new SimClock()
    let dropped = 0
    const meta = { databases: () => [], database: () => { throw new Error('not asked') }, findCollection: () => undefined, collections: () => [] }
    const clients = createClients({
      clock,
      graceMs: 100,
      heartbeatTimeoutMs: 30_000,
      leaseMs: 86_400_000,
      maxClients: 10_000,
      maxWaiting: 100,
      holders: () => new Set(),
      discard: () => void dropped++,
      rules: { meta, serverDefault: 'flush' },
    })
    const signal = new AbortController().signal
    for (let at = 0; at < 10_000; at++) {
      const [peer, identifier] = [`10.0.0.1:${at}`, at % 2 === 0 ? BigInt(at + 1) : undefined]
      clients.socketOpened(peer)
      const ticket = clients.draw('Insert', identifier === undefined ? undefined : String(identifier), undefined, peer)
      const client = clients.registry.enter(identifier === undefined ? undefined : String(identifier), peer)
      void ticket?.enter('stage', signal)
      // Some go while their call runs.
      if (at % 3 === 0) clients.socketClosed(peer)
      ticket?.leave()
      clients.registry.leave(client)
      clients.socketClosed(peer)
      if (at % 100 === 0) clock.pass(200)
    }
    clock.pass(1_000)
    expect({ clients: clients.registry.size, sockets: clients.registry.socketCount, waiting: clients.order.size, dropped }).toEqual({ clients: 0, sockets: 0, waiting: 0, dropped: 10_000 })
    await clients.close()
    expect(clock.timers).toBe(0)
  })
})
