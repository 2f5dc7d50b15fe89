/** Asks the owner of a channel, whoever it is now. What surely was not done is asked again, of the next owner, until the deadline. */
import type { KVBase } from '@timetick/kv'
import type { CallOptions as MqCallOptions, ProducedIds, StampedAppend, TimeTickProducer, Timestamp } from '@timetick/msgstream'
import type { NodeClock } from '../edge/system.ts'
import { isPassing, isRpcError, isSafeToRepeat, RpcError } from '../internal/errors.ts'
import { type CallOptions, createClient } from '../internal/service.ts'
import type { Transport } from '../internal/transport.ts'
import type { SegmentIndexMeta } from '../model/meta.ts'
import { type ChannelApi, CHANNELS, type CompactionReport, type DecideRequest, type HoldRequest, type PartRequest } from './apis.ts'
import { CHANNEL_ROOT } from './channel-assigner.ts'
import { type ChannelAssignment, decodeAssignment } from './channel-plan.ts'
import type { CatalogMirror } from './catalog-mirror.ts'
import type { Directory } from './directory.ts'
import { FollowedPrefix } from './followed-prefix.ts'
import { HeldDuties } from './held-duties.ts'

export interface ChannelClientOptions {
  readonly kv: Pick<KVBase, 'loadEntry' | 'loadWithPrefix' | 'watchWithPrefix'>
  readonly clock: NodeClock
  readonly transport: Pick<Transport, 'call'>
  readonly directory: Directory
  readonly mirror: CatalogMirror
  /** The data role of this process and its address, where it has one: called without a detour. */
  readonly local?: { readonly address: string; readonly api: ChannelApi } | undefined
  /** Of calls that are tried again. */
  readonly timeoutMs: number
  readonly onProblem: (message: string, error: unknown) => void
}

const RETRY_MS = 20
/** An owner whose log does not keep up is not asked as often. */
const OVERLOADED_MS = 250

export class ChannelClient implements Pick<TimeTickProducer, 'write' | 'requestTick'> {
  readonly #options: ChannelClientOptions
  readonly #assignments = new Map<string, ChannelAssignment>()
  readonly #clients = new Map<string, ChannelApi>()
  readonly #duties: HeldDuties
  #followed: FollowedPrefix | undefined

  private constructor(options: ChannelClientOptions) {
    this.#options = options
    this.#duties = new HeldDuties(options.clock)
  }

