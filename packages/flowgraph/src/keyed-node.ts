import { checkFunction, checkInteger } from './arguments.ts'
import type { NodeSnapshot } from './checkpoint.ts'
import type { Msg } from './msg.ts'
import { BaseNode } from './node.ts'
import type { BaseNodeOptions } from './node.ts'
import { fromText, toText } from './state-text.ts'

export interface KeyedNodeOptions<In extends Msg, Item, State> extends Omit<BaseNodeOptions, 'maxParallelism' | 'seesSkips'> {
  /** What a message brings. */
  readonly items: (msg: In) => Iterable<Item>
  readonly keyOf: (item: Item) => string
  /** The key's new state; `undefined` in: there was none; `undefined` out: forget the key. Must not change the old one. */
  readonly reduce: (state: State | undefined, item: Item, timeTick: bigint) => State | undefined
  /** A tick that would lead to more keys than this fails. @default 1_000_000 */
  readonly maxKeys?: number | undefined
}

/** The keys that a tick touched with their states after it, in the order of the first touch; `undefined`: forgotten. */
export interface KeyedMsg<State> extends Msg {
  readonly entries: readonly (readonly [key: string, state: State | undefined])[]
}

/**
 * One state for each key, changed by the items of all inputs (input by input). A tick that fails changes nothing, so it may be retried.
 * States go into checkpoints as JSON; bigints are kept.
 */
export function createKeyedNode<In extends Msg, Item, State>(name: string, options: KeyedNodeOptions<In, Item, State>): KeyedNode<In, Item, State> {
  return new KeyedNode(name, options)
}

export class KeyedNode<In extends Msg, Item, State> extends BaseNode {
  readonly #options: KeyedNodeOptions<In, Item, State>
  readonly #maxKeys: number
  #states = new Map<string, State>()

  constructor(name: string, options: KeyedNodeOptions<In, Item, State>) {
    super(name, options)
    for (const part of ['items', 'keyOf', 'reduce'] as const) checkFunction(part, options[part])
    this.#options = options
    this.#maxKeys = checkInteger('maxKeys', options.maxKeys ?? 1_000_000, 1, 2 ** 24 - 1)
  }

  /** As of the last tick. */
  get(key: string): State | undefined {
    return this.#states.get(key)
  }

  get size(): number {
    return this.#states.size
  }

  operate(inputs: readonly Msg[]): KeyedMsg<State> {
    const { items, keyOf, reduce } = this.#options
    const timeTick = inputs[0]?.timeTick ?? -1n
    const touched = new Map<string, State | undefined>()
    for (const msg of inputs) {
      if (msg.skipThisTick === true) continue
      // The caller says which messages reach this node.
      for (const item of items(msg as In)) {
        const key = keyOf(item)
        touched.set(key, reduce(touched.has(key) ? touched.get(key) : this.#states.get(key), item, timeTick))
      }
    }
    this.#apply(touched)
    return { timeTick, entries: [...touched] }
  }

  snapshot(_timeTick: bigint): NodeSnapshot {
    return { state: toText([...this.#states]) }
  }

  restore(state: string): void {
    this.#states = new Map(fromText<[string, State][]>(state))
  }

  #apply(touched: ReadonlyMap<string, State | undefined>): void {
    let size = this.#states.size
    for (const [key, state] of touched) size += Number(state !== undefined) - Number(this.#states.has(key))
    if (size > this.#maxKeys) throw new RangeError(`expected "${this.name}" to hold at most ${this.#maxKeys} keys, got ${size}`)
    for (const [key, state] of touched) {
      if (state === undefined) this.#states.delete(key)
      else this.#states.set(key, state)
    }
  }
}
