/**
 * Proxies that commit, owners of log channels that come and go, and readers beside them, over stores and a network that fail: no other part
 * of a cluster. What the readers saw is checked at the end against what the proxies were told.
 */
import type { KVBase } from '@timetick/kv'
import { createTsMsg, openTtMsgStream, type Mq, type MsgPack, type TtMsgStream } from '@timetick/msgstream'
import { toDmlPack } from '../../src/channel/dml-pack.ts'
import { FencedLog } from '../../src/channel/fenced-mq.ts'
import { CHANNEL_ROOT } from '../../src/cluster/channel-assigner.ts'
import { ChannelCommitter, type ChannelCommitterOptions } from '../../src/cluster/channel-committer.ts'
import { loadFences } from '../../src/cluster/fence-records.ts'
import { endsProducer, openOwnedLog, type OwnedLog } from '../../src/cluster/owned-log.ts'
import { isPassing, RpcError } from '../../src/internal/errors.ts'
import { primaryKeyColumn, primaryKeyList } from '../../src/model/primary-keys.ts'
import type { CollectionMeta } from '../../src/model/meta.ts'
import { LAST_COMMITS } from '../../src/staging/commit-keys.ts'
import { TransactionError } from '../../src/staging/transactions.ts'
import { keysOf } from '../../src/writer/log-messages.ts'
import { Life, never } from '../sim/life.ts'
import { kvOf, SimulatedMq } from '../sim/ports.ts'
import { createSurviving } from '../sim/sim-node.ts'
import type { World } from '../sim/world.ts'
import { points } from '../staging/points.ts'

export const COMMIT_TIMEOUT_MS = 3_000
const COLLECTION = 'meta/collection/1'

export interface CommitKitOptions {
  readonly channels: number
  /** Replaces what survives by something broken. */
  readonly plant?: ((stores: { readonly kv: KVBase; readonly mq: Mq }, world: World) => { readonly kv: KVBase; readonly mq: Mq }) | undefined
}

interface Owner {
  readonly life: Life
  readonly epoch: number
  /** Its lease has ended: whether it knows, or sleeps. */
  isOver: boolean
  log: OwnedLog | undefined
}

export interface Committed {
  readonly keys: readonly bigint[]
  /** Undefined: nobody was told. */
  outcome: { readonly ts: bigint } | 'nothing' | undefined
}

export class CommitKit {
  readonly world: World
  readonly channels: readonly string[]
  readonly collection: CollectionMeta
  readonly kv: KVBase
  readonly commits: Committed[] = []
  readonly owners = new Map<string, Owner>()
  readonly #mq: Mq
  readonly #epochs = new Map<string, number>()
  readonly #log: FencedLog
  #lastTs = 0n
  #lastId = 0n
  #closed = false

  constructor(world: World, { channels, plant = (stores) => stores }: CommitKitOptions) {
    this.world = world
    const { kv, mq } = createSurviving(world.clock)
    const planted = plant({ kv, mq }, world)
    this.kv = planted.kv
    this.#mq = planted.mq
    this.channels = Array.from({ length: channels }, (_, index) => `p${index}`)
    this.collection = { ...points, shards: this.channels.map((pchannel) => ({ vchannel: `v-${pchannel}`, pchannel })) }
    this.#log = new FencedLog({ mq: this.#mq, clock: world.clock, fences: (channel) => loadFences(this.kv, channel), awaitMeta: async () => undefined, retentionMs: 0 })
  }

  async start(): Promise<void> {
    await this.kv.save(COLLECTION, 'made')
    for (const channel of this.channels) await this.#mq.createChannel(channel)
    await Promise.all(this.channels.map((channel) => this.takeOver(channel)))
  }

  /** Of whatever is asked for later everything is greater. */
  timestamp = async (life: Life): Promise<bigint> => {
    await this.#way(life)
    const floor = BigInt(this.world.clock.monotonic()) << 18n
    this.#lastTs = this.#lastTs + 1n > floor ? this.#lastTs + 1n : floor
    const ts = this.#lastTs
    await this.#way(life)
    return ts
  }