  static async open(options: ChannelClientOptions): Promise<ChannelClient> {
    const client = new ChannelClient(options)
    const { kv, clock, onProblem } = options
    client.#followed = await FollowedPrefix.open({
      kv, clock, prefix: CHANNEL_ROOT,
      onEvents: (events) => {
        for (const { key, value } of events) {
          if (value === undefined) client.#assignments.delete(key)
          else client.#assignments.set(key, decodeAssignment(value))
          client.#duties.changed(key, client.#assignments.get(key)?.owner)
        }
      },
      onProblem: (error) => onProblem('owners of channels could not be followed', error),
    })
    return client
  }

  /** Who owns which channel, as far as is known here. */
  get assignments(): ReadonlyMap<string, ChannelAssignment> {
    return this.#assignments
  }

  /** As a producer's: but each channel's owner stamps its part, and the last timestamp is the call's. */
  async write(build: (ts: Timestamp) => readonly StampedAppend[], _channels: readonly string[], { signal }: MqCallOptions = {}): Promise<{ readonly timestamp: Timestamp; readonly ids: ProducedIds }> {
    const { mirror } = this.#options
    const replies = await Promise.all(
      build(0n).map(({ channel: pchannel, msgs }) => {
        const records = msgs.map(({ type, properties, body }) => ({ type, properties, body }))
        const metaRevision = records.reduce((most, { properties: { c } }) => {
          const known = c === undefined ? 0n : mirror.collectionRevision(BigInt(c))
          return known > most ? known : most
        }, 0n)
        // What was sent is waited for, whoever gives up: the call keeps its place as long as its rows are under way.
        return this.#ask(pchannel, (owner, options) => owner.append({ pchannel, records, metaRevision }, options), false, signal)
      }),
    )
    return { timestamp: replies.reduce((most, { timestamp }) => (timestamp > most ? timestamp : most), 0n), ids: new Map() }
  }

  /** See {@link ChannelApi}: each of them does once what it is asked for twice. */
  async holdTime(request: HoldRequest, signal: AbortSignal): Promise<bigint> {
    const { fence } = await this.#ask(request.pchannel, (owner) => owner.holdTime(request, { signal }), true, signal)
    return fence
  }

  async appendPart(request: PartRequest, signal: AbortSignal): Promise<void> {
    await this.#ask(request.pchannel, (owner) => owner.appendPart(request), true, signal)
  }

  async decide(request: DecideRequest): Promise<void> {
    await this.#ask(request.pchannel, (owner) => owner.decide(request), true, undefined)
  }

  /** A wish: the next tick comes anyway. */
  requestTick(pchannels: readonly string[], atLeast: bigint): void {
    for (const [owner, mine] of this.#byOwner(pchannels)) {
      this.#apiOf(owner)?.requestTick({ pchannels: mine, atLeast }).catch(() => undefined)
    }
  }

  /** Resolves when everything of the shard at or below `ts` is in segments that are known here. */
  async flushShard({ pchannel, collectionId, vchannel }: { readonly pchannel: string; readonly collectionId: bigint; readonly vchannel: string }, ts: bigint): Promise<void> {
    const { revision } = await this.#ask(pchannel, (owner, options) => owner.flushShard({ pchannel, collectionId, vchannel, ts }, options), true, undefined)
    await this.#options.mirror.waitFor(revision)
  }

  /** All rows of a collection, in segments or not, of the writes at or below `ts`. */
  async rows(pchannels: readonly string[], collectionId: bigint, partitionId: bigint | undefined, ts: bigint): Promise<number> {
    const counts = await Promise.all(
      pchannels.map((pchannel) => this.#ask(pchannel, (owner, options) => owner.unflushedRows({ pchannels: [pchannel], collectionId, partitionId, ts }, options), true, undefined)),
    )
    return counts.reduce((sum, { rows }) => sum + rows, 0)
  }

  async reportBadIndex(pchannel: string, segmentId: bigint, index: SegmentIndexMeta): Promise<void> {
    await this.#ask(pchannel, (owner, options) => owner.badIndex({ pchannel, segmentId, index }, options), true, undefined)
  }

  async compact(pchannels: readonly string[], id: bigint, collectionId: bigint): Promise<boolean> {
    const replies = await Promise.all(pchannels.map((pchannel) => this.#ask(pchannel, (owner, options) => owner.compact({ pchannels: [pchannel], id, collectionId }, options), true, undefined)))
    return replies.some(({ isNeeded }) => isNeeded)
  }

  /** Of all owners together; undefined when none has heard of it. */
  async compaction(id: bigint): Promise<CompactionReport | undefined> {
    const owners = [...this.#byOwner([...this.#assignments.keys()]).keys()]
    const replies = await Promise.all(owners.map(async (owner) => (await this.#apiOf(owner)?.compaction({ id }))?.report))
    const reports = replies.filter((report) => report !== undefined)
    if (reports.length === 0) return undefined
    const state = reports.some((one) => one.state === 'failed') ? 'failed' : reports.some((one) => one.state === 'executing') ? 'executing' : 'completed'
    return { state, merges: reports.flatMap(({ merges }) => merges) }
  }

  async close(): Promise<void> {
    await this.#followed?.close()
  }

  #byOwner(pchannels: readonly string[]): Map<string, string[]> {
    const groups = new Map<string, string[]>()
    for (const pchannel of pchannels) {
      const owner = this.#assignments.get(pchannel)?.owner ?? ''
      if (owner !== '') groups.set(owner, [...(groups.get(owner) ?? []), pchannel])
    }
    return groups
  }

  #apiOf(owner: string): ChannelApi | undefined {
    const { directory, local, transport } = this.#options
    const address = directory.find(owner)?.address
    if (address === undefined) return undefined
    if (address === local?.address) return local.api
    let api = this.#clients.get(address)
    if (api === undefined) {
      api = createClient(CHANNELS, transport, () => address)
      if (this.#clients.size >= 1_000) this.#clients.clear()
      this.#clients.set(address, api)
    }
    return api
  }

  async #ask<T>(pchannel: string, run: (owner: ChannelApi, options: CallOptions) => Promise<T>, mayRepeat: boolean, signal: AbortSignal | undefined): Promise<T> {
    const { clock, timeoutMs } = this.#options
    const end = clock.monotonic() + timeoutMs
    for (;;) {
      signal?.throwIfAborted()
      const owner = this.#assignments.get(pchannel)?.owner ?? ''
      const api = owner === '' ? undefined : this.#apiOf(owner)
      let failure: unknown
      if (api === undefined) failure = new RpcError('RPC_NOT_OWNER', `channel ${pchannel} has no owner`, { outcome: 'not-applied' })
      else {
        try {
          return await this.#duties.ask(pchannel, owner, (lost) => run(api, { signal: lost }))
        } catch (error) {
          failure = mayRepeat ? passedOn(error) : error
        }
      }
      const again = isSafeToRepeat(failure) || (mayRepeat && isPassing(failure))
      if (!again || clock.monotonic() + RETRY_MS >= end) throw failure
      await new Promise<void>((resolve) => {
        clock.setTimer(resolve, isRpcError(failure, 'RPC_OVERLOADED') ? OVERLOADED_MS : RETRY_MS)
      })
    }
  }
}

/** An owner that was overtaken while it worked, and whose report nobody took: what may be repeated is the next one's to do. */
function passedOn(error: unknown): unknown {
  return isRpcError(error, 'RPC_NOT_OWNER') ? new RpcError('RPC_NOT_OWNER', error.message, { cause: error, outcome: 'not-applied' }) : error
}
