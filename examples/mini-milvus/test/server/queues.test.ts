/** The queues behind the port: what is slow, full, cancelled or late holds up nothing but itself. */
import * as grpc from '@grpc/grpc-js'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/edge/system.ts'
import { createRestHandler } from '../../src/rest/index.ts'
import type { HandlerTable, WireHandlers } from '../../src/server/handlers.ts'
import type { ServerLimits } from '../../src/server/limits.ts'
import { createTaskQueues, type TaskQueues, withQueues } from '../../src/server/task-queue.ts'
import { encodeMessage, methods } from '../../src/wire/index.ts'
import { callAs, type Caller } from '../e2e/call-as.ts'
import { serve } from './helpers.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

interface Served {
  readonly address: string
  readonly queues: TaskQueues
  readonly caller: Caller
}

async function start(handlers: WireHandlers, maxWaiting = 3, limits: Partial<ServerLimits> = {}): Promise<Served> {
  const queues = createTaskQueues({ maxWaiting, maxRunning: { ddl: 2, dml: 2, dql: 2 }, clock: systemClock })
  const queued: HandlerTable = withQueues(handlers, queues)
  const { listener, address } = await serve(queued, limits, createRestHandler({ handlers: queued }))
  cleanups.push(() => listener.close())
  const caller = callAs(address, undefined)
  cleanups.push(() => caller.close())
  return { address, queues, caller }
}

/** A handler that runs until it is let go, and the names that it ran for. */
function held() {
  const ran: string[] = []
  const release: (() => void)[] = []
  const handlers: WireHandlers = {
    DropCollection: {
      kind: 'ddl',
      run: async (request) => {
        ran.push(request.collection_name)
        await new Promise<void>((resolve) => release.push(resolve))
        return { code: 0 }
      },
    },
    Delete: { kind: 'dml', run: async () => ({ delete_cnt: 1n }) },
    Query: { kind: 'dql', run: async () => ({ collection_name: 'q' }) },
    GetVersion: { kind: 'ddl', run: async () => ({ version: 'v' }) },
  }
  cleanups.push(() => release.splice(0).forEach((let_) => let_()))
  return { ran, release, handlers }
}

const drop = (caller: Caller, name: string) => caller.call('DropCollection', { collection_name: name })

