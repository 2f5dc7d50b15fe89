/**
 * Bugs planted on purpose, in the stores below the node and in the node's own parts. The simulation must find each of them, or
 * finding nothing elsewhere means nothing.
 */
import type { MsgPosition } from '@timetick/msgstream'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ServiceTime } from '../../src/channel/service-time.ts'
import { GarbageCollector } from '../../src/coordinator/garbage.ts'
import { ChannelBuffers } from '../../src/datanode/channel-buffers.ts'
import { ShardBuffer } from '../../src/datanode/shard-buffer.ts'
import { GrowingRows } from '../../src/querynode/growing-rows.ts'
import { LoadedShard } from '../../src/querynode/loaded-shard.ts'
import { Tombstones } from '../../src/querynode/tombstones.ts'
import * as broken from './broken-stores.ts'
import { simulateNode, type SimulationOptions } from './simulation.ts'

const MAX_SEEDS = 60

afterEach(() => void vi.restoreAllMocks())

/** What the first seed that finds anything found. Begins shortly before it; from the very first in the long rings. */
async function find(from: number, plant?: SimulationOptions['plant']): Promise<string> {
  for (let seed = process.env['TIMETICK_RING'] === undefined ? from : 1; seed <= MAX_SEEDS; seed++) {
    const { violations } = await simulateNode({ seed, plant, disk: false, stopAtFirst: true })
    if (violations.length > 0) return `seed ${seed}: ${violations[0]}`
  }
  return 'nothing'
}

describe('a bug in a store is found', () => {
  it.each([
    ['a log that loses frames it has answered for', broken.logLosesFrames, 1],
    ['a log that repeats frames', broken.logRepeatsFrames, 3],
    ['a log that answers before the frames can be read', broken.logAnswersEarly, 1],
    ['a log that cuts more than it was told', broken.logCutsTooMuch, 1],
    ['metadata that saves half of a transaction', broken.metadataSavesHalf, 3],
    ['metadata that forgets removals', broken.metadataForgetsRemovals, 3],
    ['storage that loses objects', broken.storageLosesObjects, 1],
    ['storage that tears objects', broken.storageTearsObjects, 3],
  ])('%s', { timeout: 300_000 }, async (_name, plant, from) => {
    expect(await find(from, plant)).not.toBe('nothing')
  })
})

describe('a bug in the node is found', () => {
  it('strong reads do not wait', { timeout: 300_000 }, async () => {
    vi.spyOn(ServiceTime.prototype, 'wait').mockResolvedValue(undefined)
    expect(await find(3)).toMatch(/expected|missed/)
  })

  it('service time runs ahead', { timeout: 300_000 }, async () => {
    const advance = ServiceTime.prototype.advance
    vi.spyOn(ServiceTime.prototype, 'advance').mockImplementation(function (this: ServiceTime, ts) {
      advance.call(this, ts + (50n << 18n))
    })
    expect(await find(4)).not.toBe('nothing')
  })

  it('a flush forgets the deletes', { timeout: 300_000 }, async () => {
    const seal = ShardBuffer.prototype.seal
    vi.spyOn(ShardBuffer.prototype, 'seal').mockImplementation(function (this: ShardBuffer, endTs) {
      return { ...seal.call(this, endTs), deletes: [] }
    })
    expect(await find(1)).toMatch(/twice|expected|missed/)
  })

  it('growing rows stay beside the segments that hold them', { timeout: 300_000 }, async () => {
    vi.spyOn(GrowingRows.prototype, 'dropThrough').mockReturnValue(undefined)
    expect(await find(2)).toMatch(/twice|expected|missed/)
  })

  it('deletes reach nothing in memory', { timeout: 300_000 }, async () => {
    vi.spyOn(Tombstones.prototype, 'kill').mockReturnValue(false)
    expect(await find(2)).toMatch(/twice|expected|missed/)
  })

  it('deletes from the log reach no segments that are loaded', { timeout: 300_000 }, async () => {
    vi.spyOn(LoadedShard.prototype, 'applyDelete').mockReturnValue(0)
    expect(await find(2)).toMatch(/twice|expected|missed/)
  })

  it('a truncation leaves what is in memory', { timeout: 300_000 }, async () => {
    vi.spyOn(LoadedShard.prototype, 'truncate').mockReturnValue(undefined)
    expect(await find(5)).toMatch(/expected nothing/)
  })

  it('a checkpoint is taken at the end of what was read, not at the oldest that is not flushed', { timeout: 300_000 }, async () => {
    const ends = new WeakMap<ChannelBuffers, MsgPosition>()
    const take = ChannelBuffers.prototype.take
    vi.spyOn(ChannelBuffers.prototype, 'take').mockImplementation(function (this: ChannelBuffers, pack, now) {
      ends.set(this, pack.endPosition)
      return take.call(this, pack, now)
    })
    vi.spyOn(ChannelBuffers.prototype, 'checkpoint').mockImplementation(function (this: ChannelBuffers) {
      return ends.get(this)
    })
    expect(await find(1)).toMatch(/expected|missed/)
  })

  it('what a crash left in the storage is not swept', { timeout: 300_000 }, async () => {
    vi.spyOn(GarbageCollector.prototype, 'sweep').mockResolvedValue(undefined)
    expect(await find(2)).toMatch(/belongs to no segment/)
  })
})

describe('without a bug', () => {
  it('the same seeds find nothing', { timeout: 300_000 }, async () => {
    for (let seed = 1; seed <= 10; seed++) expect((await simulateNode({ seed })).violations).toEqual([])
  })
})
