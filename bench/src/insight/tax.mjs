/** A thousand clients that are told of twenty changes a second, by the node that is measured. */
import { fork } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { check } from '../node/collection.mjs'

const CLIENTS = 1000
/** One rename is two events: the name, and when it changed. */
const RENAMES_PER_SECOND = 10

/** For the node of this bench: all its clients come from here. */
export const manyClients = { MINI_MILVUS_INSIGHT_MAXCLIENTS: '2000', MINI_MILVUS_INSIGHT_MAXCLIENTSPERPEER: '2000' }

async function joinCrowd(address) {
  const crowd = fork(fileURLToPath(new URL('./crowd.mjs', import.meta.url)), [address, String(CLIENTS), 'local'])
  crowd.ended = new Promise((resolve) => crowd.once('exit', (code) => resolve(code ?? 'a signal')))
  await fromCrowd(crowd)
  return crowd
}

/** What it says next. One that ended says nothing more: nobody waits for it. */
function fromCrowd(crowd) {
  const said = new Promise((resolve) => crowd.once('message', resolve))
  return Promise.race([said, crowd.ended.then((code) => Promise.reject(new Error(`the crowd ended with ${code}: the node let one of its clients go`)))])
}

/** Runs the work while names change, and while they are told of it. */
export async function withCrowd({ program, client, createCollection }, work) {
  const crowd = await joinCrowd(program.metricsAddress)
  try {
    return await withChanges({ client, createCollection }, () => told(crowd, work))
  } finally {
    if (crowd.connected) crowd.disconnect()
    await crowd.ended
  }
}

/** A busy node may tell its clients less often, but not so seldom that a reader would call it late. */
const WRITES_PER_CLIENT_AND_SECOND = 1

async function told(crowd, work) {
  const before = await readsOf(crowd)
  const begin = performance.now()
  const result = await work()
  const perSecond = ((await readsOf(crowd)) - before) / CLIENTS / ((performance.now() - begin) / 1000)
  if (perSecond < WRITES_PER_CLIENT_AND_SECOND) throw new Error(`the crowd was told ${perSecond.toFixed(2)} times a second`)
  return result
}

async function readsOf(crowd) {
  if (crowd.connected) crowd.send('reads')
  return (await fromCrowd(crowd)).reads
}

/** The same changes, whoever looks: they cost the node something of their own. */
export async function withChanges({ client, createCollection }, work) {
  await createCollection(client, 'renamed_0')
  let renamed = 0
  let isDone = false
  const renaming = (async () => {
    for (let next = performance.now(); !isDone; next += 1000 / RENAMES_PER_SECOND) {
      await sleep(Math.max(0, next - performance.now()))
      check(await client.renameCollection({ collection_name: `renamed_${renamed}`, new_collection_name: `renamed_${renamed + 1}` }))
      renamed += 1
    }
  })()
  try {
    return await work()
  } finally {
    isDone = true
    await renaming
    await client.dropCollection({ collection_name: `renamed_${renamed}` })
  }
}
