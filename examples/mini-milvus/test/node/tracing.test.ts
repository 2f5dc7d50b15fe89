import * as api from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { BasicTracerProvider, InMemorySpanExporter, type ReadableSpan as Span, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { DataType, MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startMiniMilvus, type MiniMilvus } from '../../src/index.ts'
import { traceWithOtel } from '../../src/otel.ts'
import { traceparentOf } from '../../src/tracing.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const exporter = new InMemorySpanExporter()
let node: MiniMilvus
let client: MilvusClient
let stop: () => void

beforeAll(async () => {
  api.propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  api.trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }))
  node = await startMiniMilvus({ inMemory: true, port: 0 })
  client = new MilvusClient({ address: node.address, logLevel: 'error' })
  stop = traceWithOtel(api)
})

afterAll(async () => {
  stop()
  await client.closeConnection()
  await node.close()
  api.trace.disable()
  api.propagation.disable()
})

const named = (name: string) => exporter.getFinishedSpans().filter((span) => span.name === name)

it('one trace goes from the insert to the query node, and stores that a call uses are below it', async () => {
  const fields = [
    { name: 'id', data_type: DataType.Int64, is_primary_key: true },
    { name: 'vec', data_type: DataType.FloatVector, dim: 2 },
  ]
  await client.createCollection({ collection_name: 'traced', fields })
  await client.createIndex({ collection_name: 'traced', field_name: 'vec', index_type: 'FLAT', metric_type: 'L2' })
  await client.loadCollectionSync({ collection_name: 'traced' })
  exporter.reset()
  expect((await client.insert({ collection_name: 'traced', data: [{ id: 1, vec: [1, 2] }] })).status.code).toBe(0)
  await client.search({ collection_name: 'traced', data: [1, 2], limit: 1, consistency_level: 0 })
  const { traceId, spanId } = (named('Insert')[0] as Span).spanContext()
  for (const role of ['query-node', 'data-node']) {
    const [apply] = named(`${role} apply insert`)
    expect(apply?.spanContext().traceId).toBe(traceId)
    expect(apply?.parentSpanContext?.spanId).toBe(spanId)
  }
  await client.dropCollection({ collection_name: 'traced' })
  const [drop] = named('DropCollection')
  const below = exporter.getFinishedSpans().filter((span) => span.parentSpanContext?.spanId === drop?.spanContext().spanId)
  expect(below.map(({ name }) => name.split(' ')[0])).toContain('kv')
})

it('a call that fails is a span that says so, and a trace of the caller goes on', async () => {
  exporter.reset()
  const headers = { 'content-type': 'application/json', traceparent: `00-${TRACE}-b7ad6b7169203331-01` }
  await fetch(`http://${node.address}/v2/vectordb/collections/describe`, { method: 'POST', headers, body: '{"collectionName":"missing"}' })
  const [span] = named('DescribeCollection')
  expect(span?.status.code).toBe(api.SpanStatusCode.ERROR)
  expect(span?.spanContext().traceId).toBe(TRACE)
})

it('what is no traceparent is left out', () => {
  for (const text of ['', 'x', `00-${TRACE}-b7ad6b7169203331`, `00-${TRACE}-b7ad6b7169203331-01\n`]) expect(traceparentOf(new Map([['traceparent', text]]))).toBeUndefined()
  expect(() => traceWithOtel(api, { channels: ['x'] })).toThrow(/tracedChannels/)
})