  /** The lease of whoever has the channel has ended; another has it, in the end. */
  async takeOver(pchannel: string, kill = true): Promise<void> {
    const former = this.owners.get(pchannel)
    if (former !== undefined) former.isOver = true
    this.owners.delete(pchannel)
    if (kill) former?.life.kill()
    while (!this.#closed && !this.owners.has(pchannel)) {
      const epoch = (this.#epochs.get(pchannel) ?? 0) + 1
      this.#epochs.set(pchannel, epoch)
      const revision = await this.kv.save(CHANNEL_ROOT + pchannel, String(epoch))
      const owner: Owner = { life: new Life(this.world), epoch, isOver: false, log: undefined }
      this.owners.set(pchannel, owner)
      try {
        owner.log = await Promise.race([this.#open(pchannel, owner, revision), this.world.sleep(10_000).then(() => Promise.reject(new Error('it hangs')))])
      } catch (error) {
        if (error instanceof TypeError || error instanceof RangeError) throw error
        this.world.sometimes('no start of an owner')
        owner.isOver = true
        owner.life.kill()
        if (this.owners.get(pchannel) === owner) this.owners.delete(pchannel)
        await this.world.sleep(50)
      }
    }
  }

  #open(pchannel: string, owner: Owner, revision: bigint): Promise<OwnedLog> {
    const { life, epoch } = owner
    const isHeld = (): boolean => life.alive && !owner.isOver
    const onFailure = (): void => {
      if (owner.isOver || !life.alive) return
      this.world.sometimes('an owner gives up')
      void this.takeOver(pchannel)
    }
    const mq = new SimulatedMq(life, this.#mq)
    const log = new FencedLog({ mq, clock: life, fences: (channel) => loadFences(this.kv, channel), awaitMeta: async () => undefined, retentionMs: 0 })
    return openOwnedLog({
      kv: kvOf(life, this.kv), mq, log, clock: life,
      duty: { pchannel, epoch, revision, isHeld, onFailure },
      allocate: () => this.timestamp(life), tickIntervalMs: 200, commitTimeoutMs: COMMIT_TIMEOUT_MS,
      passed: async () => 0n, onTickError: () => undefined,
    })
  }

  /** Some row without a commit, as other clients write all the time. */
  async write(pchannel: string): Promise<void> {
    const owner = this.owners.get(pchannel)
    await owner?.log?.ticks.write(() => [{ channel: pchannel, msgs: [createTsMsg({ type: 9_999 })] }], [pchannel]).catch((error: unknown) => {
      // It may come later: no time is told any more until there is a new owner.
      if (endsProducer(error) && !owner.isOver && owner.life.alive) void this.takeOver(pchannel)
    })
  }

  createProxy(options: Partial<ChannelCommitterOptions> = {}): { readonly life: Life; readonly committer: ChannelCommitter } {
    const life = new Life(this.world)
    const kv = kvOf(life, this.kv)
    let revision = 0n
    const catchUp = async (): Promise<void> => {
      revision = (await kv.loadEntry(COLLECTION))?.modRevision ?? 0n
    }
    void catchUp().catch(() => undefined)
    const committer = new ChannelCommitter({
      kv, clock: life, timeoutMs: 8_000,
      channels: {
        holdTime: ({ pchannel, id }, signal) => this.#ask(life, pchannel, (holds) => holds.hold(id), signal),
        appendPart: ({ pchannel, id, index, ts, records }, signal) =>
          this.#ask(life, pchannel, (holds) => holds.append({ id, index, ts }, () => records.map(({ type, properties, body }) => createTsMsg({ type, ts, properties, body }))), signal),
        decide: ({ pchannel, id, committed }) => this.#ask(life, pchannel, (holds) => holds.decide(id, committed), undefined),
      },
      mirror: { collectionRevision: () => revision, catchUp },
      timestamps: { allocOne: () => this.timestamp(life) },
      ids: { allocOne: async () => (this.#lastId += 1n) },
      told: async () => undefined,
      onWarning: () => undefined,
      ...options,
    })
    return { life, committer }
  }

  /** Deletes: their bodies are small. Never rejects; of the dead nothing is known. */
  async commit({ life, committer }: { readonly life: Life; readonly committer: ChannelCommitter }, keys: readonly bigint[], signal = new AbortController().signal): Promise<void> {
    const commit: Committed = { keys, outcome: undefined }
    this.commits.push(commit)
    const write = { collection: this.collection, deletes: [{ partitionId: 0n, keys: primaryKeyColumn(5, keys) }], inserts: [] }
    const dead = new Promise<void>((resolve) => void life.onDeath(resolve))
    const done = committer.commit({ writes: [write], check: () => undefined, signal }).then(
      ({ ts }) => {
        if (life.alive) commit.outcome = { ts }
      },
      (error: unknown) => {
        if (life.alive && !(error instanceof TransactionError && error.outcome === 'unknown')) commit.outcome = 'nothing'
        if (!(error instanceof TransactionError) && !signal.aborted) this.world.violated(`a commit failed with ${String(error)}`)
      },
    )
    await Promise.race([done, dead])
    if (typeof commit.outcome === 'object') {
      this.world.sometimes('committed')
      const last = BigInt((await this.kv.load(`${LAST_COMMITS}1`)) ?? 0)
      if (last < commit.outcome.ts) this.world.violated(`a commit at ${commit.outcome.ts} was answered, and later reads need see only ${last}`)
    } else this.world.sometimes(commit.outcome ?? 'not known')
  }

  async changeCollection(): Promise<void> {
    await this.kv.save(COLLECTION, `changed ${this.world.clock.monotonic()}`)
  }

  /** Everything comes to rest, and is read from the beginning. */
  async verdict(restMs = COMMIT_TIMEOUT_MS + 15_000): Promise<void> {
    const { world } = this
    world.faults = false
    for (const { life } of this.owners.values()) life.resume()
    for (const channel of this.channels) {
      const owner = this.owners.get(channel)
      if (owner?.life.alive !== true || owner.isOver) await this.takeOver(channel)
    }
    await world.sleep(restMs)
    const end = await this.timestamp(new Life(world))
    const seen = new Map<bigint, bigint[]>()
    for (const channel of this.channels) for (const { ts, keys } of await this.read(channel, end)) for (const key of keys) seen.set(key, [...(seen.get(key) ?? []), ts])
    for (const { keys, outcome } of this.commits) {
      const times = new Set(keys.flatMap((key) => seen.get(key) ?? []))
      const found = keys.filter((key) => seen.has(key)).length
      const name = `commit of ${keys.join()}`
      if (keys.some((key) => (seen.get(key)?.length ?? 0) > 1)) world.violated(`${name}: rows were seen twice`)
      if (times.size > 1) world.violated(`${name}: parts were seen at ${[...times].join()}`)
      if (found !== 0 && found !== keys.length) world.violated(`${name}: half of it was seen`)
      if (outcome === 'nothing' && found > 0) world.violated(`${name}: it was said that nothing counts, and it was seen`)
      if (typeof outcome === 'object' && (found === 0 || !times.has(outcome.ts))) world.violated(`${name}: it was answered as committed at ${outcome.ts}, and was not seen then`)
    }
    for (const [channel, { log }] of this.owners) if ((log?.holds.size ?? 0) > 0) world.violated(`${channel} is held for ever`)
  }

  /** What counts of a channel up to a moment, in steps of time. */
  async read(channel: string, until: bigint): Promise<{ readonly ts: bigint; readonly keys: readonly bigint[] }[]> {
    const found: { ts: bigint; keys: bigint[] }[] = []
    const stream: TtMsgStream = await openTtMsgStream({ mq: this.#log.readers, clock: this.world.clock })
    await stream.asConsumer([channel], { subscription: 'check', from: 'earliest' })
    try {
      for (let reached = 0n; reached < until; ) {
        const pack: MsgPack | undefined = await Promise.race([stream.consume(), this.world.sleep(200_000).then(() => undefined)])
        if (pack === undefined) {
          const { log, epoch, isOver } = this.owners.get(channel) ?? {}
          this.world.violated(`the time of ${channel} stands still at ${reached}, ${until} is waited for: epoch ${epoch}, over ${isOver}, ${log?.holds.size} holds, last tick ${log?.ticks.lastTick(channel)}`)
          return found
        }
        for (const { header, message } of toDmlPack(pack).items) {
          if (header.ts <= reached) this.world.violated(`rows at ${header.ts} come behind the time ${reached} of ${channel}`)
          found.push({ ts: header.ts, keys: primaryKeyList(keysOf(message)).map(BigInt) })
        }
        reached = pack.endTs
      }
    } finally {
      await stream.close()
    }
    return found
  }

  close(): void {
    this.#closed = true
    for (const { life } of this.owners.values()) life.kill()
  }

  async #ask<T>(from: Life, pchannel: string, run: (holds: OwnedLog['holds']) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const end = this.world.clock.monotonic() + 8_000
    for (;;) {
      signal?.throwIfAborted()
      try {
        return await Promise.race([this.#call(from, pchannel, run), this.world.sleep(1_500).then(() => Promise.reject(new RpcError('RPC_TIMEOUT', 'no answer', { outcome: 'unknown' })))])
      } catch (error) {
        if (!isPassing(error) || this.world.clock.monotonic() > end) throw error
      }
      await new Promise<void>((resolve) => void from.setTimer(resolve, 20))
    }
  }

  async #call<T>(from: Life, pchannel: string, run: (holds: OwnedLog['holds']) => Promise<T>): Promise<T> {
    await this.#travel(from)
    const owner = this.owners.get(pchannel)
    if (owner?.log === undefined || owner.isOver) throw new RpcError('RPC_NOT_OWNER', `${pchannel} has no owner`, { outcome: 'not-applied' })
    await owner.life.running()
    const result = await run(owner.log.holds)
    await owner.life.running()
    if (!owner.life.alive) return never()
    await this.#travel(from)
    return result
  }

  async #travel(from: Life): Promise<void> {
    const { world } = this
    if (world.faults && world.random.chance(0.03)) {
      world.sometimes('message lost')
      return never()
    }
    await world.sleep(world.faults && world.random.chance(0.05) ? world.random.integer(1, 2_500) : world.random.integer(0, 2))
    await from.running()
    if (!from.alive) return never()
  }

  async #way(life: Life): Promise<void> {
    await this.world.sleep(this.world.random.integer(0, 2))
    await life.running()
    if (!life.alive) return never()
  }
}
