/** The node through the official client, beside a hollow server that answers the same client at once. All rows share one node with 100,000 vectors. */
import * as grpc from '@grpc/grpc-js'
import { ConsistencyLevelEnum, DataType, HttpClient } from '@zilliz/milvus2-sdk-node'
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { bruteForce, latentQueries, recallAt } from '../data.mjs'
import { inFlight, load, loadName, median, percentile, timeOf } from '../measure.mjs'
import { check, connect, createCollection, DIM, index, indexAndLoad, insertAll, rowsOf, SDK_BATCH, vectors100k } from '../node/collection.mjs'
import { closeImport, importRate, openImport } from '../node/import-run.mjs'
import { startHollow, startRecorder } from '../node/hollow.mjs'
import { newFolder, removeFolder, startProgram } from '../node/program.mjs'
import { manyClients, withChanges, withCrowd } from '../insight/tax.mjs'
import { checkInsert, encodeInsert, encodeInserts, sendInserts } from '../node/raw-insert.mjs'
import { setTimeout as sleep } from 'node:timers/promises'

export const isolation = 'family'

const MAIN = 'bench'
const QUERIES = 300
const SEARCHES = 1500
const INSERTED = 10_000
const RAW_ROWS = 50_000
const BUILD_ROWS = 25_000
const IMPORT_ROWS = Number(process.env.BENCH_IMPORT_ROWS ?? 1_000_000)
const HYBRID = 'two_fields'
const HYBRID_ROWS = 20_000
const MIXED_RATE = 5000
const MIXED_BATCH = 500
/** Rows that node.mixed inserts have ids from here on. */
const MIXED_FIRST_ID = 10_000_000
const repository = fileURLToPath(new URL('../../..', import.meta.url))

export async function prepare() {
  await loadName('mini-milvus', 'startMiniMilvus')
  const folder = newFolder()
  Object.assign(process.env, manyClients)
  const program = await startProgram(folder)
  const client = await connect(program.address)
  const vectors = vectors100k()
  const queries = latentQueries(QUERIES)
  await createCollection(client, MAIN)
  await insertAll(client, MAIN, vectors)
  await indexAndLoad(client, MAIN)
  const http = new HttpClient({ endpoint: `http://${program.address}` })
  const shared = { folder, program, client, http, vectors, queries, loadedRssMb: program.rssMb(), collections: 0 }
  shared.hollow = await startHollow(await recordAnswers(shared))
  shared.hollowClient = await connect(shared.hollow.address)
  await checkRecall(shared)
  return shared
}

export async function finish({ folder, program, client, hollow, hollowClient }) {
  await client.closeConnection()
  await hollowClient.closeConnection()
  await hollow.stop()
  await program.stop()
  removeFolder(folder)
}

/** The answers that the hollow server will give: a real node's, to the very calls that are measured. */
async function recordAnswers({ program, vectors, queries }) {
  const recorder = await startRecorder(grpc, program.address)
  const client = await connect(recorder.address)
  await createCollection(client, 'recorded')
  check(await client.insert({ collection_name: 'recorded', data: rowsOf(vectors, 0, SDK_BATCH) }))
  await search(client, queries, 0)
  await client.query({ collection_name: MAIN, filter: 'id == 7', output_fields: ['id', 'bucket'] })
  await client.dropCollection({ collection_name: 'recorded' })
  await client.closeConnection()
  recorder.stop()
  return recorder.answers
}

const queryOf = (queries, i) => Array.from(queries.subarray((i % QUERIES) * DIM, ((i % QUERIES) + 1) * DIM))

async function search(client, queries, i, more = {}) {
  const answer = await client.search({ collection_name: MAIN, data: queryOf(queries, i), anns_field: 'vec', limit: 10, output_fields: ['id'], consistency_level: ConsistencyLevelEnum.Eventually, ...more })
  check(answer)
  return answer.results.map((hit) => Number(hit.id))
}

async function searchByRest({ http, queries }, i) {
  const { code, message, data } = await http.search({ collectionName: MAIN, data: [queryOf(queries, i)], annsField: 'vec', limit: 10, outputFields: ['id'], consistencyLevel: 'Eventually' })
  if (code !== 0 || data.length !== 10) throw new Error(`a search by REST: ${code} ${message}`)
}

async function checkRecall({ client, vectors, queries }) {
  const found = []
  for (let i = 0; i < QUERIES; i += 1) found.push(await search(client, queries, i))
  const recall = recallAt(found, bruteForce(vectors, queries, { dim: DIM }))
  if (recall < 0.95) throw new Error(`recall@10 is ${recall}: the rows would not count`)
  console.log(`node: recall@10 ${recall.toFixed(4)}`)
}