describe('the queues of the proxy', () => {
  it('let DML and queries pass a DDL that does not end', async () => {
    const { handlers, ran, release } = held()
    const { caller, queues } = await start(handlers)
    const slow = ['a', 'b', 'c'].map((name) => drop(caller, name))
    await vi.waitFor(() => expect(queues.ddl.state).toMatchObject({ running: 2, waiting: 1 }))
    expect(await caller.call('Delete', { collection_name: 'other' })).toMatchObject({ delete_cnt: 1n })
    expect(await caller.call('Query', { collection_name: 'other' })).toMatchObject({ collection_name: 'q' })
    expect(await caller.call('GetVersion')).toMatchObject({ version: 'v' })
    expect(ran).toEqual(['a', 'b'])
    release.shift()?.()
    await vi.waitFor(() => expect(ran).toEqual(['a', 'b', 'c']))
    expect(queues.ddl.state).toMatchObject({ waited: 1 })
    release.splice(0).forEach((let_) => let_())
    await Promise.all(slow)
    expect(queues.dml.state).toMatchObject({ started: 1, waited: 0, running: 0 })
  })

  it('answer with the rate limit when full, on gRPC and REST alike', async () => {
    const { handlers, release } = held()
    const { caller, queues, address } = await start(handlers)
    const slow = ['a', 'b', 'c', 'd', 'e'].map((name) => drop(caller, name))
    await vi.waitFor(() => expect(queues.ddl.state).toMatchObject({ running: 2, waiting: 3 }))
    expect(await drop(caller, 'f')).toMatchObject({ code: 8, error_code: 49, retriable: true, reason: expect.stringContaining('queue is full') as unknown })
    const response = await fetch(`http://${address}/v2/vectordb/collections/drop`, { method: 'POST', body: '{"collectionName":"f"}' })
    expect(await response.json()).toMatchObject({ code: 8 })
    expect(queues.ddl.state.refused).toBe(2)
    const drained = setInterval(() => release.splice(0).forEach((let_) => let_()), 5)
    cleanups.push(() => clearInterval(drained))
    expect((await Promise.all(slow)).map(({ code }) => code)).toEqual([0, 0, 0, 0, 0])
  })

  it('never run a call that was cancelled or whose time was up while it waited', async () => {
    const { handlers, ran, release } = held()
    const { caller, queues, address } = await start(handlers)
    const slow = ['a', 'b'].map((name) => drop(caller, name))
    await vi.waitFor(() => expect(queues.ddl.state.running).toBe(2))
    const client = new grpc.Client(address, grpc.credentials.createInsecure())
    cleanups.push(() => client.close())
    const path = methods.find(({ name }) => name === 'DropCollection')?.path ?? ''
    const send = (name: string, options: grpc.CallOptions, done: (error: grpc.ServiceError | null) => void) =>
      client.makeUnaryRequest(path, (value: Buffer) => value, (value: Buffer) => value, Buffer.from(encodeMessage('milvus.DropCollectionRequest', { collection_name: name })), new grpc.Metadata(), options, done)
    const codes: number[] = []
    const cancelled = send('cancelled', {}, (error) => codes.push(error?.code ?? 0))
    send('late', { deadline: Date.now() + 400 }, (error) => codes.push(error?.code ?? 0))
    await vi.waitFor(() => expect(queues.ddl.state.waiting).toBe(2))
    cancelled.cancel()
    await vi.waitFor(() => expect(queues.ddl.state).toMatchObject({ waiting: 0, abandoned: 2 }), { timeout: 10_000 })
    release.splice(0).forEach((let_) => let_())
    await Promise.all(slow)
    await vi.waitFor(() => expect([...codes].sort((a, b) => a - b)).toEqual([grpc.status.CANCELLED, grpc.status.DEADLINE_EXCEEDED]))
    expect(ran).toEqual(['a', 'b'])
    expect(queues.ddl.state.running).toBe(0)
  })

  it('tell a running call that its client has gone', async () => {
    let reason: unknown
    let started = false
    const { caller, queues, address } = await start({
      Query: {
        kind: 'dql',
        run: (_, { signal }) =>
          new Promise((_resolve, reject) => {
            started = true
            signal.addEventListener('abort', () => reject((reason = signal.reason) as Error))
          }),
      },
    })
    expect(caller).toBeDefined()
    const client = new grpc.Client(address, grpc.credentials.createInsecure())
    cleanups.push(() => client.close())
    const path = methods.find(({ name }) => name === 'Query')?.path ?? ''
    const call = client.makeUnaryRequest(path, (value: Buffer) => value, (value: Buffer) => value, Buffer.alloc(0), () => {})
    await vi.waitFor(() => expect(started).toBe(true))
    call.cancel()
    await vi.waitFor(() => expect(reason).toMatchObject({ name: 'AbortError', message: 'the client cancelled the call' }))
    await vi.waitFor(() => expect(queues.dql.state.running).toBe(0))
  })

  it('check a request before it runs, and run nothing that is wrong', async () => {
    const ran: string[] = []
    const { caller, queues } = await start({
      DropCollection: {
        kind: 'ddl',
        check: ({ collection_name: name }) => {
          if (name === '') throw Object.assign(new Error('a name is needed'), { name: 'CodecError', code: 1100 })
        },
        run: async ({ collection_name: name }) => {
          ran.push(name)
          return { code: 0 }
        },
      },
    })
    expect(await drop(caller, '')).toMatchObject({ code: 1100, reason: 'a name is needed' })
    expect(await drop(caller, 'x')).toMatchObject({ code: 0 })
    expect([ran, queues.ddl.state.running]).toEqual([['x'], 0])
  })
})
