/** A log that does not answer, and clients that give up: what is held stays bounded, on the data node and on the proxy. */
import { createMemoryKV } from '@timetick/kv/memory'
import { afterEach, expect, it } from 'vitest'
import type { AppendRequest, ChannelApi } from '../../src/cluster/apis.ts'
import { AppendRoom } from '../../src/cluster/append-room.ts'
import { CHANNEL_ROOT } from '../../src/cluster/channel-assigner.ts'
import { ChannelClient, type ChannelClientOptions } from '../../src/cluster/channel-client.ts'
import { encodeAssignment } from '../../src/cluster/channel-plan.ts'
import { systemClock } from '../../src/edge/system.ts'
import { isRpcError, RpcError } from '../../src/internal/errors.ts'

const MB = 1024 * 1024
const pchannel = 'log-0'
const request = (bytes: number): Pick<AppendRequest, 'pchannel' | 'records'> => ({ pchannel, records: [{ type: 1, properties: {}, body: new Uint8Array(bytes) }] })

function gate(): { readonly answered: Promise<void>; readonly answer: () => void } {
  let answer = (): void => undefined
  const answered = new Promise<void>((resolve) => (answer = resolve))
  return { answered, answer: () => answer() }
}

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

it('while the log hangs appends are held to a limit, what is more is refused as undone, and all room is back when it answers', async () => {
  const room = new AppendRoom(8 * MB)
  const log = gate()
  const outcomes = { done: 0, refused: 0 }
  let most = 0
  const calls = Array.from({ length: 1000 }, async () => {
    await room.hold(request(MB / 4), () => log.answered).then(
      () => outcomes.done++,
      (error: unknown) => {
        expect(isRpcError(error, 'RPC_OVERLOADED') && error.outcome === 'not-applied' && error.retryable).toBe(true)
        outcomes.refused++
      },
    )
  })
  most = Math.max(most, room.heldBytes)
  expect(most).toBeLessThanOrEqual(8 * MB)
  expect(most).toBeGreaterThan(7 * MB)
  log.answer()
  await Promise.all(calls)
  expect(room.heldBytes).toBe(0)
  expect(outcomes.done).toBeGreaterThan(25)
  expect(outcomes.done + outcomes.refused).toBe(1000)
  expect(await room.hold(request(MB), async () => 7)).toBe(7)
})

it('an append that fails gives its room back, and one that is larger than all of it goes alone', async () => {
  const room = new AppendRoom(MB)
  await expect(room.hold(request(MB / 2), async () => { throw new Error('no disk') })).rejects.toThrow('no disk')
  expect(room.heldBytes).toBe(0)
  const log = gate()
  const large = room.hold(request(3 * MB), () => log.answered)
  await expect(room.hold(request(1), async () => 1)).rejects.toSatisfy((error) => isRpcError(error, 'RPC_OVERLOADED'))
  log.answer()
  await large
  expect(await room.hold(request(1), async () => 1)).toBe(1)
})

const openClient = (append: ChannelApi['append']): Promise<ChannelClient> => openClientOf({ append })

async function openClientOf(api: Partial<ChannelApi>, timeoutMs = 5000): Promise<ChannelClient> {
  const kv = createMemoryKV()
  await kv.save(`${CHANNEL_ROOT}${pchannel}`, encodeAssignment({ owner: 'a', epoch: 1, leaving: false }))
  const options = {
    kv, clock: systemClock, transport: { call: () => Promise.reject(new Error('not here')) }, directory: { find: () => ({ address: 'here' }) }, mirror: { collectionRevision: () => 0n, waitFor: () => Promise.resolve() },
    local: { address: 'here', api: api as ChannelApi }, timeoutMs, onProblem: (_message: string, error: unknown) => { throw error },
  } as unknown as ChannelClientOptions
  const client = await ChannelClient.open(options)
  closing.push(() => client.close(), () => kv.close())
  return client
}

const build = () => [{ channel: pchannel, msgs: [] }]

it('a proxy waits for what it has sent, whoever gives up; what it has not sent ends with the call', async () => {
  const log = gate()
  let sent = 0
  const client = await openClient(async () => {
    sent++
    await log.answered
    return { timestamp: 5n }
  })
  const abort = new AbortController()
  let settled = false
  const write = client.write(build, [pchannel], { signal: abort.signal }).finally(() => (settled = true))
  await expect.poll(() => sent).toBe(1)
  abort.abort(new Error('gone'))
  await new Promise((resolve) => setImmediate(resolve))
  expect(settled).toBe(false)
  log.answer()
  expect((await write).timestamp).toBe(5n)

  const late = new AbortController()
  let asked = 0
  const busy = await openClient(async () => {
    asked++
    late.abort(new Error('gone'))
    throw new RpcError('RPC_OVERLOADED', 'the log hangs', { outcome: 'not-applied' })
  })
  await expect(busy.write(build, [pchannel], { signal: late.signal })).rejects.toThrow('gone')
  expect(asked).toBe(1)
})

it('a flush whose owner was overtaken before it could report is the next owner’s to do; what cannot be repeated is not', async () => {
  const overtaken = (): RpcError => new RpcError('RPC_NOT_OWNER', 'the report comes too late', { outcome: 'not-applied', retryable: false })
  let asked = 0
  const shard = { pchannel, collectionId: 1n, vchannel: `${pchannel}_1v0` }
  const client = await openClientOf({ flushShard: () => ((asked += 1) < 3 ? Promise.reject(overtaken()) : Promise.resolve({ revision: 0n })) })
  await client.flushShard(shard, 1n)
  expect(asked).toBe(3)
  // Nobody takes it up for too long: whoever asked may do so again.
  const abandoned = await openClientOf({ flushShard: () => Promise.reject(overtaken()) }, 100)
  await expect(abandoned.flushShard(shard, 1n)).rejects.toMatchObject({ code: 'RPC_NOT_OWNER', retryable: true, outcome: 'not-applied' })
  const written = await openClient(() => Promise.reject(overtaken()))
  await expect(written.write(build, [pchannel])).rejects.toMatchObject({ code: 'RPC_NOT_OWNER', retryable: false })
})
