/** Defects of rule `flush`, planted one at a time: the simulation must find each. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { NodeCore } from '../../src/node/core.ts'
import { CommitGate } from '../../src/querynode/commit-gate.ts'
import type { Staging, StagedWork } from '../../src/staging/staging.ts'
import { Transactions } from '../../src/staging/transactions.ts'
import type { PlantCore } from './sim-node.ts'
import { replaced } from './stage-client.ts'
import { simulateStages } from './stage-simulation.ts'
import type { World } from './world.ts'

const MAX_SEEDS = 60

/** The first broken promise that some seed finds. */
async function find(plant?: PlantCore): Promise<string> {
  for (let seed = 1; seed <= MAX_SEEDS; seed++) {
    const { violations } = await simulateStages({ seed, steps: 6, plant })
    if (violations.length > 0) return violations[0] as string
  }
  return 'nothing'
}

function withStaging(core: NodeCore, patch: (staging: Staging) => Partial<Staging>): NodeCore {
  return { ...core, staging: replaced(core.staging, patch(core.staging)) }
}

function applied({ writer }: NodeCore, { collection, deletes = [], inserts = [] }: StagedWork): Promise<bigint> {
  return writer.write({ collection, deletes, inserts })
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe('the simulation finds that', () => {
  it('rows are seen before their flush', { timeout: 300_000 }, async () => {
    const plant: PlantCore = (core) =>
      withStaging(core, (staging) => ({
        async stage(client, work) {
          await staging.stage(client, work)
          if (work.inserts !== undefined) await applied(core, { collection: work.collection, inserts: work.inserts })
        },
      }))
    expect(await find(plant)).toMatch(/expected|twice|none of its states/)
  })

  it('a flush is torn over shards', { timeout: 300_000 }, async () => {
    vi.spyOn(CommitGate.prototype, 'arrive').mockImplementation((_channel, _transaction, apply) => {
      apply()
      return undefined
    })
    expect(await find()).toMatch(/expected|none of its states/)
  })

  it('another client’s stage is discarded', { timeout: 300_000 }, async () => {
    const plant: PlantCore = (core) =>
      withStaging(core, (staging) => ({
        discard(client) {
          staging.discard(staging.stats().find((other) => other.client !== client)?.client ?? client)
        },
      }))
    expect(await find(plant)).toMatch(/expected|none of its states/)
  })

  it('a delete is applied when it is staged', { timeout: 300_000 }, async () => {
    const plant: PlantCore = (core) =>
      withStaging(core, (staging) => ({
        async stage(client, work) {
          await staging.stage(client, work)
          if (work.deletes !== undefined) await applied(core, { collection: work.collection, deletes: work.deletes })
        },
      }))
    expect(await find(plant)).toMatch(/expected|none of its states/)
  })

  it('calls of one client overtake each other', { timeout: 300_000 }, async () => {
    const plant: PlantCore = (core, world: World) =>
      withStaging(core, (staging) => ({
        async stage(client, work) {
          void world.sleep(world.random.integer(0, 5)).then(() => staging.stage(client, work))
        },
      }))
    expect(await find(plant)).toMatch(/expected|none of its states/)
  })

  it('what was not committed comes back', { timeout: 300_000 }, async () => {
    const committed = Transactions.prototype.committed
    vi.spyOn(Transactions.prototype, 'committed').mockImplementation(function (this: Transactions, id) {
      return committed.call(this, id) ?? { ts: 0n, channels: [] }
    })
    expect(await find()).toMatch(/expected|none of its states/)
  })

  it('a flush that is asked for again commits again', { timeout: 300_000 }, async () => {
    const plant: PlantCore = (core) => {
      const works = new Map<string, StagedWork[]>()
      return withStaging(core, (staging) => ({
        stage(client, work) {
          works.set(client, [...(works.get(client) ?? []), work])
          return staging.stage(client, work)
        },
        async flush(client, ...rest) {
          const ts = await staging.flush(client, ...rest)
          for (const work of works.get(client) ?? []) await staging.stage(client, work)
          return ts
        },
      }))
    }
    expect(await find(plant)).toMatch(/expected|twice|none of its states/)
  })

  it('an auto id is given again', { timeout: 300_000 }, async () => {
    const plant: PlantCore = (core, world: World) => {
      let last: Awaited<ReturnType<NodeCore['time']['ids']['alloc']>> | undefined
      const alloc: NodeCore['time']['ids']['alloc'] = async (count) => {
        if (last !== undefined && last.count >= count && world.random.chance(0.2)) return last
        return (last = await core.time.ids.alloc(count))
      }
      return { ...core, time: { ...core.time, ids: replaced(core.time.ids, { alloc }) } }
    }
    expect(await find(plant)).toMatch(/twice|expected|none of its states/)
  })
})
