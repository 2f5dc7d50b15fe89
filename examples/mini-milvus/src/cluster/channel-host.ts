/** The data role of a process: takes the channels that it is given, gives back those that it is asked for, drops all when its lease ends. */
import type { KVBase } from '@timetick/kv'
import type { CallOptions } from '../internal/service.ts'
import { AppendRoom } from './append-room.ts'
import type { AppendRequest, ChannelApi, ChannelsRequest, CompactionReport, DecideRequest, HoldRequest, PartRequest } from './apis.ts'
import { CHANNEL_ROOT } from './channel-assigner.ts'
import { type ChannelAssignment, decodeAssignment } from './channel-plan.ts'
import { noteRelease } from './channel-releases.ts'
import { FollowedPrefix } from './followed-prefix.ts'
import type { Membership } from './membership.ts'
import { OwnedChannel, type OwnedChannelOptions } from './owned-channel.ts'
import { notOwner } from './owned-log.ts'

export interface ChannelHostOptions extends OwnedChannelOptions {
  readonly kv: KVBase
  readonly membership: Membership
}

interface Held {
  readonly owner: string
  readonly epoch: number
  /** Opening, then open; rejected when it could not be opened. */
  readonly channel: Promise<OwnedChannel>
  opened: OwnedChannel | undefined
  isGivenUp: boolean
}

function isFenced(error: unknown): boolean {
  const { code } = error as { readonly code?: unknown }
  return code === 'RPC_NOT_OWNER' || code === 'RPC_FENCED'
}

/** Between failures that have to do with each other. */
const CALM_MS = 10_000
const MAX_PAUSE_MS = 3_000

export class ChannelHost implements ChannelApi {
  readonly #options: ChannelHostOptions
  readonly #assignments = new Map<string, ChannelAssignment & { readonly revision: bigint }>()
  readonly #held = new Map<string, Held>()
  readonly #closing = new Set<Promise<void>>()
  /** Incarnations of ownership that were given back: nobody but the next one may take the channel up again. */
  readonly #givenBack = new Map<string, number>()
  readonly #failures = new Map<string, { readonly count: number; readonly at: number }>()
  readonly #pauses = new Set<() => void>()
  #followed: FollowedPrefix | undefined
  readonly #room = new AppendRoom()
  #refusedAppends = 0
  #closed = false

  private constructor(options: ChannelHostOptions) {
    this.#options = options
  }

