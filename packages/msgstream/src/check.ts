/** Checks of arguments at public entries: what was expected and what came. */
import type { CallOptions, MessageId, StartPosition } from './mq.ts'

export function show(value: unknown): string {
  if (typeof value === 'string') return `${JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)} (string)`
  if (typeof value === 'bigint') return `${value}n (bigint)`
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'object') return `${value.constructor?.name ?? 'object'}`
  return `${String(value).slice(0, 60)} (${typeof value})`
}

const channelPattern = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/

export function checkChannel(channel: unknown, name = 'channel'): asserts channel is string {
  if (typeof channel !== 'string' || !channelPattern.test(channel)) {
    throw new TypeError(`expected \`${name}\` to be 1 to 200 characters of [A-Za-z0-9._-] not starting with a dot, got ${show(channel)}`)
  }
}

export function checkChannels(channels: unknown, name = 'channels'): asserts channels is readonly string[] {
  if (!Array.isArray(channels)) throw new TypeError(`expected \`${name}\` to be an array of channel names, got ${show(channels)}`)
  const seen = new Set<string>()
  for (const [i, channel] of channels.entries()) {
    checkChannel(channel, `${name}[${i}]`)
    if (seen.has(channel)) throw new TypeError(`expected \`${name}\` without duplicates, got ${show(channel)} twice`)
    seen.add(channel)
  }
}

/** An integer in `min..max`; `undefined` gives the default. */
export function intOption(value: unknown, name: string, fallback: number, min: number, max: number): number {
  if (value === undefined) return fallback
  const range = `expected \`${name}\` to be an integer in ${min}..${max}, got ${show(value)}`
  if (typeof value !== 'number') throw new TypeError(range)
  if (!Number.isInteger(value) || value < min || value > max) throw new RangeError(range)
  return value
}

export function enumOption<T extends string>(value: unknown, name: string, fallback: T, allowed: readonly T[]): T {
  if (value === undefined) return fallback
  if (typeof value === 'string' && (allowed as readonly string[]).includes(value)) return value as T
  throw new TypeError(`expected \`${name}\` to be one of ${allowed.join(', ')}, got ${show(value)}`)
}

export function checkTimestamp(value: unknown, name: string): asserts value is bigint {
  if (typeof value !== 'bigint') throw new TypeError(`expected \`${name}\` to be a bigint, got ${show(value)}`)
  if (value < 0n || value > 0xffff_ffff_ffff_ffffn) throw new RangeError(`expected \`${name}\` to be in 0n..2n ** 64n - 1n, got ${show(value)}`)
}

export function checkFunction(value: unknown, name: string): asserts value is (...args: never[]) => unknown {
  if (typeof value !== 'function') throw new TypeError(`expected \`${name}\` to be a function, got ${show(value)}`)
}

export function checkObject(value: unknown, name: string): asserts value is object {
  if (typeof value !== 'object' || value === null) throw new TypeError(`expected \`${name}\` to be an object, got ${show(value)}`)
}

export function checkFrames(frames: unknown): asserts frames is readonly Uint8Array[] {
  if (!Array.isArray(frames)) throw new TypeError(`expected \`frames\` to be an array of Uint8Array, got ${show(frames)}`)
  for (let i = 0; i < frames.length; i++) {
    if (!(frames[i] instanceof Uint8Array)) throw new TypeError(`expected \`frames[${i}]\` to be a Uint8Array, got ${show(frames[i])}`)
  }
}

export function checkMessageId(id: unknown, name: string): asserts id is MessageId {
  const { backend, bytes } = (id ?? {}) as { backend?: unknown; bytes?: unknown }
  if (typeof backend !== 'string' || !(bytes instanceof Uint8Array)) {
    throw new TypeError(`expected \`${name}\` to be a MessageId ({ backend, bytes }), got ${show(id)}`)
  }
}

export function checkStart(start: unknown): asserts start is StartPosition {
  checkObject(start, 'start')
  const { at, from, after } = start as { at?: unknown; from?: unknown; after?: unknown }
  if (from !== undefined) return checkMessageId(from, 'start.from')
  if (after !== undefined) return checkMessageId(after, 'start.after')
  if (at !== 'earliest' && at !== 'latest') throw new TypeError(`expected \`start.at\` to be earliest or latest, got ${show(at)}`)
}

export function throwIfAborted(options: CallOptions | undefined): void {
  const signal: unknown = options?.signal
  if (signal === undefined) return
  if (!(signal instanceof AbortSignal)) throw new TypeError(`expected \`signal\` to be an AbortSignal, got ${show(signal)}`)
  signal.throwIfAborted()
}
