/** Bugs planted in what several query nodes do together. The simulation must find each, or finding nothing elsewhere means nothing. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ServiceTime } from '../../src/channel/service-time.ts'
import * as plans from '../../src/proxy/read-plan.ts'
import { GrowingRows } from '../../src/querynode/growing-rows.ts'
import { viewsOf } from '../../src/querynode/kept-parts.ts'
import { LoadedCollection } from '../../src/querynode/loaded-collection.ts'
import { LoadedShard } from '../../src/querynode/loaded-shard.ts'
import { Tombstones } from '../../src/querynode/tombstones.ts'
import * as views from '../../src/querynode/view-at.ts'
import { simulateNode } from './simulation.ts'

const MAX_SEEDS = 60

vi.mock('../../src/querynode/view-at.ts', { spy: true })
vi.mock('../../src/proxy/read-plan.ts', { spy: true })
const real = {
  ...(await vi.importActual<typeof plans>('../../src/proxy/read-plan.ts')),
  ...(await vi.importActual<typeof views>('../../src/querynode/view-at.ts')),
}

afterEach(() => {
  vi.restoreAllMocks()
  vi.resetAllMocks()
})

/** What the first seed that finds anything found. Begins shortly before it; from the very first in the long rings. */
async function find(from: number): Promise<string> {
  for (let seed = process.env['TIMETICK_RING'] === undefined ? from : 1; seed <= MAX_SEEDS; seed++) {
    const { violations } = await simulateNode({ seed, queryNodes: 3, disk: false, stopAtFirst: true })
    if (violations.length > 0) return `seed ${seed}: ${violations[0]}`
  }
  return 'nothing'
}

describe('a bug in what several query nodes do is found', () => {
  it('a node answers with what it has of the segments that a read names', { timeout: 300_000 }, async () => {
    vi.spyOn(LoadedCollection.prototype, 'scopedViews').mockImplementation(function (this: LoadedCollection, scope, partitionIds, ignoreGrowing) {
      return viewsOf([...this.shards.values()].flatMap((shard) => shard.scopedParts(scope, partitionIds, ignoreGrowing)), scope.ts)
    })
    expect(await find(12)).toMatch(/expected|missed/)
  })

  it('growing rows that are gone are not refused', { timeout: 300_000 }, async () => {
    const scopedParts = LoadedShard.prototype.scopedParts
    vi.spyOn(LoadedShard.prototype, 'scopedParts').mockImplementation(function (this: LoadedShard, scope, partitionIds, ignoreGrowing) {
      const { growingFrom = 0n } = this.holdings
      const growing = scope.growing.map((shard) => (growingFrom > shard.afterTs ? { ...shard, afterTs: growingFrom } : shard))
      return scopedParts.call(this, { ...scope, growing }, partitionIds, ignoreGrowing)
    })
    expect(await find(1)).toMatch(/expected|missed/)
  })

  it('growing rows go before all targets that need them', { timeout: 300_000 }, async () => {
    const append = GrowingRows.prototype.append
    vi.spyOn(GrowingRows.prototype, 'append').mockImplementation(function (this: GrowingRows, partitionId, schema, batch, ts) {
      append.call(this, partitionId, schema, batch, ts)
      if (ts % 7n === 0n) this.dropThrough(ts - 1n)
    })
    expect(await find(1)).toMatch(/expected|missed/)
  })

  it('growing rows that segments of the target hold are read as well', { timeout: 300_000 }, async () => {
    vi.mocked(views.growingViewAt).mockImplementation((view, _afterTs, ts) => real.growingViewAt(view, 0n, ts))
    expect(await find(1)).toMatch(/twice|expected/)
  })

  it('each node knows the deletes of the moment that it has come to itself', { timeout: 300_000 }, async () => {
    const at = Tombstones.prototype.at
    vi.spyOn(Tombstones.prototype, 'at').mockImplementation(function (this: Tombstones, _ts, begin, end) {
      return at.call(this, 1n << 63n, begin, end)
    })
    expect(await find(1)).toMatch(/expected|missed/)
  })

  it('two nodes answer for the same part', { timeout: 300_000 }, async () => {
    vi.mocked(plans.planRead).mockImplementation((options) => {
      const parts = real.planRead(options)
      return parts?.[0] === undefined ? parts : [...parts, parts[0]]
    })
    expect(await find(1)).toMatch(/twice|count/)
  })

  it('a new leader claims rows that passed before it led', { timeout: 300_000 }, async () => {
    vi.spyOn(ServiceTime.prototype, 'entered', 'get').mockReturnValue(0n)
    expect(await find(1)).toMatch(/expected|missed/)
  })
})
