/** The nodes of a graph (appendix A.4.3). */
import { checkFunction, checkInteger, checkName, checkObject } from './arguments.ts'
import type { NodeSnapshot } from './checkpoint.ts'
import { checkErrorPolicy } from './error-policy.ts'
import type { ErrorPolicy } from './error-policy.ts'
import type { Msg, OperateResult } from './msg.ts'
import type { FlowGraphStates } from './states.ts'

/** Beyond these a setting is a mistake. */
export const MAX_QUEUE_LENGTH = 2 ** 20
export const MAX_PARALLELISM = 2 ** 16

/** An operator. {@link BaseNode} has everything but `operate`. A node belongs to the graph it was added to, which closes it. */
export interface Node {
  /** Unique in its graph. */
  readonly name: string
  /** Messages that each of this node's input edges may hold: 1 to 1,048,576. A full edge stops the node above it. */
  readonly maxQueueLength: number
  /**
   * Bytes (`byteLength` of messages) at which an input edge counts as full: 1 to 2^53 - 1, no limit if not given. An edge below its limit
   * takes one more message of any size, so that nothing is too large to pass.
   */
  readonly maxQueueBytes?: number | undefined
  /** What a throw or rejection of `operate` leads to. Without it the graph stops. */
  readonly onError?: ErrorPolicy | undefined
  /** `operate` is called at ticks that all inputs skip too: windows need to know that time has passed. */
  readonly seesSkips?: boolean | undefined
  /** Ticks that may be in `operate` at once when it answers with promises: 1 to 65,536. Results leave in the order of ticks. */
  readonly maxParallelism: number
  /** Called once, when the graph starts, with the live states of the graph. */
  setPipelineStates(states: FlowGraphStates): void
  /**
   * One step. `inputs` has one message for each input edge, in the order of `setEdges`, and all carry the same tick;
   * an input that has nothing at this tick is there as a skip marker. Not called when all inputs skip.
   *
   * A throw or rejection stops the graph with `FLOW_OPERATOR_FAILED`. `signal` aborts when the graph stops without draining.
   * A node that answers synchronously costs no promise and never runs twice at once.
   */
  operate(inputs: readonly Msg[], signal: AbortSignal): OperateResult | Promise<OperateResult>
  /**
   * What this node knows when it has seen all ticks up to `timeTick` and none above: called between two ticks, for a checkpoint, and once more
   * when its inputs have ended. Synchronous; a throw stops the graph with `FLOW_CHECKPOINT_FAILED`.
   */
  snapshot?(timeTick: bigint): NodeSnapshot | undefined
  /** Called before the first tick with the `state` that `snapshot` gave, if the graph starts from a checkpoint. A throw is thrown by `start`. */
  restore?(state: string, timeTick: bigint): void
  /**
   * Called once, after the last `operate` has settled: the inputs have ended, or the graph stopped. A source's is called as soon as it
   * shall be read no more, since that may release a read that waits.
   */
  close?(): void | Promise<void>
}

/** A node without inputs that brings messages into the graph. {@link InputNode} makes one of any iterable. */
export interface SourceNode extends Node {
  /**
   * The next message or messages, in rising order of ticks; `undefined` ends the source. Asked for again only after the last answer was
   * taken and the edges below have room: that is the backpressure. The messages then pass through `operate`, one by one.
   */
  next(signal: AbortSignal): SourceResult | Promise<SourceResult>
}

export type SourceResult = Msg | readonly Msg[] | undefined

export function isSourceNode(node: Node): node is SourceNode {
  return 'next' in node && typeof node.next === 'function'
}

/** Nodes of any make are checked before they join a graph. */
export function checkNode(node: Node): void {
  checkObject('node', node)
  checkName('node.name', node.name)
  checkInteger('node.maxQueueLength', node.maxQueueLength, 1, MAX_QUEUE_LENGTH)
  checkInteger('node.maxParallelism', node.maxParallelism, 1, MAX_PARALLELISM)
  if (node.maxQueueBytes !== undefined) checkInteger('node.maxQueueBytes', node.maxQueueBytes, 1, Number.MAX_SAFE_INTEGER)
  if (node.onError !== undefined) checkErrorPolicy('node.onError', node.onError)
  const methods: Readonly<Record<string, unknown>> = {
    operate: Reflect.get(node, 'operate'),
    setPipelineStates: Reflect.get(node, 'setPipelineStates'),
  }
  for (const [method, value] of Object.entries(methods)) checkFunction(`node.${method}`, value)
}

export interface BaseNodeOptions {
  /** @default 1024 */
  readonly maxQueueLength?: number | undefined
  /** Above 1, `operate` may be entered again before its last promise settled. @default 1 */
  readonly maxParallelism?: number | undefined
  /** @default no limit but `maxQueueLength` */
  readonly maxQueueBytes?: number | undefined
  /** @default the graph stops */
  readonly onError?: ErrorPolicy | undefined
  /** @default false */
  readonly seesSkips?: boolean | undefined
}

/** The appendix's `baseNode`: extend it and write `operate`. Queue length and parallelism are read when the graph starts. */
export abstract class BaseNode implements Node {
  readonly name: string
  readonly maxQueueBytes: number | undefined
  readonly onError: ErrorPolicy | undefined
  readonly seesSkips: boolean
  #maxQueueLength: number
  #maxParallelism: number
  #graphStates: FlowGraphStates | undefined

  constructor(name: string, options: BaseNodeOptions = {}) {
    checkName('name', name)
    this.name = name
    this.maxQueueBytes =
      options.maxQueueBytes === undefined ? undefined : checkInteger('maxQueueBytes', options.maxQueueBytes, 1, Number.MAX_SAFE_INTEGER)
    this.onError = options.onError === undefined ? undefined : checkErrorPolicy('onError', options.onError)
    this.seesSkips = options.seesSkips ?? false
    this.#maxQueueLength = checkInteger('maxQueueLength', options.maxQueueLength ?? 1024, 1, MAX_QUEUE_LENGTH)
    this.#maxParallelism = checkInteger('maxParallelism', options.maxParallelism ?? 1, 1, MAX_PARALLELISM)
  }

  get maxQueueLength(): number {
    return this.#maxQueueLength
  }

  get maxParallelism(): number {
    return this.#maxParallelism
  }

  /** The states of the graph this node runs in; `undefined` before it starts. */
  get graphStates(): FlowGraphStates | undefined {
    return this.#graphStates
  }

  setMaxQueueLength(n: number): void {
    this.#maxQueueLength = checkInteger('maxQueueLength', n, 1, MAX_QUEUE_LENGTH)
  }

  setMaxParallelism(n: number): void {
    this.#maxParallelism = checkInteger('maxParallelism', n, 1, MAX_PARALLELISM)
  }

  setPipelineStates(states: FlowGraphStates): void {
    this.#graphStates = states
  }

  abstract operate(inputs: readonly Msg[], signal: AbortSignal): OperateResult | Promise<OperateResult>
}
