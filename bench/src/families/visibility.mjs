/** Rule `flush`: what holding writes back costs beside the same writes that are seen at once, and what it costs those who have nothing to do with it. One node for all rows. */
import * as grpc from '@grpc/grpc-js'
import { ConsistencyLevelEnum, DataType } from '@zilliz/milvus2-sdk-node'
import { setTimeout as sleep } from 'node:timers/promises'
import { latentQueries, latentVectors } from '../data.mjs'
import { inFlight, loadName, Skip } from '../measure.mjs'
import { check, connect, createCollection, DIM, indexAndLoad, insertAll } from '../node/collection.mjs'
import { newFolder, removeFolder, startProgram } from '../node/program.mjs'
import { checkInsert, encodeInsert, encodeInserts } from '../node/raw-insert.mjs'

export const isolation = 'family'

/** Smaller for a trial: `TIMETICK_BENCH_STAGED=20000`. */
const STAGED = Number(process.env.TIMETICK_BENCH_STAGED ?? 100_000)
const DISCARDED = STAGED * 10
const NARROW_DIM = 8
const BATCH = 5000
const MAIN = 'beside'
const MAIN_ROWS = 20_000
const SEARCHES = 1000
const QUERIES = 100
const CROWD = 1000
const CROWD_ROWS = 10
const FLUSH = { 'timetick.visibility': 'flush' }
/** Gone so long after its connection. */
const GRACE_MS = 20

export async function prepare() {
  await loadName('mini-milvus', 'startMiniMilvus')
  if (process.platform !== 'linux') throw new Skip('memory and signals are read the Linux way')
  const folder = newFolder()
  const program = await startProgram(folder, ['--set', `clients.grace=${GRACE_MS}ms`])
  const client = await connect(program.address)
  await createCollection(client, MAIN)
  await insertAll(client, MAIN, latentVectors(MAIN_ROWS, { dim: DIM, seed: 5 }))
  await indexAndLoad(client, MAIN)
  return { folder, program, client, vectors: latentVectors(STAGED, { dim: DIM }), queries: latentQueries(QUERIES), collections: 0 }
}

export async function finish({ folder, program, client }) {
  await client.closeConnection()
  await program.stop()
  removeFolder(folder)
}

/** A client without an identifier: it is its connection. */
function openRaw({ program }) {
  const channel = new grpc.Client(program.address, grpc.credentials.createInsecure(), { 'grpc.max_send_message_length': -1, 'grpc.use_local_subchannel_pool': 1 })
  const asIs = (bytes) => bytes
  return {
    insert: (request, identifier) => new Promise((resolve, reject) => {
      const metadata = new grpc.Metadata()
      if (identifier !== undefined) metadata.set('identifier', identifier)
      channel.makeUnaryRequest('/milvus.proto.milvus.MilvusService/Insert', asIs, asIs, request, metadata, (error, bytes) => (error === null ? resolve(checkInsert(bytes)) : reject(error)))
    }),
    close: () => channel.close(),
  }
}

async function withCollection(shared, rule, work) {
  const name = `run_${(shared.collections += 1)}`
  await createCollection(shared.client, name)
  if (rule === 'flush') check(await shared.client.alterCollectionProperties({ collection_name: name, properties: FLUSH }))
  check(await shared.client.createIndex({ collection_name: name, field_name: 'vec', index_type: 'FLAT', metric_type: 'L2' }))
  await shared.client.loadCollectionSync({ collection_name: name })
  try {
    return await work(name)
  } finally {
    await shared.client.dropCollection({ collection_name: name })
  }
}

async function sendAll(raw, requests, width = 4) {
  let next = 0
  await Promise.all(Array.from({ length: width }, async () => {
    while (next < requests.length) await raw.insert(requests[next++])
  }))
}

