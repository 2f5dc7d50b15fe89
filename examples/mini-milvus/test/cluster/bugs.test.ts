/** Bugs of clusters, planted on purpose: the simulation must find each of them, and nothing where there is none. */
import type { MsgPosition } from '@timetick/msgstream'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type * as ChannelGraphs from '../../src/channel/channel-graph.ts'
import type * as Buffers from '../../src/datanode/channel-buffers.ts'
import type * as Loaders from '../../src/querynode/storage-loader.ts'
import type * as Plans from '../../src/cluster/channel-plan.ts'
import type * as Steps from '../../src/querycoord/step.ts'
import { CatalogMirror } from '../../src/cluster/catalog-mirror.ts'
import { Membership } from '../../src/cluster/membership.ts'
import type { MetaReader } from '../../src/coordinator/api.ts'
import { ChannelBuffers } from '../../src/datanode/channel-buffers.ts'
import { GrowingRows } from '../../src/querynode/growing-rows.ts'
import { logAnswersEarly } from '../sim/broken-stores.ts'
import { simulateNode, type SimulationOptions } from '../sim/simulation.ts'
import * as broken from './broken-cluster.ts'
import { SimulatedCluster } from './sim-cluster.ts'

/** Seams of modules: nothing is planted unless a test says so. */
const seams = vi.hoisted(() => ({
  graph: undefined as ((options: ChannelGraphs.ChannelGraphOptions) => Promise<ChannelGraphs.ChannelGraphOptions>) | undefined,
  meta: undefined as ((meta: MetaReader) => MetaReader) | undefined,
  rows: undefined as ((segment: Parameters<ReturnType<typeof Loaders.createSegmentLoader>['rows']>[0]) => void) | undefined,
  plan: undefined as typeof Plans.planChannels | undefined,
  step: undefined as ((options: Steps.StepOptions) => Steps.StepOptions) | undefined,
}))

vi.mock('../../src/channel/channel-graph.ts', async (load) => {
  const real = await load<typeof ChannelGraphs>()
  return { ...real, openChannelGraph: async (options: ChannelGraphs.ChannelGraphOptions) => real.openChannelGraph((await seams.graph?.(options)) ?? options) }
})
vi.mock('../../src/datanode/channel-buffers.ts', async (load) => {
  const real = await load<typeof Buffers>()
  class PlantedBuffers extends real.ChannelBuffers {
    constructor(...[meta, options]: ConstructorParameters<typeof Buffers.ChannelBuffers>) {
      super(seams.meta?.(meta) ?? meta, options)
    }
  }
  return { ...real, ChannelBuffers: PlantedBuffers }
})
vi.mock('../../src/querynode/storage-loader.ts', async (load) => {
  const real = await load<typeof Loaders>()
  const createSegmentLoader: typeof Loaders.createSegmentLoader = (storage) => {
    const loader = real.createSegmentLoader(storage)
    return { ...loader, rows: (segment, schema) => (seams.rows?.(segment), loader.rows(segment, schema)) }
  }
  return { ...real, createSegmentLoader }
})
vi.mock('../../src/cluster/channel-plan.ts', async (load) => {
  const real = await load<typeof Plans>()
  const planChannels: typeof Plans.planChannels = (...args) => (seams.plan ?? real.planChannels)(...args)
  return { ...real, planChannels }
})

vi.mock('../../src/querycoord/step.ts', async (load) => {
  const real = await load<typeof Steps>()
  const stepReplica: typeof Steps.stepReplica = (options) => real.stepReplica(seams.step?.(options) ?? options)
  return { ...real, stepReplica }
})

const MAX_SEEDS = 80
const ring = process.env['TIMETICK_RING'] ?? 'default'

afterEach(() => {
  vi.restoreAllMocks()
  Object.assign(seams, { graph: undefined, meta: undefined, rows: undefined, plan: undefined, step: undefined })
})

/** What the first seed that finds anything found. Begins shortly before it, so that it is quick; from the very first in the soak. */
async function find(from: number, plant?: SimulationOptions['plant']): Promise<string> {
  const first = ring === 'soak' ? 0 : from
  for (let seed = first; seed < first + MAX_SEEDS; seed++) {
    const violations = await violationsOf(seed, plant)
    if (violations.length > 0) return violations[0] ?? ''
  }
  return 'nothing'
}

async function violationsOf(seed: number, plant?: SimulationOptions['plant']): Promise<readonly string[]> {
  const { violations } = await simulateNode({ seed: 5_000 + seed, steps: 12, plant, stopAtFirst: true, createNodes: (world, settings, survives) => new SimulatedCluster(world, settings, survives) })
  return violations
}

const MISSING = /saw (nothing|\d+) under key|missed key|count\(\*\)/

