/** Stores of a cluster with a bug each: see bugs.test.ts. */
import type { KVBase } from '@timetick/kv'
import type { MessageId, Mq } from '@timetick/msgstream'
import { epochAt } from '../../src/channel/fenced-mq.ts'
import { patched } from '../sim/broken-stores.ts'
import type { Surviving } from '../sim/sim-node.ts'
import type { World } from '../sim/world.ts'

type Plant = (surviving: Surviving, world: World) => Surviving

/** As if a leader wrote without asking whether it still leads, now and then late. */
export const metadataAsksForNothing: Plant = (surviving, world) => {
  const { kv } = surviving
  const multiSaveAndRemove: KVBase['multiSaveAndRemove'] = async (saves, removals, options) => {
    const isMeta = saves instanceof Map && saves.has('meta/revision')
    if (isMeta && world.random.chance(0.1)) await world.sleep(world.random.integer(0, 12_000))
    return kv.multiSaveAndRemove(saves, removals, isMeta ? { ...options, when: [] } : options)
  }
  return { ...surviving, kv: patched(kv, { multiSaveAndRemove }) }
}

const EPOCH_AT = 24

/** No bug: what was sent before an owner died may arrive behind the next one's fence. */
export const logIsSlow: Plant = (surviving, world) => {
  const { mq } = surviving
  const openProducer: Mq['openProducer'] = async (channel, options) => {
    const producer = await mq.openProducer(channel, options)
    const send = async (frames: readonly Uint8Array[]): Promise<MessageId[]> => {
      const copies = frames.map((frame) => frame.slice())
      if (world.random.chance(0.1)) await world.sleep(world.random.integer(0, 20_000))
      return producer.send(copies)
    }
    return patched(producer, { send })
  }
  return { ...surviving, mq: patched(mq, { openProducer }) }
}

/** No bug: the log's client of an owner that was overtaken sends once more what it had sent, behind the next one's fence. */
export const overtakenOwnersRepeat: Plant = (surviving, world) => {
  const { mq } = surviving
  const latest = new Map<string, { readonly epoch: bigint; readonly frames: Uint8Array[] }>()
  const repeat = async (channel: string, frames: readonly Uint8Array[]): Promise<void> => {
    await world.sleep(world.random.integer(0, 5_000))
    const producer = await mq.openProducer(channel)
    await producer.send(frames)
    await producer.close()
  }
  const openProducer: Mq['openProducer'] = async (channel, options) => {
    const producer = await mq.openProducer(channel, options)
    const send = async (frames: readonly Uint8Array[]): Promise<MessageId[]> => {
      const copies = frames.map((frame) => frame.slice())
      const ids = await producer.send(frames)
      const epoch = copies.map((frame) => epochAt(frame) ?? 0n).reduce((most, one) => (one > most ? one : most), 0n)
      const before = latest.get(channel) ?? { epoch, frames: [] }
      // The channel may be gone by then.
      if (epoch > before.epoch) repeat(channel, before.frames).catch(() => undefined)
      if (epoch >= before.epoch) latest.set(channel, { epoch, frames: epoch > before.epoch ? copies : [...before.frames, ...copies].slice(-200) })
      return ids
    }
    return patched(producer, { send })
  }
  return { ...surviving, mq: patched(mq, { openProducer }) }
}

/** As if readers did not look at who wrote: every frame seems to be of the newest owner. */
export const logHidesEpochs: Plant = (surviving, world) => {
  const { mq } = overtakenOwnersRepeat(surviving, world)
  const newest = new Map<string, bigint>()
  const openReader: Mq['openReader'] = async (channel, start, options) => {
    const reader = await mq.openReader(channel, start, options)
    const read: typeof reader.read = async (how) => {
      const batch = await reader.read(how)
      if (batch === undefined) return batch
      const frames = batch.frames.map((frame) => {
        const copy = frame.slice()
        const view = new DataView(copy.buffer)
        const epoch = view.getBigUint64(EPOCH_AT, true)
        const most = newest.get(channel) ?? 0n
        if (epoch > most) newest.set(channel, epoch)
        else view.setBigUint64(EPOCH_AT, most, true)
        return copy
      })
      return { ...batch, frames }
    }
    return patched(reader, { read })
  }
  return { ...surviving, mq: patched(mq, { openReader }) }
}
