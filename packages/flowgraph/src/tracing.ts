/**
 * `timetick:flowgraph:operate`, a tracing channel of `node:diagnostics_channel`: `start` and `end` around each call of `operate`, `asyncStart` and
 * `asyncEnd` when its promise settles, `error`. Whoever wants spans subscribes to `start` and the rest; when nobody does, it costs one look.
 */
import { tracingChannel } from 'node:diagnostics_channel'
import type { Core } from './core.ts'
import type { Msg, OperateResult } from './msg.ts'
import type { Vertex } from './vertex.ts'

/** What subscribers get: the same object for all events of one call. */
export interface OperateTrace {
  readonly node: string
  readonly timeTick: bigint
  readonly inputs: readonly Msg[]
  error?: unknown
  result?: unknown
}

const channel = tracingChannel<'timetick:flowgraph:operate', OperateTrace>('timetick:flowgraph:operate')
const { start } = channel

export function isTraced(): boolean {
  return start.hasSubscribers
}

export function tracedOperate(core: Core, vertex: Vertex, timeTick: bigint, inputs: readonly Msg[]): OperateResult | Promise<OperateResult> {
  const context: OperateTrace = { node: vertex.node.name, timeTick, inputs }
  const result = channel.traceSync(() => vertex.node.operate(inputs, core.signal), context)
  if (!(result instanceof Promise)) return result
  const settle = (): void => {
    channel.asyncStart.publish(context)
    channel.asyncEnd.publish(context)
  }
  return result.then(
    (value) => {
      context.result = value
      settle()
      return value
    },
    (error: unknown) => {
      context.error = error
      channel.error.publish(context)
      settle()
      throw error
    },
  )
}
