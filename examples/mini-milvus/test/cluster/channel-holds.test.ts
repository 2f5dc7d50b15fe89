/** Commits over two channels with an owner each, step by step: who dies, sleeps or is not heard between any two of them. */
import type { KVBase } from '@timetick/kv'
import { KVError } from '@timetick/kv'
import { createTsMsg, decodeEnvelope, MsgStreamError, type Mq } from '@timetick/msgstream'
import { describe, expect, it } from 'vitest'
import { HOLD } from '../../src/channel/commit-records.ts'
import { COMMIT_FENCES, COMMITS } from '../../src/staging/commit-keys.ts'
import { patched } from '../sim/broken-stores.ts'
import { World } from '../sim/world.ts'
import { COMMIT_TIMEOUT_MS, CommitKit, type CommitKitOptions } from './commit-kit.ts'

/** Between the moments at which somebody dies. */
const STEP_MS = process.env['TIMETICK_RING'] === undefined ? 6 : 1
const KEYS = Array.from({ length: 10 }, (_, index) => BigInt(index + 1))
const part = (ts: bigint) => () => [createTsMsg({ type: 9_998, ts })]

async function within(run: (kit: CommitKit, world: World) => Promise<void>, plant?: CommitKitOptions['plant']): Promise<void> {
  const world = new World(1)
  world.faults = false
  const kit = new CommitKit(world, { channels: 2, plant })
  let failure: unknown
  await world.until(kit.start().then(() => run(kit, world)).catch((error: unknown) => (failure = error)), { maxMs: 900_000 })
  kit.close()
  if (failure !== undefined) throw failure as Error
  expect(world.violations).toEqual([])
}

const holdsOf = (kit: CommitKit, channel: string) => {
  const holds = kit.owners.get(channel)?.log?.holds
  if (holds === undefined) throw new Error(`${channel} has no owner`)
  return holds
}

describe('a commit over channels of two owners', () => {
  it('is seen at one timestamp on both, once', () =>
    within(async (kit) => {
      await kit.commit(kit.createProxy(), KEYS)
      expect(kit.commits[0]?.outcome).toHaveProperty('ts')
      await kit.verdict(COMMIT_TIMEOUT_MS + 4_000)
    }))

  it('is whole or nothing wherever its proxy dies', async () => {
    for (let ms = 0; ms <= 24; ms += STEP_MS) {
      await within(async (kit, world) => {
        const proxy = kit.createProxy()
        void world.sleep(ms).then(() => proxy.life.kill())
        await kit.commit(proxy, KEYS)
        const other = kit.createProxy()
        await kit.commit(other, KEYS.map((key) => key + 100n))
        // Another's commit needs nobody's end.
        expect(kit.commits[1]?.outcome).toHaveProperty('ts')
        await kit.verdict(COMMIT_TIMEOUT_MS + 4_000)
      })
    }
  })

  it('counts when its proxy dies right behind its record: the owners find out', async () => {
    let recorded = (): void => undefined
    const tells: CommitKitOptions['plant'] = ({ kv, mq }) => {
      const multiSaveAndRemove: KVBase['multiSaveAndRemove'] = async (saves, removals, options) => {
        const result = await kv.multiSaveAndRemove(saves, removals, options)
        if (saves instanceof Map && [...saves.keys()].some((key) => String(key).startsWith(COMMITS))) recorded()
        return result
      }
      return { kv: patched(kv, { multiSaveAndRemove }), mq }
    }
    await within(async (kit, world) => {
      const proxy = kit.createProxy()
      recorded = () => proxy.life.kill()
      await kit.commit(proxy, KEYS)
      expect(kit.commits[0]?.outcome).toBeUndefined()
      expect(holdsOf(kit, 'p0').size).toBe(1)
      await world.sleep(COMMIT_TIMEOUT_MS + 1_000)
      const end = await kit.timestamp(kit.createProxy().life)
      const seen = (await Promise.all(kit.channels.map((channel) => kit.read(channel, end)))).flat()
      expect(seen.flatMap(({ keys }) => keys).sort((a, b) => Number(a - b))).toEqual(KEYS)
      expect(new Set(seen.map(({ ts }) => ts)).size).toBe(1)
    }, tells)
  })

  for (const kill of [true, false]) {
    it(`goes on where an owner ${kill ? 'dies' : 'sleeps through its lease'} and another takes over`, async () => {
      for (let ms = 0; ms <= 24; ms += STEP_MS) {
        await within(async (kit, world) => {
          const committing = kit.commit(kit.createProxy(), KEYS)
          await world.sleep(ms)
          const former = kit.owners.get('p1')
          former?.life.pause()
          await kit.takeOver('p1', kill)
          void world.sleep(5_000).then(() => former?.life.resume())
          await committing
          expect(kit.commits[0]?.outcome).toHaveProperty('ts')
          await kit.verdict(COMMIT_TIMEOUT_MS + 4_000)
        })
      }
    })
  }

  it('begins again when an owner has given it up', () =>
    within(async (kit, world) => {
      let isFirst = true
      const timestamps = {
        allocOne: async () => {
          if (isFirst) await world.sleep(COMMIT_TIMEOUT_MS + 1_000)
          isFirst = false
          return kit.timestamp(proxy.life)
        },
      }
      const proxy = kit.createProxy({ timestamps })
      await kit.commit(proxy, KEYS)
      expect(kit.commits[0]?.outcome).toHaveProperty('ts')
      await kit.verdict(COMMIT_TIMEOUT_MS + 4_000)
    }))

  it('is known for certain when the answer to its record is lost', async () => {
    for (const isDone of [true, false]) {
      let lost = 0
      const loses: CommitKitOptions['plant'] = ({ kv, mq }) => {
        const multiSaveAndRemove: KVBase['multiSaveAndRemove'] = async (saves, removals, options) => {
          const isRecord = saves instanceof Map && [...saves.keys()].some((key) => String(key).startsWith(COMMITS))
          if (!isRecord || lost >= 3) return kv.multiSaveAndRemove(saves, removals, options)
          lost++
          if (isDone) await kv.multiSaveAndRemove(saves, removals, options)
          throw new KVError('KV_TIMEOUT', 'lost', { outcome: 'unknown' })
        }
        return { kv: patched(kv, { multiSaveAndRemove }), mq }
      }
      await within(async (kit) => {
        await kit.commit(kit.createProxy(), KEYS)
        expect([lost, typeof kit.commits[0]?.outcome]).toEqual([3, 'object'])
        await kit.verdict(COMMIT_TIMEOUT_MS + 4_000)
      }, loses)
    }
  })

  it('is checked anew when its collection was changed', () =>
    within(async (kit) => {
      const proxy = kit.createProxy()
      await kit.changeCollection()
      await kit.commit(proxy, KEYS)
      expect(kit.commits[0]?.outcome).toHaveProperty('ts')
      await kit.verdict(COMMIT_TIMEOUT_MS + 4_000)
    }))
})

