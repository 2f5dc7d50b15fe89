/** What happens to several query nodes of a simulated node: they fail, join and leave while everything else goes on. */
import type { SeededRandom } from '@timetick/tso/testing'
import { QueryGroup } from '../../src/node/query-group.ts'
import type { Cluster } from './cluster.ts'
import type { World } from './world.ts'

export function severalNodes(random: SeededRandom, count: number): Record<string, string> {
  return {
    'queryNode.count': String(count),
    'queryCoord.grace': random.pick(['0ms', '20ms', '500ms', '5s']),
    'queryCoord.interval': random.pick(['20ms', '1s']),
    'queryCoord.tolerance': random.pick(['0', '0.1']),
    'queryCoord.maxMoves': random.pick(['1', '20']),
  }
}

export function disturbQueryNodes(world: World, cluster: Cluster): void {
  const { random } = world
  const { queryNode } = cluster.node.core.roles
  if (!(queryNode instanceof QueryGroup)) throw new Error('there is one query node')
  if (random.chance(0.5)) {
    const id = random.pick([1n, 2n, 3n])
    world.note(`query node ${id} fails`)
    world.sometimes('query node failed')
    queryNode.member(id)?.fail(new Error('simulated'))
    return
  }
  const count = random.integer(2, 4)
  world.note(`${count} query nodes`)
  world.sometimes('query nodes counted anew')
  cluster.node.parameters.save('queryNode.count', String(count))
}
