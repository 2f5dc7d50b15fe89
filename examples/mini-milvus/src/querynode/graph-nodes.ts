/** The query node's operators: input -> filter -> apply -> service time. */
import { BaseNode, type Msg } from '@timetick/flowgraph'
import type { DmlItem, DmlPack } from '../channel/dml-pack.ts'
import type { MetaReader } from '../coordinator/api.ts'
import { applied, isApplyTraced } from '../tracing.ts'
import { keysOf, rowsOf } from '../writer/log-messages.ts'
import { type Pause, StepMeter } from '../segment/steps.ts'
import type { CommitGate } from './commit-gate.ts'
import { prepareParts } from './commit-parts.ts'
import type { LoadedShard } from './loaded-shard.ts'
import type { ServiceTime } from '../channel/service-time.ts'

export type FindShard = (collectionId: bigint, vchannel: string) => LoadedShard | undefined

export interface QueryChannel {
  readonly name: string
  readonly serviceTime: ServiceTime
  readonly gate: CommitGate
  readonly find: FindShard
}

/** Tells how far the log has been begun. What belongs to collections that are not loaded is left out only where it is applied: they may be loaded by then. */
export class FilterNode extends BaseNode {
  readonly #channel: QueryChannel

  constructor(name: string, channel: QueryChannel) {
    super(name)
    this.#channel = channel
  }

  operate(inputs: readonly Msg[]): Msg {
    const pack = inputs[0] as DmlPack
    this.#channel.serviceTime.enter(pack.timeTick)
    return pack
  }
}

/** Appends inserted rows and kills deleted ones; those of a commit together with its parts on other channels. */
export class ApplyNode extends BaseNode {
  readonly #channel: QueryChannel
  readonly #meta: MetaReader
  readonly #pause: Pause

  /** @param pause lets others have a turn in the middle of a large pack */
  constructor(name: string, channel: QueryChannel, meta: MetaReader, pause: Pause) {
    super(name)
    this.#channel = channel
    this.#meta = meta
    this.#pause = pause
  }

  operate(inputs: readonly Msg[]): Msg | Promise<Msg> {
    const pack = inputs[0] as DmlPack
    if (pack.items.some(({ transaction }) => transaction !== undefined)) return this.#applyCommits(pack)
    const next = this.#applyFrom(pack, 0)
    return next === pack.items.length ? pack : this.#applyRest(pack, next)
  }

  async #applyRest(pack: DmlPack, first: number): Promise<Msg> {
    for (let next = first; next < pack.items.length; ) {
      // Who loads a collection meanwhile takes what is at or below the service time from segments, and the rest from here.
      this.#channel.serviceTime.advance((pack.items[next - 1] as DmlItem).header.ts)
      await this.#pause()
      next = this.#applyFrom(pack, next)
    }
    return pack
  }

  /** As much as a turn takes, never a part of what was written at one timestamp. @returns where to go on */
  #applyFrom({ items }: DmlPack, first: number): number {
    const meter = new StepMeter()
    for (let at = first; at < items.length; at++) {
      const item = items[at] as DmlItem
      if (meter.spend(this.#apply(item)) && at + 1 < items.length) return this.#applySame(items, at + 1, item.header.ts)
    }
    return items.length
  }

  #applySame(items: readonly DmlItem[], first: number, ts: bigint): number {
    let at = first
    for (; items[at]?.header.ts === ts; at++) this.#apply(items[at] as DmlItem)
    return at
  }

  async #applyCommits(pack: DmlPack): Promise<Msg> {
    const { name, gate, serviceTime } = this.#channel
    const { items } = pack
    for (let at = 0; at < items.length; ) {
      const { transaction, header } = items[at] as DmlItem
      if (transaction === undefined) {
        this.#apply(items[at++] as DmlItem)
        continue
      }
      let end = at + 1
      while (items[end]?.header.transaction === header.transaction) end++
      const parts = items.slice(at, end)
      at = end
      // Who loads a collection meanwhile takes what is at or below the service time from segments, and the rest from here.
      serviceTime.advance(header.ts - 1n)
      const prepared = await prepareParts(parts, this.#channel.find, this.#meta, this.#pause)
      const applied = await gate.arrive(name, transaction, () => {
        prepared.apply((item) => void this.#apply(item))
        serviceTime.advance(header.ts)
      })
      if (applied === false) return pack
    }
    return pack
  }

  /** @returns what it cost, in rows */
  #apply({ header, message }: DmlItem): number {
    const shard = this.#channel.find(header.collectionId, header.vchannel)
    const collection = this.#meta.collectionById(header.collectionId)
    if (shard === undefined || collection === undefined) return 0
    let cost = 0
    if (header.kind === 'delete') cost = shard.applyDelete({ partitionId: header.partitionId, keys: keysOf(message), ts: header.ts })
    else if (shard.takesInsert(header.ts)) {
      const rows = rowsOf(message)
      shard.applyInsert(collection, header.partitionId, rows, header.ts)
      cost = rows.length
    }
    if (isApplyTraced()) applied({ role: 'query-node', ...header })
    return cost
  }
}

/** Tells those who wait that everything up to the tick can be seen. */
export class ServiceTimeNode extends BaseNode {
  readonly #serviceTime: ServiceTime

  constructor(name: string, serviceTime: ServiceTime) {
    super(name)
    this.#serviceTime = serviceTime
  }

  operate(inputs: readonly Msg[]): undefined {
    this.#serviceTime.advance((inputs[0] as DmlPack).timeTick)
  }
}
