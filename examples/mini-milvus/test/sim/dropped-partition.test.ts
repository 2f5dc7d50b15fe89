/** A partition is dropped and the node dies before the log forgets its rows. */
import { describe, expect, it } from 'vitest'
import { indexRequest, queryRequest, rowsOfQuery, STRONG } from './requests.ts'
import { createSurviving, startSimulatedNode, type SimulatedNode } from './sim-node.ts'
import { noteRows, PARTITION, stageCollection } from './stage-requests.ts'
import { World } from './world.ts'

const NAME = 'c'

async function loaded(world: World, node: SimulatedNode): Promise<void> {
  while ((await node.call('GetLoadingProgress', { collection_name: NAME })).progress < 100n) await world.sleep(20)
}

async function ids(node: SimulatedNode, consistency_level: number): Promise<number[]> {
  const found = await node.call('Query', queryRequest(NAME, 'id >= 0', ['id', 'version'], { ...STRONG, consistency_level }))
  return rowsOfQuery(found).map(([id]) => id).sort((a, b) => a - b)
}

describe('rows of a dropped partition', () => {
  it('do not come back from the log when the node starts again', async () => {
    const world = new World(1)
    world.faults = false
    const surviving = createSurviving(world.clock)
    const settings = { 'proxy.timeTickInterval': '50ms', 'dataNode.sealIdle': '10m' }
    const story = async (): Promise<number[][]> => {
      let node = await startSimulatedNode(world, surviving, settings)
      await node.call('CreateCollection', { ...stageCollection(NAME, 1, false), properties: [] })
      await node.call('CreateIndex', indexRequest(NAME))
      await node.call('CreatePartition', { collection_name: NAME, partition_name: PARTITION })
      await node.call('LoadCollection', { collection_name: NAME })
      await loaded(world, node)
      await node.call('Insert', noteRows(NAME, [1, 3], 1, false))
      await node.call('Insert', noteRows(NAME, [2, 4], 2, false))
      const before = await ids(node, 0)
      await node.call('ReleasePartitions', { collection_name: NAME, partition_names: [PARTITION] })
      await node.call('DropPartition', { collection_name: NAME, partition_name: PARTITION })
      // The whole collection is wanted again, and it dies before that is done.
      await node.call('LoadCollection', { collection_name: NAME })
      node.kill()
      node = await startSimulatedNode(world, surviving, settings)
      await loaded(world, node)
      const after = [await ids(node, 0), await ids(node, 3)]
      await node.close()
      return [before, ...after]
    }
    let seen: number[][] = []
    await world.until(story().then((found) => void (seen = found)))
    expect(seen).toEqual([[1, 2, 3, 4], [2, 4], [2, 4]])
  })
})