const qps = (width) => async ({ queries }, client) => (await inFlight((i) => search(client, queries, i), { total: SEARCHES, width })).perSecond
const searchRate = (width) => ({
  measure: (_context, shared) => qps(width)(shared, shared.client),
  reference: 'hollow server',
  measureReference: (_context, shared) => qps(width)(shared, shared.hollowClient),
})

async function insertRate(shared, client, collection_name) {
  const batches = Array.from({ length: INSERTED / SDK_BATCH }, (_, i) => rowsOf(shared.vectors, i * SDK_BATCH, SDK_BATCH))
  const ms = await timeOf(async () => {
    for (const data of batches) check(await client.insert({ collection_name, data }))
  })
  return (INSERTED * 1000) / ms
}

async function withCollection(shared, work) {
  const name = `run_${(shared.collections += 1)}`
  await createCollection(shared.client, name)
  try {
    return await work(name)
  } finally {
    await shared.client.dropCollection({ collection_name: name })
  }
}

async function p50(total, call) {
  return percentile((await inFlight(call, { total, width: 1 })).latencies, 0.5)
}

async function startByNpm(folder) {
  const begin = performance.now()
  const child = spawn('npm', ['start', '--', '--port', '0', '--metrics-port', '0', '--data-dir', folder, '--log-format', 'json'], { cwd: repository, stdio: ['ignore', 'pipe', 'ignore'] })
  // 'close' comes when the node itself, which holds the pipe, has ended; npm may be gone before.
  const ended = new Promise((resolve) => child.once('close', resolve))
  await new Promise((resolve, reject) => {
    child.stdout.on('data', (chunk) => String(chunk).includes('"event":"ready"') && resolve())
    child.once('exit', (code) => reject(new Error(`npm start ended with ${code}`)))
  })
  const elapsed = performance.now() - begin
  child.kill('SIGTERM')
  await ended
  return elapsed / 1000
}

async function strongSearch(shared, i) {
  const { client, vectors, queries } = shared
  const first = 1_000_000 + i * 10
  const data = rowsOf(vectors, 0, 10).map((row, at) => ({ ...row, id: first + at }))
  check(await client.insert({ collection_name: MAIN, data }))
  const begin = performance.now()
  const filter = `id in [${data.map(({ id }) => id).join(',')}]`
  const found = await search(client, queries, i, { filter, consistency_level: ConsistencyLevelEnum.Strong })
  const elapsed = performance.now() - begin
  if (found.length !== 10) throw new Error(`a strong search saw ${found.length} of 10 rows`)
  return elapsed
}

async function buildSeconds(shared) {
  return withCollection(shared, async (name) => {
    await insertAll(shared.client, name, shared.vectors.subarray(0, BUILD_ROWS * DIM))
    check(await shared.client.createIndex({ collection_name: name, ...index }))
    return timeOf(() => indexAndLoad(shared.client, name)).then((ms) => ms / 1000)
  })
}

async function usearchSeconds({ vectors }) {
  const { Index, MetricKind, ScalarKind } = (await load('usearch')).default
  const built = new Index({ metric: MetricKind.L2sq, connectivity: 16, expansion_add: 200, dimensions: DIM, quantization: ScalarKind.BF16 })
  const keys = BigUint64Array.from({ length: BUILD_ROWS }, (_, i) => BigInt(i))
  return (await timeOf(() => built.add(keys, vectors.subarray(0, BUILD_ROWS * DIM), 2))) / 1000
}

/** Two vector fields of the same values in another order, both indexed. */
async function openHybrid(shared) {
  const { client, vectors } = shared
  const field = (name) => ({ name, data_type: DataType.FloatVector, dim: DIM })
  check(await client.createCollection({ collection_name: HYBRID, fields: [{ name: 'id', data_type: DataType.Int64, is_primary_key: true }, field('a'), field('b')], consistency_level: 'Bounded' }))
  const vectorOf = (row) => Array.from(vectors.subarray(row * DIM, (row + 1) * DIM))
  for (let first = 0; first < HYBRID_ROWS; first += SDK_BATCH) {
    check(await client.insert({ collection_name: HYBRID, data: Array.from({ length: SDK_BATCH }, (_, i) => ({ id: first + i, a: vectorOf(first + i), b: vectorOf(HYBRID_ROWS - 1 - first - i) })) }))
  }
  check(await client.flushSync({ collection_names: [HYBRID] }))
  for (const field_name of ['a', 'b']) check(await client.createIndex({ collection_name: HYBRID, ...index, field_name }))
  for (const field_name of ['a', 'b']) {
    for (;;) {
      const { index_descriptions: [description] = [] } = check(await client.describeIndex({ collection_name: HYBRID, field_name }))
      if (description?.state === 'Finished' && Number(description.pending_index_rows) === 0) break
      await sleep(50)
    }
  }
  await client.loadCollectionSync({ collection_name: HYBRID })
  return shared
}

