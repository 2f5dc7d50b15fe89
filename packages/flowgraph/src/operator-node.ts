import { checkFunction } from './arguments.ts'
import type { NodeSnapshot } from './checkpoint.ts'
import type { Msg, OperateResult } from './msg.ts'
import { BaseNode } from './node.ts'
import type { BaseNodeOptions } from './node.ts'

export interface OperatorOptions extends BaseNodeOptions {
  readonly close?: (() => void | Promise<void>) | undefined
  /** See `Node`. */
  readonly snapshot?: ((timeTick: bigint) => NodeSnapshot | undefined) | undefined
  readonly restore?: ((state: string, timeTick: bigint) => void) | undefined
}

/**
 * A node whose `operate` is a function: `createNode('double', ([msg]) => …)`. For operators with state of their own
 * extend {@link BaseNode}.
 */
export function createNode<In extends Msg = Msg>(
  name: string,
  operate: (inputs: readonly In[], signal: AbortSignal) => OperateResult | Promise<OperateResult>,
  options: OperatorOptions = {},
): BaseNode {
  checkFunction('operate', operate)
  return new OperatorNode<In>(name, operate, options)
}

class OperatorNode<In extends Msg> extends BaseNode {
  readonly #operate: (inputs: readonly In[], signal: AbortSignal) => OperateResult | Promise<OperateResult>
  readonly #snapshot: OperatorOptions['snapshot']
  readonly #restore: OperatorOptions['restore']
  readonly #close: (() => void | Promise<void>) | undefined

  constructor(
    name: string,
    operate: (inputs: readonly In[], signal: AbortSignal) => OperateResult | Promise<OperateResult>,
    options: OperatorOptions,
  ) {
    super(name, options)
    if (options.close !== undefined) checkFunction('close', options.close)
    if (options.snapshot !== undefined) checkFunction('snapshot', options.snapshot)
    if (options.restore !== undefined) checkFunction('restore', options.restore)
    this.#snapshot = options.snapshot
    this.#restore = options.restore
    this.#operate = operate
    this.#close = options.close
  }

  // The caller says which messages reach this node; the graph cannot know.
  operate(inputs: readonly Msg[], signal: AbortSignal): OperateResult | Promise<OperateResult> {
    return this.#operate(inputs as readonly In[], signal)
  }

  snapshot(timeTick: bigint): NodeSnapshot | undefined {
    return this.#snapshot?.(timeTick)
  }

  restore(state: string, timeTick: bigint): void {
    this.#restore?.(state, timeTick)
  }

  close(): void | Promise<void> {
    return this.#close?.()
  }
}