/** From now until everybody sees so many rows, however little is asked of the answer. */
async function untilSeen({ client }, collection_name, rows) {
  for (;;) {
    const { data } = check(await client.query({ collection_name, filter: '', output_fields: ['count(*)'], consistency_level: ConsistencyLevelEnum.Eventually }))
    if (Number(data[0]?.['count(*)']) === rows) return
    await sleep(5)
  }
}

const seconds = (begin) => (performance.now() - begin) / 1000

async function seenAtOnce(shared) {
  return withCollection(shared, 'milvus', async (name) => {
    const raw = openRaw(shared)
    const { requests } = encodeInserts(name, shared.vectors, BATCH)
    const begin = performance.now()
    await sendAll(raw, requests)
    await untilSeen(shared, name, STAGED)
    const elapsed = seconds(begin)
    raw.close()
    return elapsed
  })
}

/** Staged by the SDK's connection, which flushes: its identifier names the stage. */
async function flushed(shared) {
  return withCollection(shared, 'flush', async (name) => {
    const client = await connect(shared.program.address)
    for (let first = 0; first < STAGED; first += BATCH) {
      const data = Array.from({ length: Math.min(BATCH, STAGED - first) }, (_, i) => ({ id: first + i, bucket: i % 100, vec: Array.from(shared.vectors.subarray((first + i) * DIM, (first + i + 1) * DIM)) }))
      check(await client.insert({ collection_name: name, data }))
    }
    const begin = performance.now()
    const flushing = client.flush({ collection_names: [name] })
    await untilSeen(shared, name, STAGED)
    const elapsed = seconds(begin)
    check(await flushing)
    await client.closeConnection()
    return elapsed
  })
}

/** Rows per second until all inserts are answered. */
async function insertRate(shared, rule) {
  return withCollection(shared, rule, async (name) => {
    const raw = openRaw(shared)
    const { requests } = encodeInserts(name, shared.vectors, BATCH)
    const begin = performance.now()
    await sendAll(raw, requests)
    const rate = STAGED / seconds(begin)
    raw.close()
    return rate
  })
}

/** MB that so many clients with a stage each take beyond their rows. */
async function crowdMb(shared) {
  return withCollection(shared, 'flush', async (name) => {
    const raw = openRaw(shared)
    const before = shared.program.rssMb()
    const first = 1_000_000 * (shared.collections + 1)
    const requests = Array.from({ length: CROWD }, (_, i) => encodeInserts(name, shared.vectors.subarray(i * CROWD_ROWS * DIM, (i + 1) * CROWD_ROWS * DIM), CROWD_ROWS).requests[0])
    await inFlight((i) => raw.insert(requests[i], String(first + i)), { total: CROWD, width: 8 })
    const grown = shared.program.rssMb() - before
    raw.close()
    return Math.max(0, grown - (CROWD * CROWD_ROWS * (DIM * 4 + 16)) / 2 ** 20)
  })
}

