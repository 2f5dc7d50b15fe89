import { createNode, createTimeTickedFlowGraph, InputNode } from '../src/index.ts'
import type { FlowGraphOptions, Msg, Node, OperateResult, TimeTickedFlowGraph } from '../src/index.ts'

export interface Value extends Msg {
  readonly value: number
}

export function ticks(...list: readonly number[]): readonly Value[] {
  return list.map((tick) => ({ timeTick: BigInt(tick), value: tick }))
}

export function input(name: string, list: Iterable<Msg> | AsyncIterable<Msg>, options?: { maxQueueLength?: number }): InputNode<Msg> {
  return new InputNode<Msg>(name, list, (msg) => msg, options)
}

/** Remembers what it saw: `tick` or, for a skipped input, `-`. */
export function collector(name: string, seen: string[], options?: { maxQueueLength?: number }): Node {
  return createNode<Value>(
    name,
    (inputs) => void seen.push(`${inputs[0]?.timeTick}:${inputs.map((msg) => (msg.skipThisTick === true ? '-' : msg.value)).join(',')}`),
    options,
  )
}

export function pass(
  name: string,
  operate: (inputs: readonly Value[], signal: AbortSignal) => OperateResult | Promise<OperateResult> = ([msg]) => msg,
  options?: { maxQueueLength?: number; maxParallelism?: number; close?: () => void | Promise<void> },
): Node {
  return createNode<Value>(name, operate, options)
}

/** A graph from nodes and `from -> to` pairs; the pairs' order is the order of inputs and outputs. */
export function graphOf(
  nodes: readonly Node[],
  edges: readonly (readonly [string, string])[],
  options?: FlowGraphOptions,
): TimeTickedFlowGraph {
  const graph = createTimeTickedFlowGraph(options)
  for (const node of nodes) graph.addNode(node)
  for (const { name } of nodes) {
    graph.setEdges(
      name,
      edges.filter(([, to]) => to === name).map(([from]) => from),
      edges.filter(([from]) => from === name).map(([, to]) => to),
    )
  }
  return graph
}

export function until(condition: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => (condition() ? resolve() : void setImmediate(look))
    look()
  })
}

/** An async iterable that is fed by hand and knows how it was used. */
export class Feed<T> implements AsyncIterable<T> {
  readonly #items: T[] = []
  #wake: (() => void) | undefined
  ended = false
  asked = 0
  returned = 0

  push(...items: readonly T[]): void {
    this.#items.push(...items)
    this.#wake?.()
  }

  end(): void {
    this.ended = true
    this.#wake?.()
  }

  [Symbol.asyncIterator](): AsyncIterator<T> {
    return {
      next: async () => {
        this.asked++
        while (this.#items.length === 0 && !this.ended) await new Promise<void>((resolve) => (this.#wake = resolve))
        const value = this.#items.shift()
        return value === undefined ? { done: true, value: undefined } : { done: false, value }
      },
      return: async () => {
        this.returned++
        this.end()
        return { done: true, value: undefined }
      },
    }
  }
}