describe('what an owner holds', () => {
  it('ends when nobody asks for it any more, and takes nothing then', () =>
    within(async (kit, world) => {
      const holds = holdsOf(kit, 'p0')
      const fence = await holds.hold('a')
      expect(await holds.hold('a')).toBe(fence)
      await world.sleep(COMMIT_TIMEOUT_MS + 100)
      expect(holds.size).toBe(0)
      await expect(holds.append({ id: 'a', index: 0, ts: 2n ** 60n }, part(2n ** 60n))).rejects.toMatchObject({ code: 'RPC_FENCED', outcome: 'not-applied' })
      expect((await kit.kv.loadEntry(`${COMMIT_FENCES}p0`))?.modRevision).toBeGreaterThan(fence)
    }))

  it('lasts as long as parts come, each once', () =>
    within(async (kit, world) => {
      const holds = holdsOf(kit, 'p0')
      await holds.hold('a')
      let built = 0
      const ts = await kit.timestamp(kit.createProxy().life)
      const build = () => (built++, part(ts)())
      for (let index = 0; index < 4; index++) {
        await world.sleep(COMMIT_TIMEOUT_MS - 500)
        await Promise.all([holds.append({ id: 'a', index, ts }, build), holds.append({ id: 'a', index, ts }, build)])
      }
      expect([built, holds.size]).toEqual([4, 1])
      await expect(holds.append({ id: 'a', index: 9, ts }, build)).rejects.toMatchObject({ code: 'RPC_MALFORMED' })
      await expect(holds.append({ id: 'a', index: 4, ts: ts + 1n }, build)).rejects.toMatchObject({ code: 'RPC_MALFORMED' })
      await holds.decide('a', undefined)
      await holds.decide('a', { ts, channels: ['p0'] })
      expect(holds.size).toBe(0)
    }))

  it('stays while the store is away: nobody else can say what was decided', () =>
    within(async (kit, world) => {
      const owner = kit.owners.get('p0')
      const holds = holdsOf(kit, 'p0')
      await holds.hold('a')
      if (owner !== undefined) owner.life.isCutOff = true
      await world.sleep(COMMIT_TIMEOUT_MS + 20_000)
      expect(holds.size).toBe(1)
      if (owner !== undefined) owner.life.isCutOff = false
      await world.sleep(2_000)
      expect(holds.size).toBe(0)
    }))

  it('is bounded', () =>
    within(async (kit) => {
      const holds = holdsOf(kit, 'p0')
      await Promise.all(Array.from({ length: 1_000 }, (_, index) => holds.hold(`h${index}`)))
      await expect(holds.hold('one more')).rejects.toMatchObject({ code: 'RPC_OVERLOADED', outcome: 'not-applied' })
      await holds.close()
      expect(holds.size).toBe(0)
    }))

  it('ends with its owner when the log does not say whether it began, decided or not', async () => {
    let lost = 0
    const loses: CommitKitOptions['plant'] = ({ kv, mq }, world) => {
      const openProducer: Mq['openProducer'] = async (channel, options) => {
        const producer = await mq.openProducer(channel, options)
        const send: typeof producer.send = async (frames) => {
          if (lost > 0 || !frames.some((frame) => decodeEnvelope(frame).type === HOLD)) return producer.send(frames)
          lost++
          await world.sleep(500)
          throw new MsgStreamError('MSG_TIMEOUT', 'lost', { outcome: 'unknown' })
        }
        return patched(producer, { send })
      }
      return { kv, mq: patched(mq, { openProducer }) }
    }
    await within(async (kit, world) => {
      const holds = holdsOf(kit, 'p0')
      const held = holds.hold('a').catch((error: unknown) => error)
      await world.sleep(100)
      await holds.decide('a', undefined)
      await held
      await world.sleep(1_000)
      expect([lost, kit.owners.get('p0')?.epoch]).toEqual([1, 2])
      await kit.verdict(COMMIT_TIMEOUT_MS)
    }, loses)
  })
})
