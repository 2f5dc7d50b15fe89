/** The node with many rows: 1,000,000 x 128 with an index of its vectors and of scalar fields, and 5,000,000 narrow rows. One node for all rows. */
import { ConsistencyLevelEnum, DataType } from '@zilliz/milvus2-sdk-node'
import { setTimeout as sleep } from 'node:timers/promises'
import { latentQueries, latentVectors } from '../data.mjs'
import { inFlight, loadName, percentile, Skip, timeOf } from '../measure.mjs'
import { check, connect, DIM, index } from '../node/collection.mjs'
import { newFolder, removeFolder, startProgram } from '../node/program.mjs'
import { checkInsert, encodeInsert, sendInserts } from '../node/raw-insert.mjs'

export const isolation = 'family'

const WIDE = 'million'
const NARROW = 'narrow'
/** Smaller for a trial: `TIMETICK_BENCH_ROWS=100000`; `TIMETICK_BENCH_INDEX=FLAT` spares the minutes that building the graph takes. */
const ROWS = Number(process.env.TIMETICK_BENCH_ROWS ?? 1_000_000)
const NARROW_ROWS = ROWS * 5
const INDEX_TYPE = process.env.TIMETICK_BENCH_INDEX ?? 'HNSW'
const BATCH = 5000
const CHUNK = 50_000
const PARTS = 5

export async function prepare() {
  await loadName('mini-milvus', 'startMiniMilvus')
  if (process.platform !== 'linux') throw new Skip('memory and signals are read the Linux way')
  const folder = newFolder()
  const shared = { folder, program: await startProgram(folder), queries: latentQueries(300), parts: 0 }
  shared.client = await connect(shared.program.address)
  return shared
}

/** The million comes with the first row that needs it. */
async function wide(shared) {
  shared.filling ??= fillWide(shared)
  await shared.filling
  return shared
}

export async function finish({ folder, program, client }) {
  await client.closeConnection()
  await program.stop()
  removeFolder(folder)
}

const longs = (field_name, data) => ({ type: DataType.Int64, field_name, scalars: { long_data: { data } } })

async function send(shared, name, first, count, columns) {
  const requests = []
  for (let begin = first; begin < first + count; begin += BATCH) requests.push(encodeInsert(name, BATCH, columns(Array.from({ length: BATCH }, (_, i) => begin + i), begin)))
  return sendInserts(shared.program.address, { requests, checkAnswer: checkInsert }, BATCH)
}

/** `bucket` and `plain` are the row's number modulo 100, with an index and without. */
async function fillWide(shared) {
  const { client } = shared
  check(await client.createCollection({
    collection_name: WIDE,
    fields: [
      { name: 'id', data_type: DataType.Int64, is_primary_key: true },
      { name: 'bucket', data_type: DataType.Int64 },
      { name: 'plain', data_type: DataType.Int64 },
      { name: 'vec', data_type: DataType.FloatVector, dim: DIM },
    ],
    consistency_level: 'Bounded',
  }))
  for (let first = 0; first < ROWS; first += CHUNK) {
    const vectors = latentVectors(CHUNK, { dim: DIM, seed: 1000 + first / CHUNK })
    await send(shared, WIDE, first, CHUNK, (ids, begin) => {
      const data = vectors.subarray((begin - first) * DIM, (begin - first + BATCH) * DIM)
      const buckets = ids.map((id) => id % 100)
      return [longs('id', ids), longs('bucket', buckets), longs('plain', buckets), { type: DataType.FloatVector, field_name: 'vec', vectors: { dim: DIM, float_vector: { data } } }]
    })
  }
  check(await client.flushSync({ collection_names: [WIDE] }))
  check(await client.createIndex({ collection_name: WIDE, field_name: 'bucket', index_type: 'INVERTED' }))
  check(await client.createIndex({ collection_name: WIDE, ...index, index_type: INDEX_TYPE }))
  for (const field of ['bucket', 'vec']) await untilBuilt(client, field)
  await client.loadCollectionSync({ collection_name: WIDE })
  await search(shared, 0)
  shared.loadedRssMb = shared.program.rssMb()
}

async function untilBuilt(client, field_name) {
  for (;;) {
    const { index_descriptions: [description] = [] } = check(await client.describeIndex({ collection_name: WIDE, field_name }))
    if (description?.state === 'Finished' && Number(description.pending_index_rows) === 0) return
    await sleep(200)
  }
}

async function search({ client, queries }, i, more = {}) {
  const data = Array.from(queries.subarray((i % 300) * DIM, ((i % 300) + 1) * DIM))
  const { results } = check(await client.search({ collection_name: WIDE, data, anns_field: 'vec', limit: 10, output_fields: ['id'], consistency_level: ConsistencyLevelEnum.Eventually, ...more }))
  if (results.length !== 10) throw new Error(`a search gave ${results.length} hits`)
}

