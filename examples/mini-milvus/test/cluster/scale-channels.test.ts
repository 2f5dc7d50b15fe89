/**
 * What log channels cost while nothing is written, as docs/scale.md tells it: whole processes in virtual time, the processor time of this one,
 * the simulator's own included. The numbers of that page: `TIMETICK_SCALE=1 npx vitest run test/cluster/scale-channels.test.ts`
 */
import { expect, it } from 'vitest'
import { schema } from '../catalog/helpers.ts'
import { SmallCluster } from './small-cluster.ts'

const isAsked = process.env['TIMETICK_SCALE'] === '1'
const CHANNELS = isAsked ? [4, 64, 256] : [4]
const SECONDS = isAsked ? 60 : 2
/** Of a collection. */
const MOST_SHARDS = 16

interface Idle {
  readonly ticks: number
  /** Of processor time, for each second that passes in the cluster. */
  readonly msPerSecond: number
}

async function idle(channels: number, queryNodes: number): Promise<Idle> {
  const cluster = new SmallCluster({ 'rootCoord.dmlChannelNum': String(channels), 'proxy.timeTickInterval': '200ms' })
  try {
    await cluster.open('leader', ['coordinator'])
    const owner = await cluster.open('data', ['data'])
    for (let node = 0; node < queryNodes; node++) await cluster.open(`query-${node}`, ['query'])
    const { coordinator, queryNodes: nodes, pchannels } = await cluster.open('proxy', ['proxy'])
    await cluster.until('all channels', () => owner.own.host?.channels.length === channels)
    // Every channel is read by whoever serves a collection that has it.
    for (let first = 0; first < channels; first += MOST_SHARDS) {
      const name = `from_${first}`
      const { id } = await cluster.run(coordinator.catalog.createCollection({ dbName: 'default', schema: schema(name), shardsNum: Math.min(MOST_SHARDS, channels - first), consistencyLevel: 2, properties: {} }))
      await cluster.run(coordinator.catalog.createIndex('default', name, 'vector', '', {}))
      if (queryNodes === 0) continue
      await cluster.run(coordinator.catalog.loadCollection('default', name, queryNodes))
      await cluster.until('the collection', () => nodes.loadProgress(id)?.percent === 100)
    }
    const ticks = (): bigint[] => (owner.own.host?.channels ?? []).map(({ lastTick }) => lastTick)
    await cluster.pass(2_000)
    const before = ticks()
    const spent = process.cpuUsage()
    await cluster.pass(SECONDS * 1_000)
    const { user, system } = process.cpuUsage(spent)
    const after = ticks()
    expect([pchannels.length, after.every((tick, index) => tick > (before[index] ?? 0n))]).toEqual([channels, true])
    return { ticks: channels * 5, msPerSecond: (user + system) / 1_000 / SECONDS }
  } finally {
    await cluster.close()
  }
}

it('channels cost their owner and each query node so much', { timeout: 600_000 }, async () => {
  for (const channels of CHANNELS) {
    const costs: number[] = []
    for (const queryNodes of isAsked ? [0, 1, 3] : [1]) costs.push((await idle(channels, queryNodes)).msPerSecond)
    // A whole core: a hundred times what four channels take, four times what 256 do.
    expect(Math.max(...costs)).toBeLessThan(1_000)
    const [none = 0, one = 0, three = 0] = costs
    if (isAsked) console.log(`${channels} channels: ${none.toFixed(1)} ms a second without query nodes, ${one.toFixed(1)} with one, ${three.toFixed(1)} with three: ${((three - one) / 2).toFixed(2)} each`)
  }
})
