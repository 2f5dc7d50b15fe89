import { checkFunction, checkInteger, describeValue } from './arguments.ts'
import type { NodeSnapshot } from './checkpoint.ts'
import type { Msg } from './msg.ts'
import { BaseNode } from './node.ts'
import type { BaseNodeOptions } from './node.ts'
import { fromText, toText } from './state-text.ts'

export interface WindowOptions<In extends Msg, Item, Acc> extends Omit<BaseNodeOptions, 'maxParallelism' | 'seesSkips'> {
  /** Length of a window, in the unit of ticks; above 0n. (A second of hybrid timestamps is `1000n << 18n`.) */
  readonly size: bigint
  /** From the end of a window to the end of the next; `size` must be a multiple. Below `size` windows slide. @default size: they tumble */
  readonly slide?: bigint | undefined
  readonly items: (msg: In) => Iterable<Item>
  /** A time in (last tick, this tick]; others fail the tick. @default the tick of the message */
  readonly timeOf?: ((item: Item, msg: In) => bigint) | undefined
  readonly init: () => Acc
  /** Must not change the old value. */
  readonly fold: (acc: Acc, item: Item) => Acc
  /** Windows that may be open at once; a tick that would open more fails. @default 65_536 */
  readonly maxWindows?: number | undefined
}

/** Items with a time in (`start`, `end`]. */
export interface WindowResult<Acc> {
  readonly start: bigint
  readonly end: bigint
  readonly value: Acc
}

export interface WindowMsg<Acc> extends Msg {
  /** Closed at this tick, by rising end; windows without items are not there. */
  readonly windows: readonly WindowResult<Acc>[]
}

/**
 * Windows over time as ticks tell it: (k - size, k] for each multiple k of `slide`. A window is sent at the first tick that is not below
 * its end, also if that tick has nothing else; one that no tick has passed is not sent when the inputs end, but it is in the
 * checkpoint. A tick that fails changes nothing. Open windows go into checkpoints as JSON; bigints are kept.
 */
export function createWindowNode<In extends Msg, Item, Acc>(name: string, options: WindowOptions<In, Item, Acc>): WindowNode<In, Item, Acc> {
  return new WindowNode(name, options)
}

export class WindowNode<In extends Msg, Item, Acc> extends BaseNode {
  readonly #options: WindowOptions<In, Item, Acc>
  readonly #slide: bigint
  readonly #maxWindows: number
  #lastTick = -1n
  /** By end. */
  #open = new Map<bigint, Acc>()

  constructor(name: string, options: WindowOptions<In, Item, Acc>) {
    super(name, { ...options, seesSkips: true })
    for (const part of ['items', 'init', 'fold'] as const) checkFunction(part, options[part])
    if (options.timeOf !== undefined) checkFunction('timeOf', options.timeOf)
    const { size, slide = size } = options
    if (typeof size !== 'bigint' || size <= 0n) throw new RangeError(`expected \`size\` to be a bigint above 0n, got ${describeValue(size)}`)
    if (typeof slide !== 'bigint' || slide <= 0n || size % slide !== 0n)
      throw new RangeError(`expected \`slide\` to be a bigint that divides ${size}n, got ${describeValue(slide)}`)
    this.#options = options
    this.#slide = slide
    this.#maxWindows = checkInteger('maxWindows', options.maxWindows ?? 65_536, 1, 2 ** 24 - 1)
  }

  operate(inputs: readonly Msg[]): WindowMsg<Acc> | undefined {
    const timeTick = inputs[0]?.timeTick ?? -1n
    const changed = new Map<bigint, Acc>()
    // The caller says which messages reach this node.
    for (const msg of inputs) if (msg.skipThisTick !== true) this.#fold(msg as In, timeTick, changed)
    const opened = [...changed.keys()].filter((end) => !this.#open.has(end)).length
    if (this.#open.size + opened > this.#maxWindows)
      throw new RangeError(`expected "${this.name}" to hold at most ${this.#maxWindows} windows, got ${this.#open.size + opened}`)
    for (const [end, acc] of changed) this.#open.set(end, acc)
    this.#lastTick = timeTick
    const ends = [...this.#open.keys()].filter((end) => end <= timeTick).toSorted((a, b) => (a < b ? -1 : 1))
    if (ends.length === 0) return undefined
    const windows = ends.map((end) => ({ start: end - this.#options.size, end, value: this.#open.get(end) as Acc }))
    for (const end of ends) this.#open.delete(end)
    return { timeTick, windows }
  }

  snapshot(_timeTick: bigint): NodeSnapshot {
    return { state: toText([this.#lastTick, [...this.#open]]) }
  }

  restore(state: string): void {
    const [lastTick, open] = fromText<[bigint, [bigint, Acc][]]>(state)
    this.#lastTick = lastTick
    this.#open = new Map(open)
  }

  #fold(msg: In, timeTick: bigint, changed: Map<bigint, Acc>): void {
    const { items, timeOf, init, fold, size } = this.#options
    for (const item of items(msg)) {
      const time = timeOf?.(item, msg) ?? timeTick
      if (time > timeTick || time <= this.#lastTick)
        throw new RangeError(`expected an item of "${this.name}" to have a time in (${this.#lastTick}, ${timeTick}], got ${time}`)
      const first = ((time + this.#slide - 1n) / this.#slide) * this.#slide
      for (let end = first; end < time + size; end += this.#slide) {
        changed.set(end, fold(changed.has(end) ? (changed.get(end) as Acc) : this.#open.has(end) ? (this.#open.get(end) as Acc) : init(), item))
      }
    }
  }
}
