/** Stores with a bug each, to show that the simulation finds it. */
import type { KVBase, Pairs, TransactionOptions } from '@timetick/kv'
import type { MessageId, Mq, MqProducer } from '@timetick/msgstream'
import type { Surviving } from './sim-node.ts'
import { SimulatedStorage } from './sim-storage.ts'
import type { World } from './world.ts'

type Plant = (surviving: Surviving, world: World) => Surviving

/** The same object with some methods replaced. */
export function patched<T extends object>(target: T, methods: Partial<T>): T {
  return new Proxy(target, {
    get(_target, property) {
      const own: unknown = Reflect.get(methods, property)
      const value: unknown = own ?? Reflect.get(target, property, target)
      return typeof value === 'function' ? (...args: unknown[]): unknown => Reflect.apply(value, target, args) : value
    },
  })
}

function withProducers(patch: (producer: MqProducer, world: World) => Partial<MqProducer>): Plant {
  return (surviving, world) => {
    const openProducer: Mq['openProducer'] = async (channel, options) => {
      const producer = await surviving.mq.openProducer(channel, options)
      return patched(producer, patch(producer, world))
    }
    return { ...surviving, mq: patched(surviving.mq, { openProducer }) }
  }
}

export const logLosesFrames = withProducers((producer, { random }) => ({
  async send(frames): Promise<MessageId[]> {
    const ids = await producer.send(random.chance(0.05) ? frames.slice(0, -1) : frames)
    return frames.map((_, index) => ids[index] ?? { backend: 'memory', bytes: new Uint8Array(8) })
  },
}))

export const logRepeatsFrames = withProducers((producer, { random }) => ({
  async send(frames): Promise<MessageId[]> {
    if (random.chance(0.05)) await producer.send(frames)
    return producer.send(frames)
  },
}))

/** Frames are answered for before readers can see them. */
export const logAnswersEarly = withProducers((producer, world) => ({
  async send(frames): Promise<MessageId[]> {
    const copies = frames.map((frame) => frame.slice())
    if (!world.random.chance(0.3)) return producer.send(copies)
    void world.sleep(20).then(() => producer.send(copies)).catch(() => undefined)
    return frames.map(() => ({ backend: 'memory', bytes: new Uint8Array(8) }))
  },
}))

export const logCutsTooMuch: Plant = (surviving) => {
  const { mq } = surviving
  const truncate: Mq['truncate'] = async (channel) => {
    const { last } = await mq.bounds(channel)
    if (last !== undefined) await mq.truncate(channel, last)
  }
  return { ...surviving, mq: patched(mq, { truncate }) }
}

export const metadataSavesHalf: Plant = (surviving, { random }) => {
  const { kv } = surviving
  const multiSaveAndRemove: KVBase['multiSaveAndRemove'] = (saves: Pairs<string>, removals: readonly string[], options?: TransactionOptions) => {
    const entries = [...(saves instanceof Map ? saves : Object.entries(saves))] as [string, string][]
    return kv.multiSaveAndRemove(new Map(random.chance(0.2) ? entries.slice(1) : entries), removals, options)
  }
  return { ...surviving, kv: patched(kv, { multiSaveAndRemove }) }
}

export const metadataForgetsRemovals: Plant = (surviving, { random }) => {
  const { kv } = surviving
  const multiSaveAndRemove: KVBase['multiSaveAndRemove'] = (saves, removals, options) => kv.multiSaveAndRemove(saves, random.chance(0.3) ? [] : removals, options)
  return { ...surviving, kv: patched(kv, { multiSaveAndRemove }) }
}

class BadStorage extends SimulatedStorage {
  readonly #world: World
  readonly #spoil: (bytes: Uint8Array) => Uint8Array | undefined

  constructor(world: World, spoil: (bytes: Uint8Array) => Uint8Array | undefined) {
    super()
    this.#world = world
    this.#spoil = spoil
  }

  override async put(key: string, data: Uint8Array | Iterable<Uint8Array>): Promise<void> {
    await super.put(key, data)
    const bytes = this.objects.get(key)
    if (bytes === undefined || !this.#world.random.chance(0.1)) return
    const spoilt = this.#spoil(bytes)
    if (spoilt === undefined) this.objects.delete(key)
    else this.objects.set(key, spoilt)
  }
}

export const storageLosesObjects: Plant = (surviving, world) => ({ ...surviving, storage: new BadStorage(world, () => undefined) })
export const storageTearsObjects: Plant = (surviving, world) => ({ ...surviving, storage: new BadStorage(world, (bytes) => bytes.map((byte, at) => (at > bytes.length / 2 ? 0 : byte))) })
