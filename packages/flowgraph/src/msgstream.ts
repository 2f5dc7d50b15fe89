/** Packs of a time-ticked stream as the messages of a graph. */
import type { MsgPack } from '@timetick/msgstream'
import { InputNode } from './input-node.ts'
import type { Msg } from './msg.ts'
import type { BaseNodeOptions } from './node.ts'

/** What is asked of a pack; `MsgPack` of `@timetick/msgstream` has it. */
export interface PackLike {
  readonly beginTs: bigint
  readonly endTs: bigint
  readonly msgs: readonly unknown[]
  readonly startPositions: readonly unknown[]
  readonly endPositions: readonly unknown[]
}

/** One pack: its tick is the pack's `endTs`; everything in it has a timestamp in (`beginTs`, `endTs`]. */
export interface MsgStreamMsg<Pack extends PackLike = MsgPack> extends Msg {
  readonly pack: Pack
}

/** A `TtMsgStream`, or anything that gives packs in rising order of `endTs`. */
export type PackStream<Pack extends PackLike> = AsyncIterable<Pack> & { close?(): void | Promise<void> }

export interface MsgStreamNodeOptions extends BaseNodeOptions {
  /** Close the stream with the graph. @default true */
  readonly closeStream?: boolean | undefined
}

/**
 * A source that reads a stream: `MsgStreamInputNode` gives one {@link MsgStreamMsg} for each pack, empty packs too (they are progress).
 * After a crash read on from the `endPositions` of the last pack whose effects are durable. A pack whose `endTs` does not rise
 * stops the graph.
 */
export class MsgStreamInputNode<Pack extends PackLike = MsgPack> extends InputNode<Pack> {
  readonly #stream: PackStream<Pack>
  readonly #closeStream: boolean

  constructor(name: string, stream: PackStream<Pack>, options: MsgStreamNodeOptions = {}) {
    super(name, stream, (pack): MsgStreamMsg<Pack> => ({ timeTick: pack.endTs, pack }), options)
    this.#stream = stream
    this.#closeStream = options.closeStream ?? true
  }

  override async close(): Promise<void> {
    // The stream first: its close ends a pending read, which an async generator's `return` would wait for.
    const closing = this.#closeStream ? this.#stream.close?.() : undefined
    await Promise.all([closing, super.close()])
  }
}
