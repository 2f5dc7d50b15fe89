/** Where the readers of a stream begin and, with `until`, where they end. */
import { checkChannels, show } from './check.ts'
import type { MsgPosition } from './message.ts'
import type { CallOptions, MessageId, Mq, StartPosition } from './mq.ts'
import { checkPosition, compareMessageIds } from './position.ts'
import type { ConsumerOptions } from './stream.ts'

export interface Place {
  readonly position: MsgPosition
  /** Is the id the first frame to read, or the last one delivered? */
  readonly inclusive: boolean
  /** Without an id: the end of the channel, else its beginning. */
  readonly atLatest: boolean
}

export function startOf({ position: { msgId }, inclusive, atLatest }: Place): StartPosition {
  if (msgId === undefined) return { at: atLatest ? 'latest' : 'earliest' }
  return inclusive ? { from: msgId } : { after: msgId }
}

/** Places of channels without a position. A stream with exclusive positions needs the id of the last frame for "latest". */
export async function placeOf(mq: Mq, channel: string, from: 'earliest' | 'latest', inclusive: boolean, options: CallOptions): Promise<Place> {
  const msgId = from === 'latest' && !inclusive ? (await mq.bounds(channel, options)).last : undefined
  return { position: { channel, msgId, timestamp: 0n }, inclusive, atLatest: from === 'latest' && inclusive }
}

/** True where nothing lies between the place and the end. */
export function isBehindEnd({ position: { msgId }, inclusive, atLatest }: Place, end: MessageId | undefined): boolean {
  if (end === undefined || (msgId === undefined && atLatest)) return true
  if (msgId === undefined) return false
  const order = compareMessageIds(msgId, end)
  return inclusive ? order > 0 : order >= 0
}

export function checkPositions(positions: readonly MsgPosition[], channels: readonly string[], name = 'positions'): Map<string, MsgPosition> {
  if (!Array.isArray(positions)) throw new TypeError(`expected \`${name}\` to be an array of MsgPosition, got ${show(positions)}`)
  const given = new Map<string, MsgPosition>()
  for (const [i, position] of (positions as readonly MsgPosition[]).entries()) {
    checkPosition(position, `${name}[${i}]`)
    if (!channels.includes(position.channel)) throw new TypeError(`expected \`${name}[${i}].channel\` to be one of the stream's channels, got ${show(position.channel)}`)
    if (given.has(position.channel)) throw new TypeError(`expected \`${name}\` with one entry per channel, got ${show(position.channel)} twice`)
    given.set(position.channel, position)
  }
  return given
}

/** Explicit positions, then what the store has of these channels. */
export async function givenPositions({ positions, store, subscription }: ConsumerOptions, channels: readonly string[]): Promise<Map<string, MsgPosition>> {
  const given = checkPositions(positions ?? [], channels)
  if (store === undefined) return given
  const stored = (await store.load(subscription ?? '')).filter(({ channel }) => channels.includes(channel))
  return new Map([...checkPositions(stored, channels, 'stored positions'), ...given])
}

/** Indexes of the named channels, all by default. */
export function indexesOf(named: readonly string[] | undefined, channels: readonly string[]): number[] {
  if (named === undefined) return channels.map((_, i) => i)
  checkChannels(named)
  return named.map((channel) => {
    const index = channels.indexOf(channel)
    if (index < 0) throw new TypeError(`expected \`channels\` to name channels of the stream, got ${show(channel)}`)
    return index
  })
}