// Minutes of seeds: where the long rings run.
describe.runIf(ring !== 'default')('a bug of clusters is found', () => {
  it('a gap between two owners: the next one begins at the end of the log', { timeout: 600_000 }, async () => {
    seams.graph = async (options) => {
      const { position, subscription, mq, channel } = options
      if (position === undefined || !subscription.startsWith('data')) return options
      const { last } = await mq.bounds(channel)
      return { ...options, position: { ...position, msgId: last ?? position.msgId } }
    }
    expect(await find(0)).toMatch(MISSING)
  })

  it('a channel is given to a second owner', { timeout: 600_000 }, async () => {
    const { planChannels } = await vi.importActual<typeof Plans>('../../src/cluster/channel-plan.ts')
    let turn = 0
    seams.plan = (pchannels, assignments, members) => planChannels(pchannels, assignments, ++turn % 20 === 0 ? members.slice(1) : members)
    expect(await find(0)).toMatch(/was given to .* while .* had it/)
  })

  it('channels are taken from who was asked to give them back', { timeout: 600_000 }, async () => {
    const { planChannels } = await vi.importActual<typeof Plans>('../../src/cluster/channel-plan.ts')
    seams.plan = (pchannels, assignments, members) => planChannels(pchannels, assignments, members.filter(({ stopping }) => !stopping))
    expect(await find(0)).toMatch(/was given to .* while .* had it/)
  })

  it('a leader that was replaced writes metadata', { timeout: 600_000 }, async () => {
    expect(await find(0, broken.metadataAsksForNothing)).toMatch(/a leader that had been replaced|was given to .* while|checkpoint of .* went back/)
  })

  it('a checkpoint is taken at the end of what was read', { timeout: 600_000 }, async () => {
    const ends = new WeakMap<ChannelBuffers, MsgPosition>()
    const take = ChannelBuffers.prototype.take
    vi.spyOn(ChannelBuffers.prototype, 'take').mockImplementation(function (this: ChannelBuffers, pack, now) {
      ends.set(this, pack.endPosition)
      return take.call(this, pack, now)
    })
    vi.spyOn(ChannelBuffers.prototype, 'checkpoint').mockImplementation(function (this: ChannelBuffers) {
      return ends.get(this)
    })
    expect(await find(0)).toMatch(MISSING)
  })

  it('an owner acknowledges when its lease has ended', { timeout: 600_000 }, async () => {
    vi.spyOn(Membership.prototype, 'isLive', 'get').mockReturnValue(true)
    expect(await find(0)).toMatch(/without a lease|while .* had it/)
  })

  it('ticks overtake what is on its way', { timeout: 600_000 }, async () => {
    expect(await find(0, logAnswersEarly)).not.toBe('nothing')
  })

  it('readers take what an overtaken owner wrote', { timeout: 600_000 }, async () => {
    expect(await find(0, broken.logHidesEpochs)).not.toBe('nothing')
  })

  it('the next owner puts rows into segments a second time', { timeout: 600_000 }, async () => {
    seams.meta = (meta) => new Proxy(meta, { get: (target, property) => (property === 'flushedTs' ? () => 0n : bound(target, property)) })
    expect(await find(0)).toMatch(/twice|count\(\*\)/)
  })

  it('a proxy does not wait for its mirror', { timeout: 600_000 }, async () => {
    const wait = CatalogMirror.prototype.waitFor
    // Others name a signal: they wait for what somebody else did.
    vi.spyOn(CatalogMirror.prototype, 'waitFor').mockImplementation(function (this: CatalogMirror, ...args) {
      return args.length === 1 ? Promise.resolve() : wait.apply(this, args)
    })
    expect(await find(0)).toMatch(/before it knew of it/)
  })

  it('growing rows go before their segment is served', { timeout: 600_000 }, async () => {
    const growing = new Set<{ readonly rows: GrowingRows; last: bigint }>()
    const append = GrowingRows.prototype.append
    vi.spyOn(GrowingRows.prototype, 'append').mockImplementation(function (this: GrowingRows, partitionId, schema, batch, ts) {
      append.call(this, partitionId, schema, batch, ts)
      growing.add({ rows: this, last: ts })
    })
    seams.rows = ({ startTs, endTs }) => {
      for (const { rows, last } of growing) if (last > startTs && last <= endTs) rows.dropThrough(endTs)
    }
    expect(await find(0)).toMatch(MISSING)
  })

  it('a target is current before all of it is loaded', { timeout: 600_000 }, async () => {
    // As if every node had said that it has whatever it was given.
    seams.step = (options) => ({ ...options, holdings: (nodeId) => (options.holdings(nodeId) === undefined ? undefined : { segmentIds: new Everything(), growingFrom: new FromTheStart() }) })
    expect(await find(0)).toMatch(/is current, but node \d+ has not loaded|growing rows of \S+ behind \d+ are not here/)
  })
})

describe('without a bug', () => {
  it('the same seeds find nothing', { timeout: 600_000 }, async () => {
    for (let seed = 0; seed < (ring === 'default' ? 2 : 10); seed++) expect(await violationsOf(seed)).toEqual([])
  })

  it.runIf(ring !== 'default')('a slow log is none', { timeout: 600_000 }, async () => {
    for (let seed = 0; seed < 24; seed++) expect([seed, await violationsOf(seed, broken.logIsSlow)]).toEqual([seed, []])
  })

  it.runIf(ring !== 'default')('nor are overtaken owners that send again', { timeout: 600_000 }, async () => {
    for (let seed = 0; seed < 24; seed++) expect([seed, await violationsOf(seed, broken.overtakenOwnersRepeat)]).toEqual([seed, []])
  })
})

class Everything extends Set<bigint> {
  override has(): boolean {
    return true
  }
}

class FromTheStart extends Map<string, bigint> {
  override get(): bigint {
    return 0n
  }
}

function bound(target: object, property: string | symbol): unknown {
  const value: unknown = Reflect.get(target, property, target)
  return typeof value === 'function' ? (...args: unknown[]): unknown => Reflect.apply(value, target, args) : value
}
