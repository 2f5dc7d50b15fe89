/** The query node's operators: input -> filter -> apply -> service time. */
import { BaseNode, type Msg } from '@timetick/flowgraph'
import { withItems, type DmlPack } from '../channel/dml-pack.ts'
import type { MetaReader } from '../coordinator/api.ts'
import { keysOf, rowsOf } from '../writer/log-messages.ts'
import type { LoadedShard } from './loaded-shard.ts'
import type { ServiceTime } from '../channel/service-time.ts'

export type FindShard = (collectionId: bigint, vchannel: string) => LoadedShard | undefined

/** Drops what belongs to collections that are not loaded, without decoding it. */
export class FilterNode extends BaseNode {
  readonly #find: FindShard

  constructor(name: string, find: FindShard) {
    super(name)
    this.#find = find
  }

  operate(inputs: readonly Msg[]): Msg {
    const pack = inputs[0] as DmlPack
    if (pack.items.length === 0) return pack
    return withItems(
      pack,
      pack.items.filter(({ header }) => this.#find(header.collectionId, header.vchannel) !== undefined),
    )
  }
}

/** Appends inserted rows and kills deleted ones. */
export class ApplyNode extends BaseNode {
  readonly #find: FindShard
  readonly #meta: MetaReader

  constructor(name: string, find: FindShard, meta: MetaReader) {
    super(name)
    this.#find = find
    this.#meta = meta
  }

  operate(inputs: readonly Msg[]): Msg {
    const pack = inputs[0] as DmlPack
    for (const { header, message } of pack.items) {
      const shard = this.#find(header.collectionId, header.vchannel)
      const collection = this.#meta.collectionById(header.collectionId)
      if (shard === undefined || collection === undefined) continue
      if (header.kind === 'insert') {
        if (header.ts > shard.handedOverTs) shard.applyInsert(collection, header.partitionId, rowsOf(message), header.ts)
      } else {
        shard.applyDelete({ partitionId: header.partitionId, keys: keysOf(message), ts: header.ts })
      }
    }
    return pack
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
