/**
 * `mini-milvus/otel`: calls of the node and of the packages below it as spans and metrics of OpenTelemetry.
 *
 *     import * as api from '@opentelemetry/api'
 *     const stop = traceWithOtel(api)
 *
 * Names follow the semantic conventions of 2026: databases are stable (`db.client.operation.duration`), RPC is a release candidate,
 * messaging is in development and may change. Durations are seconds.
 *
 * @module
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel'
import type * as Api from '@opentelemetry/api'
import { systemClock } from './edge/system.ts'
import type { ApplyTrace, RpcTrace } from './tracing.ts'

/** What is used of `@opentelemetry/api`. */
export type OtelApi = Pick<typeof Api, 'trace' | 'metrics' | 'propagation' | 'ROOT_CONTEXT' | 'SpanKind' | 'SpanStatusCode'>

export interface OtelOptions {
  /** @default all of {@link tracedChannels} */
  readonly channels?: readonly string[] | undefined
  /** In seconds. @default the system's monotonic clock */
  readonly now?: (() => number) | undefined
}

interface Shape {
  readonly span: string
  readonly kind: 'SERVER' | 'CLIENT' | 'PRODUCER' | 'CONSUMER' | 'INTERNAL'
  readonly metric: string
  readonly attributes: (trace: Readonly<Record<string, unknown>>) => Record<string, string | number>
}

const kv = (operation: string): Shape => ({
  span: `kv ${operation}`,
  kind: 'CLIENT',
  metric: 'db.client.operation.duration',
  attributes: ({ backend, keys }) => ({ 'db.system.name': String(backend), 'db.operation.name': operation, 'db.operation.batch.size': Number(keys) }),
})

const messaging = (operation: string, kind: 'PRODUCER' | 'CONSUMER'): Shape => ({
  span: `msgstream ${operation}`,
  kind,
  metric: 'messaging.client.operation.duration',
  attributes: ({ backend, messages = 0 }) => ({ 'messaging.system': String(backend), 'messaging.operation.name': operation, 'messaging.batch.message_count': Number(messages) }),
})

const tso = (operation: string): Shape => ({
  span: `tso ${operation}`,
  kind: 'CLIENT',
  metric: 'timetick.tso.operation.duration',
  attributes: ({ count = 0 }) => ({ 'timetick.operation': operation, 'timetick.count': Number(count) }),
})

const KV_OPERATIONS = ['load', 'loadEntry', 'multiLoad', 'loadWithPrefix', 'has', 'save', 'multiSave', 'remove', 'multiRemove', 'removeWithPrefix', 'multiSaveAndRemove', 'compareAndSave', 'grantLease', 'keepAlive', 'revoke']

const SHAPES: ReadonlyMap<string, Shape> = new Map<string, Shape>([
  ['timetick:mini-milvus:rpc', {
    span: 'rpc',
    kind: 'SERVER',
    metric: 'rpc.server.call.duration',
    attributes: ({ rpc, dbName }) => ({ 'rpc.system.name': 'grpc', 'rpc.method': `milvus.proto.milvus.MilvusService/${String(rpc)}`, 'db.namespace': String(dbName) }),
  }],
  ...KV_OPERATIONS.map((operation): [string, Shape] => [`timetick:kv:${operation}`, kv(operation)]),
  ['timetick:msgstream:produce', messaging('produce', 'PRODUCER')],
  ['timetick:msgstream:broadcast', messaging('broadcast', 'PRODUCER')],
  ['timetick:msgstream:seek', messaging('seek', 'CONSUMER')],
  ['timetick:tso:allocate', tso('allocate')],
  ['timetick:tso:take-segment', tso('take-segment')],
  ['timetick:tso:save', tso('save')],
])

/** Channels of which spans are made; not `timetick:msgstream:consume`, which waits more than it works. */
export const tracedChannels: readonly string[] = [...SHAPES.keys(), 'timetick:mini-milvus:apply']

