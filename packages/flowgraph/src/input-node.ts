import { checkFunction, describeValue } from './arguments.ts'
import type { Msg, OperateResult } from './msg.ts'
import { BaseNode } from './node.ts'
import type { BaseNodeOptions, SourceNode, SourceResult } from './node.ts'

/** Where an input node reads: an iterable, or a function that opens one and whose signal aborts when the graph closes. */
export type InputSource<T> = AsyncIterable<T> | Iterable<T> | ((signal: AbortSignal) => AsyncIterable<T> | Iterable<T>)

/** One item as a message, as several in rising order of ticks, or as nothing: then no tick passes. */
export type ToMsg<T> = (item: T) => Msg | readonly Msg[] | undefined

/**
 * A source over any iterable. A synchronous iterable costs no promise. Items are asked for one at a time, when the edges
 * below have room; the iterable's `return()` is called once when the graph closes first.
 *
 *     new InputNode('input', packs, (pack) => ({ timeTick: pack.endTs, pack }))
 *
 * Override `operate` to route: it gets each message before the edges do.
 */
export class InputNode<T> extends BaseNode implements SourceNode {
  readonly #source: InputSource<T>
  readonly #toMsg: ToMsg<T>
  readonly #abort = new AbortController()
  #iterator: AsyncIterator<T> | Iterator<T> | undefined
  #ended = false

  constructor(name: string, source: InputSource<T>, toMsg: ToMsg<T>, options: BaseNodeOptions = {}) {
    super(name, options)
    if (typeof source !== 'function' && !isIterable(source))
      throw new TypeError(`expected \`source\` to be an iterable or a function that gives one, got ${describeValue(source)}`)
    checkFunction('toMsg', toMsg)
    this.#source = source
    this.#toMsg = toMsg
  }

  next(_signal: AbortSignal): SourceResult | Promise<SourceResult> {
    if (this.#ended) return undefined
    const result = (this.#iterator ??= this.#open()).next()
    return isThenable(result) ? this.#nextAsync(result) : this.#take(result)
  }

  operate(inputs: readonly Msg[], _signal: AbortSignal): OperateResult | Promise<OperateResult> {
    return inputs[0]
  }

  async close(): Promise<void> {
    this.#abort.abort()
    if (this.#ended) return
    this.#ended = true
    await this.#iterator?.return?.()
  }

  async #nextAsync(result: PromiseLike<IteratorResult<T>>): Promise<SourceResult> {
    return this.#take(await result)
  }

  /** An item that makes no message gives an empty list: the graph asks again, and keeps its slices. */
  #take(result: IteratorResult<T>): SourceResult {
    if (result.done === true) {
      this.#ended = true
      return undefined
    }
    return this.#toMsg(result.value) ?? []
  }

  #open(): AsyncIterator<T> | Iterator<T> {
    const source = typeof this.#source === 'function' ? this.#source(this.#abort.signal) : this.#source
    if (!isIterable(source)) throw new TypeError(`expected \`source\` to give an iterable, got ${describeValue(source)}`)
    return Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  }
}

function isIterable(value: unknown): value is AsyncIterable<unknown> | Iterable<unknown> {
  return typeof value === 'object' && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value)
}

function isThenable<T>(value: IteratorResult<T> | PromiseLike<IteratorResult<T>>): value is PromiseLike<IteratorResult<T>> {
  return 'then' in value && typeof value.then === 'function'
}
