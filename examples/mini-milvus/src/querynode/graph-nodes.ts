/** The query node's operators: input -> filter -> apply -> service time. */
import { BaseNode, type Msg } from '@timetick/flowgraph'
import { withItems, type DmlItem, type DmlPack } from '../channel/dml-pack.ts'
import type { MetaReader } from '../coordinator/api.ts'
import { applied, isApplyTraced } from '../tracing.ts'
import { keysOf, rowsOf } from '../writer/log-messages.ts'
import type { Pause } from '../segment/steps.ts'
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

/** Drops what belongs to collections that are not loaded, without decoding it. What a commit may hold up is looked at behind it: they may be loaded by then. */
export class FilterNode extends BaseNode {
  readonly #channel: QueryChannel

  constructor(name: string, channel: QueryChannel) {
    super(name)
    this.#channel = channel
  }

  operate(inputs: readonly Msg[]): Msg {
    const pack = inputs[0] as DmlPack
    this.#channel.serviceTime.enter(pack.timeTick)
    if (pack.items.length === 0) return pack
    const { name, gate, find } = this.#channel
    const hasParts = pack.items.some(({ transaction }) => transaction !== undefined)
    if (hasParts) gate.expect(name)
    if (hasParts || gate.isExpecting(name)) return pack
    return withItems(
      pack,
      pack.items.filter(({ header }) => find(header.collectionId, header.vchannel) !== undefined),
    )
  }
}

/** Appends inserted rows and kills deleted ones; those of a commit together with its parts on other channels. */
export class ApplyNode extends BaseNode {
  readonly #channel: QueryChannel
  readonly #meta: MetaReader
  readonly #pause: Pause

  constructor(name: string, channel: QueryChannel, meta: MetaReader, pause: Pause) {
    super(name)
    this.#channel = channel
    this.#meta = meta
    this.#pause = pause
  }

  operate(inputs: readonly Msg[]): Msg | Promise<Msg> {
    const pack = inputs[0] as DmlPack
    if (pack.items.some(({ transaction }) => transaction !== undefined)) return this.#applyCommits(pack)
    for (const item of pack.items) this.#apply(item)
    return pack
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
        prepared.apply((item) => this.#apply(item))
        serviceTime.advance(header.ts)
      })
      if (applied === false) return pack
    }
    gate.passed(name)
    return pack
  }

  #apply({ header, message }: DmlItem): void {
    const shard = this.#channel.find(header.collectionId, header.vchannel)
    const collection = this.#meta.collectionById(header.collectionId)
    if (shard === undefined || collection === undefined) return
    if (header.kind === 'insert') {
      if (shard.takesInsert(header.ts)) shard.applyInsert(collection, header.partitionId, rowsOf(message), header.ts)
    } else {
      shard.applyDelete({ partitionId: header.partitionId, keys: keysOf(message), ts: header.ts })
    }
    if (isApplyTraced()) applied({ role: 'query-node', ...header })
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
