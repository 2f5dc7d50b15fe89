/** A full disk (N3, D10): writes are refused with Milvus's code, reads go on, flushes wait, and all goes on by itself when there is space. */
import { expect, it } from 'vitest'
import { MilvusError } from '../../src/server/status.ts'
import { Cluster } from './cluster.ts'
import { FaultyDisk } from './faulty-disk.ts'
import { createRequest, indexRequest, queryRequest, rowsOfQuery, rowsRequest, STRONG } from './requests.ts'
import { World } from './world.ts'

const name = 'points'
const ids = (first: number, count: number): number[] => Array.from({ length: count }, (_, index) => first + index)

async function story(world: World, cluster: Cluster, disk: FaultyDisk): Promise<void> {
  const refusal = (call: Promise<unknown>): Promise<unknown> => call.then(() => 'answered', (error: unknown) => (error instanceof MilvusError ? error.code : error))
  const count = async (): Promise<number> => rowsOfQuery(await cluster.node.call('Query', queryRequest(name, 'id >= 0', ['id', 'version'], STRONG))).length
  await cluster.start()
  await cluster.node.call('CreateCollection', createRequest(name, 2))
  await cluster.node.call('CreateIndex', indexRequest(name))
  await cluster.node.call('LoadCollection', { collection_name: name })
  await cluster.node.call('Insert', rowsRequest(name, ids(0, 20), 1))
  await world.sleep(50)
  disk.roomBytes = 0
  const refusedAt = world.clock.monotonic()
  expect(await refusal(cluster.node.call('Insert', rowsRequest(name, ids(100, 20), 2)))).toBe(9)
  expect(await refusal(cluster.node.call('Delete', { collection_name: name, expr: 'id in [1]' }))).toBe(9)
  expect(await refusal(cluster.node.call('Flush', { collection_names: [name] }))).toBe(9)
  expect(world.clock.monotonic() - refusedAt).toBeLessThan(3_000)
  expect(await count()).toBe(20)
  await world.sleep(30_000)
  expect(await count()).toBe(20)
  expect(cluster.node.core.roles.dataNode.current.isStalled).toBe(true)
  disk.roomBytes = Infinity
  await world.sleep(3_000)
  await cluster.node.call('Insert', rowsRequest(name, ids(200, 20), 3))
  await cluster.node.call('Flush', { collection_names: [name] })
  expect(await count()).toBe(40)
  expect(cluster.node.core.catalog.segments(cluster.node.core.catalog.collection('default', name).id).reduce((sum, segment) => sum + segment.rows, 0)).toBe(40)
}

it('D10: a full disk refuses writes, serves reads and recovers by itself', { timeout: 60_000 }, async () => {
  const world = new World(7)
  world.faults = false
  const disk = new FaultyDisk()
  const cluster = new Cluster(world, { 'rootCoord.dmlChannelNum': '2', 'dataNode.sealIdle': '10s' }, (surviving) => ({ ...surviving, disk }))
  let failure: unknown
  await world.until(story(world, cluster, disk).catch((error: unknown) => (failure = error)))
  if (failure !== undefined) throw failure
  expect(world.violations).toEqual([])
})