interface Running {
  readonly span: Api.Span
  readonly since: number
}

/** Makes spans and durations of the channels, from now on until the result is called. */
export function traceWithOtel(api: OtelApi, { channels = tracedChannels, now = () => systemClock.monotonic() / 1000 }: OtelOptions = {}): () => void {
  const stops = channels.map((name) => {
    const shape = SHAPES.get(name)
    if (shape !== undefined) return follow(api, name, shape, now)
    if (name === 'timetick:mini-milvus:apply') return followApplies(api)
    throw new RangeError(`expected \`channels\` to hold names of tracedChannels, got ${JSON.stringify(name)}`)
  })
  return () => {
    for (const stop of stops) stop()
  }
}

/** The span that is running here: OpenTelemetry's own context manager, if there is one, is for the application. */
const current = new AsyncLocalStorage<Api.Context>()

function follow(api: OtelApi, name: string, shape: Shape, now: () => number): () => void {
  const tracer = api.trace.getTracer('timetick')
  const duration = api.metrics.getMeter('timetick').createHistogram(shape.metric, { unit: 's' })
  const channel = tracingChannel<unknown, Record<string, unknown>>(name)
  const running = new WeakMap<object, Running>()
  const begin = (trace: Record<string, unknown>): Api.Context => {
    const { traceparent, rpc } = trace as Partial<RpcTrace>
    const above = current.getStore() ?? api.ROOT_CONTEXT
    const parent = traceparent === undefined ? above : api.propagation.extract(above, { traceparent })
    const span = tracer.startSpan(typeof rpc === 'string' ? rpc : shape.span, { kind: api.SpanKind[shape.kind], attributes: shape.attributes(trace) }, parent)
    running.set(trace, { span, since: now() })
    const context = api.trace.setSpan(parent, span)
    if (rpc !== undefined) (trace as unknown as RpcTrace).traceparent = traceparentIn(api, context) ?? traceparent
    return context
  }
  const end = (trace: object): void => {
    const found = running.get(trace)
    if (found === undefined) return
    running.delete(trace)
    const { error } = trace as { readonly error?: unknown }
    if (error !== undefined) {
      const text = error instanceof Error ? error.message : String(error)
      found.span.recordException(error instanceof Error ? error : text)
      found.span.setStatus({ code: api.SpanStatusCode.ERROR, message: text })
    }
    found.span.end()
    duration.record(now() - found.since, { ...shape.attributes(trace as Record<string, unknown>), ...(error === undefined ? {} : { 'error.type': error instanceof Error ? error.name : 'error' }) })
  }
  channel.start.bindStore(current, begin)
  const subscribers = { start: () => undefined, asyncEnd: end }
  channel.subscribe(subscribers as never)
  return () => {
    channel.start.unbindStore(current)
    channel.unsubscribe(subscribers as never)
  }
}

/** A write that a role took from the log, as a span of its own in the trace of the call that wrote it. */
function followApplies(api: OtelApi): () => void {
  const tracer = api.trace.getTracer('timetick')
  const onApply = (message: unknown): void => {
    const { role, kind, collectionId, ts, traceparent } = message as ApplyTrace
    if (traceparent === undefined) return
    const parent = api.propagation.extract(api.ROOT_CONTEXT, { traceparent })
    const attributes = { 'timetick.role': role, 'timetick.collection': String(collectionId), 'timetick.ts': String(ts) }
    tracer.startSpan(`${role} apply ${kind}`, { kind: api.SpanKind.CONSUMER, attributes }, parent).end()
  }
  subscribe('timetick:mini-milvus:apply', onApply)
  return () => void unsubscribe('timetick:mini-milvus:apply', onApply)
}

function traceparentIn(api: OtelApi, context: Api.Context): string | undefined {
  const carrier: Record<string, string> = {}
  api.propagation.inject(context, carrier)
  return carrier['traceparent']
}
