/** Calls to a process that has a duty, and loses it without a word: the next one is asked when it has it, not when the call times out. */
import { createMemoryKV } from '@timetick/kv/memory'
import { afterEach, expect, it } from 'vitest'
import { CHANNELS, type ChannelApi, COORDINATOR } from '../../src/cluster/apis.ts'
import { CHANNEL_ROOT } from '../../src/cluster/channel-assigner.ts'
import { ChannelClient, type ChannelClientOptions } from '../../src/cluster/channel-client.ts'
import { encodeAssignment } from '../../src/cluster/channel-plan.ts'
import { LEADER_KEY } from '../../src/cluster/coordinator.ts'
import { CoordinatorClient, type CoordinatorClientOptions } from '../../src/cluster/coordinator-client.ts'
import { systemClock } from '../../src/edge/system.ts'
import { isRpcError } from '../../src/internal/errors.ts'
import { MemoryNetwork } from '../../src/internal/memory-transport.ts'
import { type ServiceDefinition, type ServiceMethod, ServiceTable } from '../../src/internal/service.ts'

const pchannel = 'log-0'
const never = (): Promise<never> => new Promise(() => undefined)
/** Of calls that are tried again; far beyond what a test waits for. */
const CALL_MS = 300_000

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

function openNetwork() {
  const network = new MemoryNetwork({ clock: systemClock })
  return {
    transport: network.at('proxy'),
    async serve<Api extends { readonly [Name in keyof Api]: ServiceMethod }>(address: string, definition: ServiceDefinition<Api>, methods: Partial<Api>): Promise<void> {
      const table = new ServiceTable()
      const all = Object.fromEntries(Object.keys(definition.methods).map((name) => [name, (methods as Record<string, unknown>)[name] ?? never]))
      table.add(definition, all as unknown as Api)
      await table.listen(network.at(address))
    },
  }
}

async function openChannels(owners: Readonly<Record<string, Partial<ChannelApi>>>) {
  const kv = createMemoryKV()
  const assign = (owner: string, epoch: number) => kv.save(`${CHANNEL_ROOT}${pchannel}`, encodeAssignment({ owner, epoch, leaving: false }))
  await assign('a', 1)
  const { transport, serve } = openNetwork()
  for (const [owner, api] of Object.entries(owners)) await serve(owner, CHANNELS, api)
  const options = {
    kv, clock: systemClock, transport, directory: { find: (id: string) => ({ address: id }) }, mirror: { collectionRevision: () => 0n, waitFor: async () => undefined },
    timeoutMs: CALL_MS, onProblem: (_message: string, error: unknown) => { throw error },
  } as unknown as ChannelClientOptions
  const client = await ChannelClient.open(options)
  closing.push(() => client.close(), () => kv.close())
  return { client, assign }
}

const shard = { pchannel, collectionId: 1n, vchannel: 'log-0_1' }
const build = () => [{ channel: pchannel, msgs: [] }]

it('a flush goes to the next owner of the channel', async () => {
  const asked: string[] = []
  const { client, assign } = await openChannels({
    a: { flushShard: () => { asked.push('a'); return never() } },
    b: { flushShard: async () => { asked.push('b'); return { revision: 1n } } },
  })
  const flushed = client.flushShard(shard, 7n)
  await expect.poll(() => asked).toEqual(['a'])
  await assign('b', 2)
  await flushed
  expect(asked).toEqual(['a', 'b'])
})

it('an append may have been done: it is told as unknown, and not sent again', async () => {
  let asked = 0
  const append = (): Promise<never> => {
    asked++
    return never()
  }
  const { client, assign } = await openChannels({ a: { append }, b: { append } })
  const written = client.write(build, [pchannel]).then(() => undefined, (error: unknown) => error)
  await expect.poll(() => asked).toBe(1)
  await assign('', 2)
  const error = await written
  expect(isRpcError(error, 'RPC_UNAVAILABLE') && error.outcome).toBe('unknown')
  expect(asked).toBe(1)
})

it('an answer that arrives behind the news that the channel was given back counts', async () => {
  let answer = (): void => undefined
  let asked = 0
  const { client, assign } = await openChannels({
    a: { append: () => { asked++; return new Promise((resolve) => (answer = () => resolve({ timestamp: 5n }))) } },
    b: { unflushedRows: async () => ({ rows: 3, revision: 1n }) },
  })
  const written = client.write(build, [pchannel])
  await expect.poll(() => asked).toBe(1)
  await assign('b', 2)
  // It has heard of it: it asks the next one.
  expect(await client.rows([pchannel], 1n, undefined, 7n)).toBe(3)
  answer()
  expect((await written).timestamp).toBe(5n)
})

it('what the leader was asked for is asked of the next one, where that may be done twice', async () => {
  const kv = createMemoryKV()
  const lead = (name: string) => kv.save(LEADER_KEY, JSON.stringify({ name }))
  await lead('a')
  const { transport, serve } = openNetwork()
  const asked: string[] = []
  const silent = (what: string) => () => {
    asked.push(what)
    return never()
  }
  await serve('a', COORDINATOR, { loadProgress: silent('progress of a'), moveSegments: silent('move of a') })
  await serve('b', COORDINATOR, { loadProgress: async () => ({ progress: new Map(), revision: 9n }), moveSegments: silent('move of b') })
  const options = { kv, clock: systemClock, transport, mirror: {}, timeoutMs: CALL_MS, onChanged: async () => undefined, onProblem: (_message: string, error: unknown) => { throw error } } as unknown as CoordinatorClientOptions
  const client = await CoordinatorClient.open(options)
  closing.push(() => client.close(), () => kv.close())
  const progress = client.loadProgress([1n])
  const moved = client.moveSegments({ collectionId: 1n, from: 1n, to: [2n], segmentIds: [3n] }).then(() => undefined, (error: unknown) => error)
  await expect.poll(() => asked.toSorted()).toEqual(['move of a', 'progress of a'])
  await lead('b')
  expect((await progress).revision).toBe(9n)
  const error = await moved
  expect(isRpcError(error, 'RPC_UNAVAILABLE') && error.outcome).toBe('unknown')
  expect(asked).not.toContain('move of b')
})
