/**
 * A hybrid timestamp: 46 bits of milliseconds since 1970, then 18 bits that tell events of one millisecond apart
 * (appendix A.6.1; the layout of Milvus and PD). It fits an unsigned 64-bit integer, and today's values need 59 bits,
 * so it is a `bigint`: a `number` would merge neighbours.
 */
import { checkBigint, checkInteger } from './check.ts'
import { dateOf } from './edge.ts'

export type Timestamp = bigint

export const LOGICAL_BITS = 18
/** The highest logical part, and the most timestamps that one millisecond gives (0 is not handed out). */
export const MAX_LOGICAL = 262_143
/** The highest physical part, in ms: the year 4199. */
export const MAX_PHYSICAL_MS = 2 ** 46 - 1
export const MAX_TIMESTAMP: Timestamp = 2n ** 64n - 1n

const SHIFT = 18n
const LOGICAL_MASK = 0x3ffffn

export interface TimestampParts {
  /** Milliseconds since 1970. */
  readonly physicalMs: number
  /** 0 to {@link MAX_LOGICAL}. */
  readonly logical: number
}

/**
 * @throws {RangeError} when a part does not fit its bits; nothing ever carries from one into the other.
 * @example
 * composeTimestamp(1, 2) // => 262146n
 */
export function composeTimestamp(physicalMs: number, logical: number = 0): Timestamp {
  checkInteger('physicalMs', physicalMs, 0, MAX_PHYSICAL_MS)
  checkInteger('logical', logical, 0, MAX_LOGICAL)
  return compose(physicalMs, logical)
}

/** {@link composeTimestamp} for parts that are known to be in range. */
export function compose(physicalMs: number, logical: number): Timestamp {
  return (BigInt(physicalMs) << SHIFT) + BigInt(logical)
}

export function parseTimestamp(ts: Timestamp): TimestampParts {
  checkTimestamp('ts', ts)
  return { physicalMs: Number(ts >> SHIFT), logical: Number(ts & LOGICAL_MASK) }
}

/** For `Array.prototype.sort`: negative, 0 or positive. */
export function compareTimestamps(a: Timestamp, b: Timestamp): -1 | 0 | 1 {
  checkTimestamp('a', a)
  checkTimestamp('b', b)
  return a < b ? -1 : a > b ? 1 : 0
}

/** The wall time of the physical part. */
export function timestampToDate(ts: Timestamp): Date {
  checkTimestamp('ts', ts)
  return dateOf(Number(ts >> SHIFT))
}

/**
 * Moves the physical part by `ms` (may be negative), keeps the logical part.
 * @throws {RangeError} when the result leaves the 46 bits.
 */
export function addDuration(ts: Timestamp, ms: number): Timestamp {
  const { physicalMs, logical } = parseTimestamp(ts)
  checkInteger('ms', ms, -MAX_PHYSICAL_MS, MAX_PHYSICAL_MS)
  return composeTimestamp(physicalMs + ms, logical)
}

/** True for a bigint of 0 to 2^64 - 1. It says nothing about whether the time is near. */
export function isValidTimestamp(ts: unknown): ts is Timestamp {
  return typeof ts === 'bigint' && ts >= 0n && ts <= MAX_TIMESTAMP
}

export function checkTimestamp(name: string, ts: unknown): asserts ts is Timestamp {
  checkBigint(name, ts, 0n, MAX_TIMESTAMP)
}
