/**
 * Calls of `operate`, for whoever watches: spans of OpenTelemetry, and `timetick:flowgraph:operate`, a tracing channel of
 * `node:diagnostics_channel` (`start` and `end` around each call, `asyncStart` and `asyncEnd` when its promise settles, `error`). When nobody
 * does, it costs one look.
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

/** What is used of a `Span` of `@opentelemetry/api`. */
export interface SpanLike {
  recordException(error: Error | string): unknown
  setStatus(status: { code: number; message?: string }): unknown
  end(): void
}

/** What is used of a `Tracer` of `@opentelemetry/api`: any of its versions will do. */
export interface TracerLike {
  startActiveSpan(name: string, options: { attributes: Record<string, string | number> }, run: (span: SpanLike) => unknown): unknown
}

type Answer = OperateResult | Promise<OperateResult>

const channel = tracingChannel<'timetick:flowgraph:operate', OperateTrace>('timetick:flowgraph:operate')
const { start } = channel
/** `SpanStatusCode.ERROR` */
const ERROR = 2

/** Whether calls of `operate` must go through {@link callOperate}. */
export function isWatched(core: Core): boolean {
  return core.tracer !== undefined || start.hasSubscribers
}

/** Calls `operate`, seen by who wants to see it. */
export function callOperate(core: Core, vertex: Vertex, timeTick: bigint, inputs: readonly Msg[]): Answer {
  const { tracer } = core
  const call = (): Answer => (start.hasSubscribers ? publish(core, vertex, timeTick, inputs) : vertex.node.operate(inputs, core.signal))
  if (tracer === undefined) return call()
  const attributes = { 'timetick.node': vertex.node.name, 'timetick.tick': String(timeTick) }
  return tracer.startActiveSpan('flowgraph.operate', { attributes }, (span) => inSpan(span, call)) as Answer
}

/** The span is active in `operate`, so that spans that it makes are below; it ends when the promise settles. */
function inSpan(span: SpanLike, operate: () => Answer): Answer {
  const failed = (error: unknown): never => {
    span.recordException(error instanceof Error ? error : String(error))
    span.setStatus({ code: ERROR, message: error instanceof Error ? error.message : String(error) })
    span.end()
    throw error
  }
  let result: Answer
  try {
    result = operate()
  } catch (error) {
    return failed(error)
  }
  if (result instanceof Promise) {
    return result.then((value) => {
      span.end()
      return value
    }, failed)
  }
  span.end()
  return result
}

function publish(core: Core, vertex: Vertex, timeTick: bigint, inputs: readonly Msg[]): Answer {
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
