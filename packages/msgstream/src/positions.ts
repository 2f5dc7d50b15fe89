/**
 * `@timetick/msgstream/positions`: positions kept in the queue itself, one channel per subscription, whose last frame counts.
 *
 *     const store = createChannelPositionStore({ mq })
 *     await stream.asConsumer(channels, { subscription: 'billing', store, ack: 'auto' })
 *
 * @module
 */
import { checkChannel, checkObject, show } from './check.ts'
import { isMsgStreamError, MsgStreamError } from './errors.ts'
import type { MsgPosition } from './message.ts'
import type { Mq, MqProducer } from './mq.ts'
import { positionFromBytes, positionToBytes } from './position.ts'
import type { PositionStore } from './reading.ts'

export interface ChannelPositionStoreOptions {
  readonly mq: Mq
  /** Before the subscription's name. @default 'positions-' */
  readonly prefix?: string | undefined
}

export interface ChannelPositionStore extends PositionStore {
  /** Ends the producers it made. The caller keeps the queue and closes it. */
  close(): Promise<void>
}

const formatVersion = 1
const truncateEvery = 64

/**
 * A store for every backend: as durable as the queue. One process at a time may use a subscription. With effects kept
 * elsewhere it gives at least once: a pack whose effects were saved and whose position was not comes again.
 */
export function createChannelPositionStore(options: ChannelPositionStoreOptions): ChannelPositionStore {
  checkObject(options, 'options')
  checkObject(options.mq, 'mq')
  const { mq, prefix = 'positions-' } = options
  checkChannel(`${prefix}x`, 'prefix')
  const producers = new Map<string, Promise<MqProducer>>()
  let saves = 0

  async function producerOf(channel: string): Promise<MqProducer> {
    const known = producers.get(channel)
    if (known !== undefined) return known
    const opening = mq.openProducer(channel)
    producers.set(channel, opening)
    opening.catch(() => producers.delete(channel))
    return opening
  }

  return {
    async load(subscription) {
      const channel = channelOf(prefix, subscription)
      const bounds = await mq.bounds(channel).catch((error: unknown) => {
        if (isMsgStreamError(error, 'MSG_CHANNEL_NOT_FOUND')) return { last: undefined }
        throw error
      })
      if (bounds.last === undefined) return []
      const reader = await mq.openReader(channel, { from: bounds.last })
      try {
        const frame = (await reader.read({ maxMessages: 1 }))?.frames[0]
        return frame === undefined ? [] : decode(frame, channel)
      } finally {
        await reader.close()
      }
    },
    async save(subscription, positions) {
      const channel = channelOf(prefix, subscription)
      const producer = await producerOf(channel)
      try {
        const [id] = await producer.send([encode(positions)])
        if (mq.features.truncate && id !== undefined && ++saves % truncateEvery === 0) await mq.truncate(channel, id)
      } catch (error) {
        // An unknown outcome fails a producer for good; positions may be written again by another one.
        producers.delete(channel)
        await producer.close().catch(() => {})
        throw error
      }
    },
    async close() {
      const opened = await Promise.allSettled(producers.values())
      producers.clear()
      await Promise.allSettled(opened.flatMap((it) => (it.status === 'fulfilled' ? [it.value.close()] : [])))
    },
  }
}

function channelOf(prefix: string, subscription: string): string {
  if (typeof subscription !== 'string') throw new TypeError(`expected \`subscription\` to be a string, got ${show(subscription)}`)
  checkChannel(`${prefix}${subscription}`, 'subscription')
  return `${prefix}${subscription}`
}

/** Version, then each position with a length of 2 bytes. */
function encode(positions: readonly MsgPosition[]): Uint8Array {
  const parts = positions.map(positionToBytes)
  const frame = new Uint8Array(parts.reduce((sum, { length }) => sum + 2 + length, 1))
  const view = new DataView(frame.buffer)
  frame[0] = formatVersion
  let at = 1
  for (const part of parts) {
    view.setUint16(at, part.length)
    frame.set(part, at + 2)
    at += 2 + part.length
  }
  return frame
}

function decode(frame: Uint8Array, channel: string): MsgPosition[] {
  if ((frame[0] ?? 0) > formatVersion) throw new MsgStreamError('MSG_VERSION', `positions in ${channel} have format ${frame[0]}, this release reads up to ${formatVersion}`)
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length)
  const positions: MsgPosition[] = []
  try {
    for (let at = 1; at < frame.length; at += 2 + view.getUint16(at)) positions.push(positionFromBytes(frame.slice(at + 2, at + 2 + view.getUint16(at))))
  } catch (cause) {
    throw new MsgStreamError('MSG_CORRUPT', `channel ${channel} holds no positions`, { cause, details: { channel } })
  }
  return positions
}
