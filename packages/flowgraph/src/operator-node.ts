import { checkFunction } from './arguments.ts'
import type { Msg, OperateResult } from './msg.ts'
import { BaseNode } from './node.ts'
import type { BaseNodeOptions } from './node.ts'

export interface OperatorOptions extends BaseNodeOptions {
  readonly close?: (() => void | Promise<void>) | undefined
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
  readonly #close: (() => void | Promise<void>) | undefined

  constructor(
    name: string,
    operate: (inputs: readonly In[], signal: AbortSignal) => OperateResult | Promise<OperateResult>,
    options: OperatorOptions,
  ) {
    super(name, options)
    if (options.close !== undefined) checkFunction('close', options.close)
    this.#operate = operate
    this.#close = options.close
  }

  // The caller says which messages reach this node; the graph cannot know.
  operate(inputs: readonly Msg[], signal: AbortSignal): OperateResult | Promise<OperateResult> {
    return this.#operate(inputs as readonly In[], signal)
  }

  close(): void | Promise<void> {
    return this.#close?.()
  }
}
