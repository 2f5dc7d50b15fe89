/** The data node's operators: input -> filter -> buffer -> flush. */
import { BaseNode, type Msg } from '@timetick/flowgraph'
import { withItems, type DmlPack } from '../channel/dml-pack.ts'
import type { ServiceTime } from '../channel/service-time.ts'
import type { MetaReader } from '../coordinator/api.ts'
import { applied, isApplyTraced } from '../tracing.ts'
import type { NodeClock } from '../edge/system.ts'
import { inTurns, STEP_BYTES } from '../segment/steps.ts'
import type { ChannelBuffers, DecodedItems } from './channel-buffers.ts'
import type { SealedBuffer } from './shard-buffer.ts'

/** Drops what belongs to collections that are gone, without decoding it. */
export class FilterNode extends BaseNode {
  readonly #meta: MetaReader

  constructor(name: string, meta: MetaReader) {
    super(name)
    this.#meta = meta
  }

  operate(inputs: readonly Msg[]): Msg {
    const pack = inputs[0] as DmlPack
    if (pack.items.length === 0) return pack
    return withItems(
      pack,
      pack.items.filter(({ header }) => this.#meta.collectionById(header.collectionId) !== undefined),
    )
  }
}

interface FlushMsg extends Msg {
  readonly sealed: readonly SealedBuffer[]
}

/** Buffers rows and deletes per shard; passes on what was sealed. */
export class BufferNode extends BaseNode {
  readonly #buffers: ChannelBuffers
  readonly #read: ServiceTime
  readonly #clock: Pick<NodeClock, 'monotonic' | 'yieldToLoop'>

  constructor(name: string, buffers: ChannelBuffers, read: ServiceTime, clock: Pick<NodeClock, 'monotonic' | 'yieldToLoop'>) {
    super(name)
    this.#buffers = buffers
    this.#read = read
    this.#clock = clock
  }

  operate(inputs: readonly Msg[]): FlushMsg | Promise<FlushMsg> {
    const pack = inputs[0] as DmlPack
    const bytes = pack.items.reduce((sum, { message }) => sum + message.body.length, 0)
    return bytes <= STEP_BYTES ? this.#take(pack) : this.#takeLarge(pack)
  }

  async #takeLarge(pack: DmlPack): Promise<FlushMsg> {
    return this.#take(pack, await inTurns(this.#buffers.decodeSteps(pack), () => this.#clock.yieldToLoop()))
  }

  #take(pack: DmlPack, decoded?: DecodedItems): FlushMsg {
    const sealed = this.#buffers.take(pack, this.#clock.monotonic(), decoded)
    this.#read.advance(pack.timeTick)
    if (isApplyTraced()) for (const { header } of pack.items) applied({ role: 'data-node', ...header })
    return { timeTick: pack.timeTick, sealed }
  }
}

/**
 * Hands sealed buffers to the flusher. It waits for a flush only when the channel holds too many bytes: then the log stops
 * being read, which is the backpressure of a slow disk.
 */
export class FlushNode extends BaseNode {
  readonly #flush: (sealed: SealedBuffer) => void
  readonly #room: () => Promise<void> | undefined

  constructor(name: string, flush: (sealed: SealedBuffer) => void, room: () => Promise<void> | undefined) {
    super(name)
    this.#flush = flush
    this.#room = room
  }

  operate(inputs: readonly Msg[]): undefined | Promise<undefined> {
    const { sealed } = inputs[0] as FlushMsg
    for (const buffer of sealed) this.#flush(buffer)
    const room = this.#room()
    return room === undefined ? undefined : room.then(() => undefined)
  }
}