async function hybridSearch({ client, queries }, i) {
  const data = [{ anns_field: 'a', data: queryOf(queries, i), params: {} }, { anns_field: 'b', data: queryOf(queries, i + 1), params: {} }]
  const { results } = check(await client.hybridSearch({ collection_name: HYBRID, data, limit: 10, rerank: { strategy: 'rrf', params: { k: 60 } }, output_fields: ['id'], consistency_level: ConsistencyLevelEnum.Eventually }))
  if (results.length !== 10) throw new Error(`a hybrid search gave ${results.length} hits`)
}

/** Searches as they come while another client inserts at a steady rate. */
async function mixedRate(shared) {
  const done = new AbortController()
  const inserting = insertSteadily(shared, done.signal)
  const rate = await qps(8)(shared, shared.client)
  done.abort()
  await inserting
  return rate
}

let mixedRows = 0
async function insertSteadily({ program, vectors }, signal) {
  const begin = performance.now()
  for (let sent = 0; !signal.aborted; sent += MIXED_BATCH) {
    const ids = Array.from({ length: MIXED_BATCH }, (_, i) => MIXED_FIRST_ID + mixedRows + i)
    mixedRows += MIXED_BATCH
    const longs = (field_name, data) => ({ type: DataType.Int64, field_name, scalars: { long_data: { data } } })
    const data = vectors.subarray((mixedRows % 50_000) * DIM, ((mixedRows % 50_000) + MIXED_BATCH) * DIM)
    const request = encodeInsert(MAIN, MIXED_BATCH, [longs('id', ids), longs('bucket', ids.map((id) => id % 100)), { type: DataType.FloatVector, field_name: 'vec', vectors: { dim: DIM, float_vector: { data } } }])
    await sendInserts(program.address, { requests: [request], checkAnswer: checkInsert }, MIXED_BATCH)
    const wait = ((sent + MIXED_BATCH) * 1000) / MIXED_RATE - (performance.now() - begin)
    if (wait > 0) await sleep(wait)
  }
}