const count = async ({ client }, collection_name, filter) => Number(check(await client.query({ collection_name, filter, output_fields: ['count(*)'], consistency_level: ConsistencyLevelEnum.Strong })).data[0]['count(*)'])

async function counted(shared, filter) {
  const found = await count(shared, WIDE, filter)
  if (found !== ROWS / 100) throw new Error(`${filter} keeps ${found} rows`)
}

let calls = 0
/** Another constant each time: masks of filters that were just asked are kept. */
const p50 = async (call) => percentile((await inFlight(() => call((calls += 1)), { total: 50, width: 1 })).latencies, 0.5)

async function restart(shared) {
  await shared.client.closeConnection()
  await shared.program.stop()
  const begin = performance.now()
  shared.program = await startProgram(shared.folder)
  shared.client = await connect(shared.program.address)
  while (Number((await shared.client.getLoadingProgress({ collection_name: WIDE })).progress) < 100) await sleep(20)
  await search(shared, 0)
  return (performance.now() - begin) / 1000
}

async function fillNarrow(shared) {
  const { client } = shared
  check(await client.createCollection({
    collection_name: NARROW,
    fields: [
      { name: 'id', data_type: DataType.Int64, is_primary_key: true },
      { name: 'part', data_type: DataType.Int64 },
      { name: 'vec', data_type: DataType.FloatVector, dim: 2 },
    ],
    index_params: [{ field_name: 'vec', index_type: 'FLAT', metric_type: 'L2' }],
    consistency_level: 'Bounded',
  }))
  const data = new Float32Array(BATCH * 2)
  for (let first = 0; first < NARROW_ROWS; first += CHUNK) {
    await send(shared, NARROW, first, CHUNK, (ids) => [longs('id', ids), longs('part', ids.map((id) => id % PARTS)), { type: DataType.FloatVector, field_name: 'vec', vectors: { dim: 2, float_vector: { data } } }])
  }
  check(await client.flushSync({ collection_names: [NARROW] }))
  await client.loadCollectionSync({ collection_name: NARROW })
  return shared
}

/** A fifth of the rows at a time. */
async function deleteHold(shared) {
  await shared.program.longestHoldMs()
  const part = (shared.parts += 1) - 1
  const filter = `part == ${part}`
  const ms = await timeOf(async () => check(await shared.client.delete({ collection_name: NARROW, filter })))
  const left = await count(shared, NARROW, filter)
  if (left !== 0) throw new Error(`${left} rows of ${filter} are left`)
  const hold = await shared.program.longestHoldMs()
  console.log(`node.delete.hold: ${NARROW_ROWS / PARTS} of ${NARROW_ROWS} rows in ${Math.round(ms)} ms, longest hold ${Math.round(hold)} ms`)
  return hold
}

const many = ROWS.toLocaleString('en')

export const rows = [
  { id: 'node.memory1m', work: `RSS after ${many} x 128 are loaded`, unit: 'MB', goal: { op: '<=', value: 3072, moonshot: 1200 }, open: wide, measure: (_context, { loadedRssMb }) => loadedRssMb, warmups: 0 },
  {
    id: 'node.filter.indexed', work: `search with an indexed filter that keeps 1 % of ${many}, p50`, unit: 'ms', goal: { op: '<=', value: 10, of: 'value' }, reference: 'without the index', open: wide,
    measure: (_context, shared) => p50((i) => search(shared, i, { filter: `bucket == ${i % 100}` })),
    measureReference: (_context, shared) => p50((i) => search(shared, i, { filter: `plain == ${i % 100}` })),
  },
  {
    id: 'node.filter.indexed.count', work: `count(*) of 1 % of ${many} by an indexed filter, p50`, unit: 'ms', goal: { op: '<=', value: 10, of: 'value' }, reference: 'without the index', open: wide,
    measure: (_context, shared) => p50((i) => counted(shared, `bucket == ${i % 100}`)),
    measureReference: (_context, shared) => p50((i) => counted(shared, `plain == ${i % 100}`)),
  },
  { id: 'node.restart1m', work: `restart with ${many} x 128 to serving`, unit: 's', goal: { op: '<=', value: 10, moonshot: 2 }, open: wide, measure: (_context, shared) => restart(shared), warmups: 0 },
  {
    id: 'node.delete.hold', work: `longest hold of the event loop while a filter deletes a fifth of ${NARROW_ROWS.toLocaleString('en')} rows`, unit: 'ms', goal: { op: '<=', value: 50 },
    open: (shared) => fillNarrow(shared), measure: (shared) => deleteHold(shared), warmups: 0, runs: PARTS,
  },
]
