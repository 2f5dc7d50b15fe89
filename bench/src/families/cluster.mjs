/** A cluster of processes on one Redis beside a node alone, on the same machine, through the same client: a proxy, a coordinator, a data node and a query node. */
import { ConsistencyLevelEnum } from '@zilliz/milvus2-sdk-node'
import { latentQueries, latentVectors } from '../data.mjs'
import { inFlight, loadName, percentile, Skip, timeOf } from '../measure.mjs'
import { check, connect, createCollection, DIM, indexAndLoad, insertAll, rowsOf, SDK_BATCH } from '../node/collection.mjs'
import { newFolder, removeFolder, startProgram } from '../node/program.mjs'

export const isolation = 'family'

const MAIN = 'bench'
const ROWS = Number(process.env.BENCH_CLUSTER_ROWS ?? 20_000)
const QUERIES = 100
const SEARCHES = 400
const INSERTED = 10_000

async function startRedis() {
  const { startService } = await import('@timetick/tools/services')
  try {
    return await startService('redis', { isBench: true })
  } catch (error) {
    throw new Skip(`there is no redis here (${error.message.split('\n')[0]})`)
  }
}

export async function prepare() {
  await loadName('mini-milvus', 'startMiniMilvus')
  const redis = await startRedis()
  const folder = newFolder()
  const programs = []
  const start = async (roles) => {
    const settings = { 'metastore.type': 'redis', 'mq.type': 'redis', 'storage.type': 'shared', 'redis.address': new URL(redis.url).host, 'sharedStorage.path': folder, 'cluster.name': 'bench', 'cluster.secret': 'bench', 'engine.threads': '1' }
    const program = await startProgram(newFolder(), [...roles.flatMap((role) => ['--role', role]), ...Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`])])
    programs.push(program)
    return program
  }
  const [proxy] = await Promise.all([['proxy'], ['coordinator'], ['data'], ['query']].map(start))
  const alone = await startProgram(newFolder(), ['--set', 'engine.threads=1'])
  programs.push(alone)
  const vectors = latentVectors(ROWS, { dim: DIM })
  const shared = { redis, folder, programs, vectors, queries: latentQueries(QUERIES), cluster: await connect(proxy.address), alone: await connect(alone.address), collections: 0 }
  for (const client of [shared.cluster, shared.alone]) {
    await createCollection(client, MAIN)
    await insertAll(client, MAIN, vectors, SDK_BATCH)
    await indexAndLoad(client, MAIN)
  }
  return shared
}

export async function finish({ redis, folder, programs, cluster, alone }) {
  await cluster.closeConnection()
  await alone.closeConnection()
  await Promise.all(programs.map((program) => program.stop()))
  await redis.stop()
  removeFolder(folder)
}

async function searchMs(client, { queries }) {
  const { latencies } = await inFlight(async (i) => {
    const at = (i % QUERIES) * DIM
    const { results } = check(await client.search({ collection_name: MAIN, data: Array.from(queries.subarray(at, at + DIM)), anns_field: 'vec', limit: 10, output_fields: ['id'], consistency_level: ConsistencyLevelEnum.Eventually }))
    if (results.length !== 10) throw new Error(`a search gave ${results.length} hits`)
  }, { total: SEARCHES, width: 1 })
  return percentile(latencies, 0.5)
}

async function insertRate(client, shared) {
  const collection_name = `run_${(shared.collections += 1)}`
  await createCollection(client, collection_name)
  try {
    const batches = Array.from({ length: INSERTED / SDK_BATCH }, (_, i) => rowsOf(shared.vectors, i * SDK_BATCH, SDK_BATCH))
    const ms = await timeOf(async () => {
      for (const data of batches) check(await client.insert({ collection_name, data }))
    })
    return (INSERTED * 1000) / ms
  } finally {
    await client.dropCollection({ collection_name })
  }
}

export const rows = [
  {
    id: 'cluster.search',
    work: `a search for 10 of ${ROWS.toLocaleString('en')} vectors of ${DIM} in a cluster, one at a time, p50`,
    unit: 'ms',
    goal: { op: '<=', value: 1.6 },
    reference: 'a node alone',
    measure: (_context, shared) => searchMs(shared.cluster, shared),
    measureReference: (_context, shared) => searchMs(shared.alone, shared),
  },
  {
    id: 'cluster.insert',
    work: `inserting ${INSERTED.toLocaleString('en')} vectors of ${DIM} into a cluster by ${SDK_BATCH}`,
    unit: 'rows/s',
    goal: { op: '>=', value: 0.6 },
    reference: 'a node alone',
    measure: (_context, shared) => insertRate(shared.cluster, shared),
    measureReference: (_context, shared) => insertRate(shared.alone, shared),
  },
]