export const rows = [
  { id: 'node.memory', work: 'RSS after 100,000 x 128 are loaded', unit: 'MB', goal: { op: '<=', value: 400, moonshot: 250 }, measure: (_context, { loadedRssMb }) => loadedRssMb, warmups: 0 },
  { id: 'node.search.sdk8', work: 'searches k=10, 8 in flight', unit: '/s', goal: { op: '>=', value: 0.5, moonshot: 0.8 }, ...searchRate(8) },
  {
    id: 'insight.tax', work: 'node.search.sdk8 while 1,000 clients of insight are told 20 events/s', unit: '/s', goal: { op: '>=', value: 0.95, moonshot: 0.99 }, reference: 'the same changes, nobody looks',
    measure: (_context, shared) => withCrowd({ ...shared, createCollection }, () => qps(8)(shared, shared.client)),
    measureReference: (_context, shared) => withChanges({ ...shared, createCollection }, () => qps(8)(shared, shared.client)),
  },
  { id: 'node.search.sdk1', work: 'searches k=10, 1 in flight', unit: '/s', goal: { op: '>=', value: 0.5, moonshot: 0.7 }, ...searchRate(1) },
  {
    id: 'node.rest.search', work: 'the same searches by REST (HttpClient), 8 in flight', unit: '/s', goal: { op: '>=', value: 0.6, moonshot: 1 }, reference: 'gRPC, 8 in flight',
    measure: async (_context, shared) => (await inFlight((i) => searchByRest(shared, i), { total: SEARCHES, width: 8 })).perSecond,
    measureReference: (_context, shared) => qps(8)(shared, shared.client),
  },
  {
    id: 'node.search.p99', work: 'search latency p99, 8 in flight', unit: 'ms', goal: { op: '<=', value: 25, moonshot: 8 },
    measure: async (_context, { client, queries }) => percentile((await inFlight((i) => search(client, queries, i), { total: SEARCHES, width: 8 })).latencies, 0.99),
  },
  { id: 'node.search.filter1', work: 'search with a filter that keeps 1 %, p50', unit: 'ms', goal: { op: '<=', value: 2.8, moonshot: 1.5 }, measure: (_context, { client, queries }) => p50(300, (i) => search(client, queries, i, { filter: 'bucket == 7' })) },
  { id: 'node.search.filter50', work: 'search with a filter that keeps 50 %, p50', unit: 'ms', goal: { op: '<=', value: 2.8, moonshot: 1.5 }, measure: (_context, { client, queries }) => p50(300, (i) => search(client, queries, i, { filter: 'bucket < 50' })) },
  {
    id: 'node.query.pk', work: 'query by primary key, p50', unit: 'ms', goal: { op: '<=', value: 1.5, of: 'value' }, reference: 'hollow server',
    measure: (_context, { client }) => p50(500, (i) => byKey(client, i)),
    measureReference: (_context, { hollowClient }) => p50(500, (i) => byKey(hollowClient, i)),
  },
  { id: 'node.strong', work: 'a strong search after an insert of 10 rows was answered, p50', unit: 'ms', goal: { op: '<=', value: 10, moonshot: 3 }, measure: (context, shared) => strongRun(shared) },
  {
    id: 'node.insert.sdk', work: `${INSERTED.toLocaleString('en')} x 128 by the Node SDK, durable`, unit: 'rows/s', goal: { op: '>=', value: 0.8, moonshot: 0.95 }, reference: 'hollow server',
    measure: (_context, shared) => withCollection(shared, (name) => insertRate(shared, shared.client, name)),
    measureReference: (_context, shared) => insertRate(shared, shared.hollowClient, 'recorded'),
  },
  {
    id: 'node.insert.raw', work: `${RAW_ROWS.toLocaleString('en')} x 128 in encoded requests of 5,000 rows, durable`, unit: 'rows/s', goal: { op: '>=', value: 60_000, moonshot: 150_000 },
    measure: (_context, shared) => withCollection(shared, (name) => sendInserts(shared.program.address, encodeInserts(name, shared.vectors.subarray(0, RAW_ROWS * DIM), 5000), 5000)),
  },
  {
    id: 'node.import', work: `${IMPORT_ROWS.toLocaleString('en')} x 128 from a Parquet file, until a search sees them all`, unit: 'rows/s', goal: { op: '>=', value: 60_000 },
    open: () => openImport(IMPORT_ROWS, vectors100k()), measure: (context) => importRate(context), close: (context) => closeImport(context),
    warmups: 0,
  },
  {
    id: 'node.build', work: `${BUILD_ROWS.toLocaleString('en')} x 128, sealed to indexed and loaded`, unit: 's', goal: { op: '<=', value: 1.3, moonshot: 1.05 }, reference: 'usearch alone, two threads, bf16',
    measure: (_context, shared) => buildSeconds(shared),
    measureReference: (_context, shared) => usearchSeconds(shared),
    warmups: 0,
  },
  {
    id: 'node.search.hybrid', work: `search of two fields of ${HYBRID_ROWS.toLocaleString('en')} x 128, RRF, 1 in flight, p50`, unit: 'ms', goal: { op: '<=', value: 2.2, moonshot: 1.6 }, reference: 'one field',
    open: (shared) => openHybrid(shared), close: async (shared) => void (await shared?.client.dropCollection({ collection_name: HYBRID })),
    measure: (_context, shared) => p50(300, (i) => hybridSearch(shared, i)),
    measureReference: (_context, { client, queries }) => p50(300, (i) => search(client, queries, i, { collection_name: HYBRID, anns_field: 'a' })),
  },
  {
    id: 'node.mixed', work: `searches k=10, 8 in flight, while ${MIXED_RATE.toLocaleString('en')} rows/s are inserted`, unit: '/s', goal: { op: '>=', value: 0.5, moonshot: 0.8 }, reference: 'without inserts',
    open: (shared) => shared, close: async (shared) => void (await shared?.client.delete({ collection_name: MAIN, filter: `id >= ${MIXED_FIRST_ID}` })),
    measure: (_context, shared) => mixedRate(shared),
    measureReference: (_context, shared) => qps(8)(shared, shared.client),
  },
  {
    id: 'node.start', work: 'warm npm start to serving', unit: 's', goal: { op: '<=', value: 3, moonshot: 1 },
    open: () => newFolder(), measure: (folder) => startByNpm(folder), close: (folder) => removeFolder(folder),
  },
  {
    id: 'node.start.memory', work: 'startMiniMilvus in memory to serving', unit: 's', goal: { op: '<=', value: 0.5, moonshot: 0.1 },
    async measure() {
      const startMiniMilvus = await loadName('mini-milvus', 'startMiniMilvus')
      let node
      const ms = await timeOf(async () => (node = await startMiniMilvus({ inMemory: true, port: 0 })))
      await node.close()
      return ms / 1000
    },
  },
]

const byKey = async (client, i) => {
  const { data } = check(await client.query({ collection_name: MAIN, filter: `id == ${(i * 7919) % 100_000}`, output_fields: ['id', 'bucket'], consistency_level: ConsistencyLevelEnum.Eventually }))
  if (data.length !== 1) throw new Error(`a query by key gave ${data.length} rows`)
}

let strongRuns = 0
async function strongRun(shared) {
  const times = []
  for (let i = 0; i < 40; i += 1) times.push(await strongSearch(shared, (strongRuns += 1)))
  return median(times)
}