async function counterOf({ program }, name) {
  const text = await (await fetch(`http://${program.metricsAddress}/metrics`)).text()
  return [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? ([\\d.e+]+)`, 'gm'))].reduce((sum, [, value]) => sum + Number(value), 0)
}

/** A client stages many rows and goes: `{ holdMs, backSeconds }` of their discard. */
async function discard(shared) {
  const { client, program } = shared
  const name = `run_${(shared.collections += 1)}`
  check(await client.createCollection({
    collection_name: name,
    fields: [{ name: 'id', data_type: DataType.Int64, is_primary_key: true }, { name: 'vec', data_type: DataType.FloatVector, dim: NARROW_DIM }],
    properties: FLUSH,
  }))
  const raw = openRaw(shared)
  const held = () => counterOf(shared, 'nodejs_external_memory_bytes')
  const before = await held()
  for (let first = 0; first < DISCARDED; first += BATCH) {
    const ids = Array.from({ length: BATCH }, (_, i) => first + i)
    const data = Array.from({ length: BATCH * NARROW_DIM }, (_, i) => i % 97)
    await raw.insert(encodeInsert(name, BATCH, [{ type: DataType.Int64, field_name: 'id', scalars: { long_data: { data: ids } } }, { type: DataType.FloatVector, field_name: 'vec', vectors: { dim: NARROW_DIM, float_vector: { data } } }]))
  }
  const grown = (await held()) - before
  await program.longestHoldMs()
  raw.close()
  await sleep(GRACE_MS)
  while ((await counterOf(shared, 'timetick_staged_bytes_all')) > 0) await sleep(5)
  const begin = performance.now()
  // What is collected; when the allocator gives it back to the system is its own affair.
  while ((await held()) - before > grown / 10 && seconds(begin) < 10) await sleep(20)
  const backSeconds = seconds(begin)
  const holdMs = await program.longestHoldMs()
  check(await client.dropCollection({ collection_name: name }))
  return { holdMs, backSeconds }
}

async function searchRate({ client, queries }) {
  const search = async (i) => check(await client.search({ collection_name: MAIN, data: Array.from(queries.subarray((i % QUERIES) * DIM, ((i % QUERIES) + 1) * DIM)), anns_field: 'vec', limit: 10, consistency_level: ConsistencyLevelEnum.Eventually }))
  return (await inFlight(search, { total: SEARCHES, width: 8 })).perSecond
}

/** With a collection of rule flush, and staged work on it, beside. */
const beside = (shared, work) => withCollection(shared, 'flush', async (name) => {
  const raw = openRaw(shared)
  await raw.insert(encodeInserts(name, shared.vectors.subarray(0, 100 * DIM), 100).requests[0])
  try {
    return await work()
  } finally {
    raw.close()
  }
})

export const rows = [
  {
    id: 'node.flush.staged', work: `${STAGED.toLocaleString('en')} x 128 staged, from the flush until a count sees them all`, unit: 's', goal: { op: '<=', value: 1.5, moonshot: 1.1 }, reference: 'the same rows under rule milvus, from the first insert on',
    measure: (_context, shared) => flushed(shared),
    measureReference: (_context, shared) => seenAtOnce(shared),
    warmups: 0,
  },
  {
    id: 'node.staging.insert', work: `${STAGED.toLocaleString('en')} x 128 staged, in encoded requests`, unit: 'rows/s', goal: { op: '>=', value: 1 }, reference: 'rule milvus',
    measure: (_context, shared) => insertRate(shared, 'flush'),
    measureReference: (_context, shared) => insertRate(shared, 'milvus'),
  },
  { id: 'node.staging.clients', work: `memory of ${CROWD.toLocaleString('en')} clients with a stage each, beyond their rows`, unit: 'MB', goal: { op: '<=', value: 200 }, measure: (_context, shared) => crowdMb(shared), warmups: 0 },
  { id: 'node.discard.hold', work: `longest stop of the loop while ${DISCARDED.toLocaleString('en')} staged rows are dropped`, unit: 'ms', goal: { op: '<=', value: 20 }, measure: async (_context, shared) => (await discard(shared)).holdMs, warmups: 0 },
  { id: 'node.discard.memory', work: `until the memory of ${DISCARDED.toLocaleString('en')} dropped rows is free`, unit: 's', goal: { op: '<=', value: 2 }, measure: async (_context, shared) => (await discard(shared)).backSeconds, warmups: 0 },
  {
    id: 'node.visibility.search', work: 'searches under rule milvus while another collection has rule flush and staged work', unit: '/s', goal: { op: '>=', value: 0.97 }, reference: 'without it',
    measure: (_context, shared) => beside(shared, () => searchRate(shared)),
    measureReference: (_context, shared) => searchRate(shared),
  },
  {
    id: 'node.visibility.insert', work: 'inserts under rule milvus while another collection has rule flush and staged work', unit: 'rows/s', goal: { op: '>=', value: 0.97 }, reference: 'without it',
    measure: (_context, shared) => beside(shared, () => insertRate(shared, 'milvus')),
    measureReference: (_context, shared) => insertRate(shared, 'milvus'),
  },
]
