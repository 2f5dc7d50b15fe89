/** What insight costs the node around it: two nodes with the same collection, one without insight, one that tells a crowd of changes. */
import { ConsistencyLevelEnum } from '@zilliz/milvus2-sdk-node'
import { setTimeout as sleep } from 'node:timers/promises'
import { latentQueries, latentVectors } from '../data.mjs'
import { inFlight, percentile } from '../measure.mjs'
import { check, connect, createCollection, DIM, indexAndLoad, insertAll } from '../node/collection.mjs'
import { newFolder, removeFolder, startProgram } from '../node/program.mjs'
import { manyClients, withChanges, withCrowd } from './tax.mjs'

const MAIN = 'cost'
const ROWS = 10_000
const SEARCHES = 300
const TICK_SAMPLES = 100
const TICK_EVERY_MS = 25

async function openNode(env) {
  const before = Object.keys(env).map((name) => [name, process.env[name]])
  Object.assign(process.env, env)
  const folder = newFolder()
  const program = await startProgram(folder)
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
  const client = await connect(program.address)
  await createCollection(client, MAIN)
  await insertAll(client, MAIN, latentVectors(ROWS, { dim: DIM }))
  await indexAndLoad(client, MAIN)
  return { folder, program, client, close: async () => (await client.closeConnection(), await program.stop(), removeFolder(folder)) }
}

export async function openPair() {
  const queries = latentQueries(100)
  const watched = await openNode(manyClients)
  return { queries, watched, plain: await openNode({ MINI_MILVUS_INSIGHT_ENABLED: 'false' }) }
}

export async function closePair(pair) {
  await pair?.watched.close()
  await pair?.plain.close()
}

/** The p99 of searches, two in flight, ms. */
const searchP99 = (queries) => async ({ client }) => {
  const search = async (i) => check(await client.search({ collection_name: MAIN, data: Array.from(queries.subarray((i % 100) * DIM, (i % 100 + 1) * DIM)), anns_field: 'vec', limit: 10, consistency_level: ConsistencyLevelEnum.Eventually }))
  return percentile((await inFlight(search, { total: SEARCHES, width: 2 })).latencies, 0.99)
}

/** How far the ticks of the channels are behind the clock, p99, ms. */
async function tickP99({ program }) {
  const lags = []
  for (let next = performance.now(); lags.length < TICK_SAMPLES; next += TICK_EVERY_MS) {
    const text = await (await fetch(`http://${program.metricsAddress}/metrics`)).text()
    lags.push(Math.max(...[...text.matchAll(/^milvus_proxy_tt_lag_ms\{.*\} (\S+)$/gm)].map(([, lag]) => Number(lag))))
    await sleep(Math.max(0, next + TICK_EVERY_MS - performance.now()))
  }
  return percentile(lags, 0.99)
}

/** The same changes on both nodes. */
const watched = (pair, work) => withCrowd({ ...pair.watched, createCollection }, () => work(pair.watched))
const plain = (pair, work) => withChanges({ ...pair.plain, createCollection }, () => work(pair.plain))

export const searches = { measure: (pair) => watched(pair, searchP99(pair.queries)), measureReference: (pair) => plain(pair, searchP99(pair.queries)) }
export const ticks = { measure: (pair) => watched(pair, tickP99), measureReference: (pair) => plain(pair, tickP99) }