  static async open(options: ChannelHostOptions): Promise<ChannelHost> {
    const host = new ChannelHost(options)
    const { kv, clock, onWarning } = options
    host.#followed = await FollowedPrefix.open({
      kv, clock, prefix: CHANNEL_ROOT,
      onEvents: (events) => {
        for (const { key, value, revision } of events) {
          if (value === undefined) host.#assignments.delete(key)
          else host.#assignments.set(key, { ...decodeAssignment(value), revision })
        }
        host.reconcile()
      },
      onProblem: (error) => onWarning('assignments of channels could not be followed', error),
    })
    return host
  }

  /** Channels that are open here. */
  get channels(): OwnedChannel[] {
    return [...this.#held.values()].flatMap(({ opened }) => (opened === undefined ? [] : [opened]))
  }

  /** Assignments or the lease have changed. */
  reconcile(): void {
    const { membership } = this.#options
    for (const [pchannel, held] of this.#held) {
      const wanted = this.#assignments.get(pchannel)
      if (held.owner !== membership.id || wanted?.owner !== held.owner || wanted.epoch !== held.epoch) this.#giveUp(pchannel, held, false)
      else if (wanted.leaving) this.#giveUp(pchannel, held, true)
    }
    if (this.#closed || !membership.isLive) return
    for (const [pchannel, { owner, epoch, revision, leaving }] of this.#assignments) {
      if (owner !== membership.id || this.#held.has(pchannel) || (this.#givenBack.get(pchannel) ?? 0) >= epoch) continue
      // Asked back before it was taken: there is nothing to close.
      if (leaving) this.#release(pchannel, owner, epoch)
      else this.#take(pchannel, owner, epoch, revision)
    }
  }

  /** Appends that were not confirmed, as the channel was not, or no longer, owned here. */
  get refusedAppends(): number {
    return this.#refusedAppends
  }

  async append(request: AppendRequest, { signal }: CallOptions = {}): Promise<{ readonly timestamp: bigint }> {
    try {
      const channel = this.#find(request.pchannel)
      return await this.#room.hold(request, () => channel.append(request, signal))
    } catch (error) {
      if (isFenced(error)) this.#refusedAppends++
      throw error
    }
  }

  async holdTime({ pchannel, id }: HoldRequest): Promise<{ readonly fence: bigint }> {
    return { fence: await this.#find(pchannel).holdTime(id) }
  }

  async appendPart(request: PartRequest, { signal }: CallOptions = {}): Promise<object> {
    const channel = this.#find(request.pchannel)
    channel.touchHold(request.id)
    await this.#room.hold(request, () => channel.appendPart(request, signal))
    return {}
  }

  async decide(request: DecideRequest): Promise<object> {
    await this.#find(request.pchannel).decide(request)
    return {}
  }

  async requestTick({ pchannels, atLeast }: ChannelsRequest & { readonly atLeast: bigint }): Promise<object> {
    for (const pchannel of pchannels) this.#find(pchannel).requestTick(atLeast)
    return {}
  }

  async flushShard({ pchannel, collectionId, vchannel, ts }: Parameters<ChannelApi['flushShard']>[0], { signal }: CallOptions = {}): Promise<{ readonly revision: bigint }> {
    const channel = this.#find(pchannel)
    const { mirror } = this.#options
    if (mirror.collectionById(collectionId) === undefined) await mirror.catchUp(signal)
    await channel.dataNode.flushShard({ collectionId, vchannel }, ts)
    return { revision: mirror.revision }
  }

  async unflushedRows({ pchannels, collectionId, partitionId, ts }: Parameters<ChannelApi['unflushedRows']>[0]): Promise<{ rows: number; revision: bigint }> {
    const channels = pchannels.map((pchannel) => this.#find(pchannel))
    for (const channel of channels) channel.requestTick(ts)
    await Promise.all(channels.map((channel) => channel.dataNode.waitForTicks([channel.duty.pchannel], ts)))
    for (const channel of channels) channel.assertHeld()
    const rows = channels.reduce((sum, { dataNode }) => sum + dataNode.unflushedRows(collectionId, partitionId), 0)
    const flushed = pchannels.flatMap((pchannel) => this.#segmentRows(collectionId, partitionId, pchannel)).reduce((sum, count) => sum + count, 0)
    return { rows: rows + flushed, revision: this.#options.mirror.revision }
  }

  async badIndex({ pchannel, segmentId, index }: Parameters<ChannelApi['badIndex']>[0]): Promise<object> {
    await this.#find(pchannel).reportBadIndex(segmentId, index)
    return {}
  }

  async compact({ pchannels, id, collectionId }: ChannelsRequest & { readonly id: bigint; readonly collectionId: bigint }): Promise<{ isNeeded: boolean }> {
    return { isNeeded: pchannels.map((pchannel) => this.#find(pchannel).compactor.request(id, collectionId)).includes(true) }
  }

  async compaction({ id }: { readonly id: bigint }): Promise<{ report?: CompactionReport | undefined }> {
    const found = this.channels.flatMap(({ compactor }) => compactor.requested(id) ?? [])
    if (found.length === 0) return {}
    const state = found.some((one) => one.state === 'failed') ? 'failed' : found.some((one) => one.state === 'executing') ? 'executing' : 'completed'
    return { report: { state, merges: found.flatMap(({ merges }) => merges.map(({ sources, target }) => ({ sources, target }))) } }
  }

  /** Gives every channel back. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true
    for (const end of this.#pauses) end()
    await this.#followed?.close()
    for (const [pchannel, held] of this.#held) this.#giveUp(pchannel, held, true)
    await Promise.all(this.#closing)
  }

  #segmentRows(collectionId: bigint, partitionId: bigint | undefined, pchannel: string): number[] {
    const { mirror } = this.#options
    const mine = new Set(mirror.collectionById(collectionId)?.shards.filter((shard) => shard.pchannel === pchannel).map(({ vchannel }) => vchannel))
    return mirror
      .segments(collectionId)
      .filter((segment) => segment.level === 'L1' && mine.has(segment.vchannel) && (partitionId === undefined || segment.partitionId === partitionId))
      .map(({ rows, deadRows }) => rows + (deadRows ?? 0))
  }

  #find(pchannel: string): OwnedChannel {
    const held = this.#held.get(pchannel)
    if (held?.opened === undefined || held.isGivenUp) throw notOwner(pchannel)
    held.opened.assertHeld()
    return held.opened
  }

  #take(pchannel: string, owner: string, epoch: number, revision: bigint): void {
    const { membership, onWarning } = this.#options
    const isHeld = (): boolean => membership.isLive && membership.id === owner
    const onFailure = (error: Error): void => {
      if (this.#held.get(pchannel) !== held || held.isGivenUp) return
      onWarning(`channel ${pchannel} is given back`, error)
      this.#giveUp(pchannel, held, true, this.#patience(pchannel))
    }
    const channel = OwnedChannel.open(this.#options, { pchannel, epoch, revision, isHeld, onFailure })
    const held: Held = { owner, epoch, channel, opened: undefined, isGivenUp: false }
    this.#held.set(pchannel, held)
    channel.then((opened) => (held.opened = opened), onFailure)
  }

  /** @param tell somebody else may have it now; else it is somebody else's already, or will be when the lease ends */
  #giveUp(pchannel: string, held: Held, tell: boolean, pauseMs = 0): void {
    if (held.isGivenUp) return
    held.isGivenUp = true
    if (tell) this.#givenBack.set(pchannel, held.epoch)
    const { onWarning } = this.#options
    const closed = held.channel
      .then((channel) => channel.close(), () => undefined)
      .catch((error: unknown) => onWarning(`closing channel ${pchannel} failed`, error))
      .then(async () => {
        if (pauseMs > 0) await this.#pause(pauseMs)
        if (this.#held.get(pchannel) === held) this.#held.delete(pchannel)
        if (tell) await this.#tellRelease(pchannel, held.owner, held.epoch)
        this.reconcile()
      })
    this.#closing.add(closed)
    void closed.finally(() => this.#closing.delete(closed))
  }

  /** A channel that fails again and again is not handed around as fast as that goes. */
  #patience(pchannel: string): number {
    const now = this.#options.clock.monotonic()
    const before = this.#failures.get(pchannel)
    const count = before === undefined || now - before.at > CALM_MS ? 1 : before.count + 1
    this.#failures.set(pchannel, { count, at: now })
    return count === 1 ? 0 : Math.min(MAX_PAUSE_MS, 50 * 2 ** Math.min(count, 20))
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        cancel()
        this.#pauses.delete(end)
        resolve()
      }
      const cancel = this.#options.clock.setTimer(end, ms)
      if (this.#closed) end()
      else this.#pauses.add(end)
    })
  }

  #release(pchannel: string, owner: string, epoch: number): void {
    const told = this.#tellRelease(pchannel, owner, epoch)
    this.#closing.add(told)
    void told.finally(() => this.#closing.delete(told))
  }

  /** Until it is known: an owner that has given up and lives keeps everybody from the channel. */
  async #tellRelease(pchannel: string, owner: string, epoch: number): Promise<void> {
    const { kv, coordinator, membership, onWarning } = this.#options
    const isMine = (): boolean => {
      const present = this.#assignments.get(pchannel)
      return present?.owner === owner && present.epoch === epoch && membership.id === owner
    }
    for (let attempt = 0; isMine() && (attempt === 0 || !this.#closed); attempt++) {
      try {
        await coordinator.release({ pchannel, owner, epoch })
        return
      } catch (error) {
        onWarning(`${pchannel} could not be given back`, error)
        const assigned = isMine() ? this.#assignments.get(pchannel)?.revision : undefined
        // Who cannot be called from here may be cut off from here only: it sees the store.
        if (assigned !== undefined && (await noteRelease(kv, { pchannel, owner, epoch }, assigned).catch(() => false))) return
      }
    }
  }
}
