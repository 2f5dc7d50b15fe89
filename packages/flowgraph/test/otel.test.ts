import { AsyncLocalStorage } from 'node:async_hooks'
import { ROOT_CONTEXT, SpanStatusCode, context, trace } from '@opentelemetry/api'
import type { Context, ContextManager } from '@opentelemetry/api'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTimeTickedFlowGraph } from '../src/index.ts'
import type { FlowGraphOptions } from '../src/index.ts'
import { graphOf, input, pass, ticks } from './helpers.ts'

const exporter = new InMemorySpanExporter()
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
const tracer = provider.getTracer('test')

const storage = new AsyncLocalStorage<Context>()
/** As OpenTelemetry's own for Node. */
const manager: ContextManager = {
  active: () => storage.getStore() ?? ROOT_CONTEXT,
  with: (active, run, self, ...args) => storage.run(active, () => run.call(self, ...args)),
  bind: (_, target) => target,
  enable: () => manager,
  disable: () => manager,
}

beforeAll(() => void context.setGlobalContextManager(manager))
beforeEach(() => exporter.reset())
afterAll(async () => {
  context.disable()
  await provider.shutdown()
})

const named = (name: string): ReadableSpan[] => exporter.getFinishedSpans().filter((span) => span.attributes['timetick.node'] === name)

test('each call of operate is a span of OpenTelemetry, and spans made within are below it, also behind a promise', async () => {
  const slow = pass('slow', async ([msg]) => {
    await Promise.resolve()
    tracer.startSpan('query').end()
    return msg
  })
  const graph = graphOf([input('in', ticks(1, 2)), slow, pass('out')], [['in', 'slow'], ['slow', 'out']], { tracer })
  graph.start()
  expect(await graph.closed).toBe(undefined)
  expect(named('slow').map(({ name, attributes, status }) => [name, attributes['timetick.tick'], status.code])).toEqual([
    ['flowgraph.operate', '1', SpanStatusCode.UNSET],
    ['flowgraph.operate', '2', SpanStatusCode.UNSET],
  ])
  expect([named('in').length, named('out').length]).toEqual([2, 2])
  const queries = exporter.getFinishedSpans().filter(({ name }) => name === 'query')
  expect(queries.map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual(named('slow').map((span) => span.spanContext().spanId))
  expect(trace.getActiveSpan()).toBe(undefined)
})

test.each([['a throw', false], ['a rejection', true]])('%s is recorded, each try by itself', async (_, isAsync) => {
  let calls = 0
  const failing = pass('failing', () => {
    calls++
    if (!isAsync) throw new Error(`no ${calls}`)
    return Promise.reject(new Error(`no ${calls}`))
  })
  Object.defineProperty(failing, 'onError', { value: { retries: 1, backoffMs: 0, action: 'skip' } })
  const graph = graphOf([input('in', ticks(1)), failing], [['in', 'failing']], { tracer })
  graph.start()
  expect(await graph.closed).toBe(undefined)
  expect(named('failing').map(({ status, events }) => [status.code, status.message, events[0]?.name])).toEqual([
    [SpanStatusCode.ERROR, 'no 1', 'exception'],
    [SpanStatusCode.ERROR, 'no 2', 'exception'],
  ])
})

test('what is no tracer is refused', () => {
  expect(() => createTimeTickedFlowGraph({ tracer: {} } as unknown as FlowGraphOptions)).toThrow('expected `tracer.startActiveSpan`')
})
