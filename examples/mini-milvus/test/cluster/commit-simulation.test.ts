/** Commits of rule `flush` over the channels of a cluster, under faults. One seed: `SEED=17 npx vitest run test/cluster/commit-simulation.test.ts`. */
import type { KVBase } from '@timetick/kv'
import type { Mq } from '@timetick/msgstream'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { DECISION } from '../../src/channel/commit-records.ts'
import { ChannelHolds } from '../../src/cluster/channel-holds.ts'
import { CommitFence } from '../../src/cluster/commit-fence.ts'
import type * as Records from '../../src/cluster/commit-records.ts'
import { COMMIT_FENCES } from '../../src/staging/commit-keys.ts'
import { patched } from '../sim/broken-stores.ts'
import type { CommitKitOptions } from './commit-kit.ts'
import { simulateCommits } from './commit-simulation.ts'

const seams = vi.hoisted(() => ({ decisions: true }))
vi.mock('../../src/cluster/commit-records.ts', async (load) => {
  const real = await load<typeof Records>()
  const writeDecisions: typeof Records.writeDecisions = (...args) => (seams.decisions ? real.writeDecisions(...args) : Promise.resolve())
  return { ...real, writeDecisions }
})

const ring = process.env['TIMETICK_RING']
const count = ring === 'soak' ? 20_000 : ring === 'ci' ? 40 : 3
const seed = process.env['SEED']
const seeds = seed === undefined ? Array.from({ length: count }, (_, index) => 7_000 + index) : [Number(seed)]
const MAX_SEEDS = 60

afterEach(() => {
  vi.restoreAllMocks()
  seams.decisions = true
})

describe('commits over channels of several owners', () => {
  it('are seen whole or not at all, and as they were answered', { timeout: 1_800_000 }, async () => {
    const counts = new Map<string, number>()
    for (const one of seeds) {
      const result = await simulateCommits(one)
      if (result.violations.length > 0) throw new Error(`seed ${one}: ${result.violations.join('\n')}${seed === undefined ? '' : `\n${result.recent}`}`)
      for (const [name, times] of result.counts) counts.set(name, (counts.get(name) ?? 0) + times)
    }
    if (seed !== undefined) return
    for (const name of ['committed', 'not known', 'death of an owner', 'death of a proxy', 'pause', 'message lost']) expect([name, (counts.get(name) ?? 0) > 0]).toEqual([name, true])
    // Most of what is done here is not in vain.
    expect(counts.get('committed')).toBeGreaterThan(seeds.length * 9)
  })

  it('do exactly the same with the same seed', { timeout: 600_000 }, async () => {
    expect((await simulateCommits(8_000, { steps: 4 })).trace).toBe((await simulateCommits(8_000, { steps: 4 })).trace)
  })
})

/** What the first seed that finds anything found. */
async function find(plant?: CommitKitOptions['plant']): Promise<string> {
  for (let one = 7_000; one < 7_000 + MAX_SEEDS; one++) {
    const { violations } = await simulateCommits(one, { plant })
    if (violations.length > 0) return violations.join('\n')
  }
  return 'nothing'
}

const LOST = /half of it was seen|was not seen then/

// Some need many seeds: where the long rings run.
describe.runIf(ring !== undefined)('a bug of commits is found', () => {
  it('a new owner does not write what was decided', { timeout: 600_000 }, async () => {
    seams.decisions = false
    expect(await find()).toMatch(LOST)
  })

  it('an owner that waits no more does not exclude the proxy', { timeout: 600_000 }, async () => {
    vi.spyOn(CommitFence.prototype, 'renew').mockResolvedValue(true)
    expect(await find()).toMatch(LOST)
  })

  it('the record does not depend on the owners', { timeout: 600_000 }, async () => {
    expect(await find(recordsAskNoOwner)).toMatch(LOST)
  })

  it('a decision comes behind the time that it is about', { timeout: 600_000 }, async () => {
    expect(await find(decisionsAreAnsweredEarly)).toMatch(LOST)
  })

  it('an owner lets time go on without a decision', { timeout: 600_000 }, async () => {
    vi.spyOn(ChannelHolds.prototype, 'decide').mockImplementation(async function (this: ChannelHolds, id) {
      // As if nothing of it counted.
      await Reflect.apply(decideOf, this, [id, undefined])
    })
    expect(await find()).toMatch(LOST)
  })
})

const decideOf = ChannelHolds.prototype.decide

function recordsAskNoOwner({ kv, mq }: { readonly kv: KVBase; readonly mq: Mq }): { readonly kv: KVBase; readonly mq: Mq } {
  const multiSaveAndRemove: KVBase['multiSaveAndRemove'] = (saves, removals, options = {}) => {
    const isFence = saves instanceof Map && [...saves.keys()].some((key) => String(key).startsWith(COMMIT_FENCES))
    return kv.multiSaveAndRemove(saves, removals, isFence ? options : { ...options, when: options.when?.filter(({ key }) => !key.startsWith(COMMIT_FENCES)) })
  }
  return { kv: patched(kv, { multiSaveAndRemove }), mq }
}

const TYPE_AT = 6

const decisionsAreAnsweredEarly: NonNullable<CommitKitOptions['plant']> = ({ kv, mq }, world) => {
  const openProducer: Mq['openProducer'] = async (channel, options) => {
    const producer = await mq.openProducer(channel, options)
    const send: typeof producer.send = async (frames) => {
      const copies = frames.map((frame) => frame.slice())
      if (copies.some((frame) => new DataView(frame.buffer).getUint16(TYPE_AT, true) === DECISION)) {
        void world.sleep(1_000).then(() => producer.send(copies)).catch(() => undefined)
        return []
      }
      return producer.send(copies)
    }
    return patched(producer, { send })
  }
  return { kv, mq: patched(mq, { openProducer }) }
}
