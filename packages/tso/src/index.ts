/** Hybrid timestamps, an oracle for them on a key-value store, and allocators. */
export { systemClock } from './edge.ts'
export type { Clock } from './clock.ts'
export { TSO_ERROR_CODES, TsoError, isTsoError } from './errors.ts'
export type { TsoErrorCode, TsoErrorOptions } from './errors.ts'
export { HybridLogicalClock, createHybridLogicalClock } from './hlc.ts'
export type { HybridLogicalClockOptions } from './hlc.ts'
export { openHybridLogicalClock } from './hlc-open.ts'
export type { OpenHybridLogicalClockOptions, PersistedHybridLogicalClock } from './hlc-open.ts'
export { startIdAllocator } from './id-allocator.ts'
export type { IdAllocator, IdAllocatorOptions } from './id-allocator.ts'
export { MAX_ID, MAX_ID_COUNT, openIdSource } from './id-source.ts'
export type { IdSource, IdSourceOptions, OpenedIdSource } from './id-source.ts'
export { startTimestampLeader } from './leader.ts'
export type { TimestampLeader, TimestampLeaderEvent, TimestampLeaderOptions, TimestampLeaderStates } from './leader.ts'
export type { LeaderStore } from './leader-term.ts'
export { openTimestampOracle } from './oracle.ts'
export type { CallOptions, TimestampOracle, TimestampOracleOptions } from './oracle.ts'
export type { TimestampOracleStates, TsoEvent } from './oracle-states.ts'
export { BigintRange, createRange } from './range.ts'
export type { IdRange, TimestampRange } from './range.ts'
export type { TsoStore } from './store.ts'
export {
  LOGICAL_BITS,
  MAX_LOGICAL,
  MAX_PHYSICAL_MS,
  MAX_TIMESTAMP,
  addDuration,
  compareTimestamps,
  composeTimestamp,
  isValidTimestamp,
  parseTimestamp,
  timestampToDate,
} from './timestamp.ts'
export type { Timestamp, TimestampParts } from './timestamp.ts'
export { startTimestampAllocator } from './timestamp-allocator.ts'
export type { TimestampAllocator, TimestampAllocatorOptions, TimestampSource } from './timestamp-allocator.ts'
