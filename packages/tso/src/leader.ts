/// <reference lib="esnext.disposable" />
/**
 * Several oracles on one store, of which the one that holds a lease serves; the others tell who that is.
 *
 * {@link openTimestampOracle} alone never gives a timestamp twice, but an oracle that was taken over may serve smaller timestamps until
 * its next save. The lease closes that gap: one serves only while nobody else can have been elected. So over all of them a call that
 * starts after another returned gets a greater timestamp, as long as clocks differ in rate by less than `maxClockDrift`.
 */
import { checkInteger, checkMethods, keyBelow, show } from './check.ts'
import { randomName, systemClock } from './edge.ts'
import { LeaderCore } from './leader-core.ts'
import type { LeaderStore } from './leader-term.ts'
import { checkOracleOptions } from './oracle.ts'
import type { CallOptions, TimestampOracleOptions } from './oracle.ts'
import type { TimestampOracleStates, TsoEvent } from './oracle-states.ts'
import type { TimestampRange } from './range.ts'
import type { Timestamp } from './timestamp.ts'

export interface TimestampLeaderOptions extends Omit<TimestampOracleOptions, 'kv' | 'owner' | 'signal' | 'onEvent'> {
  /** Any KVBase with leases that all candidates share. The records are `<rootPath>/leader` and `<rootPath>/timestamp`. */
  readonly kv: LeaderStore
  /** What followers tell of this one when it leads: its address, where it is served. 1 to 200 characters without white space. */
  readonly name: string
  /** Time to live of the lease, in ms, 100 to 600,000. Service is gone at most so long, and one election, after a crash. Default 5,000 (PD). */
  readonly ttlMs?: number | undefined
  /** How often a follower looks whether somebody leads, in ms. Default `ttlMs / 10`. */
  readonly pollMs?: number | undefined
  /** By what share the rate of clocks may differ, 0 to 0.5: so much earlier than its end the lease is not relied on. Default 0.1. */
  readonly maxClockDrift?: number | undefined
  /** Names each term; must be unique. Default: random names. */
  readonly createOwner?: (() => string) | undefined
  readonly onEvent?: ((event: TimestampLeaderEvent) => void) | undefined
}

export type TimestampLeaderEvent =
  | TsoEvent
  | { readonly type: 'leading'; readonly owner: string }
  | { readonly type: 'following'; readonly leader: string | undefined }
  | { readonly type: 'renew-failed' | 'campaign-failed' | 'term-ended'; readonly error: unknown }

export interface TimestampLeaderStates {
  /** `unsure`: it leads, but cannot prove it now, and does not serve. `resting`: after `resign`, or elected but unable to serve. */
  readonly role: 'following' | 'leading' | 'unsure' | 'resting' | 'closed'
  /** Who leads, as far as this one knows: its `name`. */
  readonly leader: string | undefined
  /** Ms for which the lease surely holds; 0 when not leading. */
  readonly leaseLeftMs: number
  /** Of the oracle of this term. */
  readonly oracle: TimestampOracleStates | undefined
}

/** A {@link TimestampSource} that serves while it leads. */
export interface TimestampLeader extends AsyncDisposable {
  /** @throws {TsoError} `TSO_NOT_LEADER` at once when it does not lead, with `details.leader`; else as an oracle. */
  getTimestamp(count?: number, options?: CallOptions): Promise<TimestampRange>
  getTimestamps(count: number, options?: CallOptions): Promise<TimestampRange[]>
  tryGetTimestamp(count?: number): TimestampRange | undefined
  setTimestamp(ts: Timestamp, options?: CallOptions): Promise<void>
  readonly states: TimestampLeaderStates
  /** Stops serving, then gives the lease back, and lets others lead for `pauseMs` (default `ttlMs`) before it campaigns again. */
  resign(options?: { readonly pauseMs?: number | undefined }): Promise<void>
  /** Resigns for good. Idempotent. */
  close(): Promise<void>
}

/** Campaigns from now on, and serves whenever it is elected. */
export function startTimestampLeader(options: TimestampLeaderOptions): TimestampLeader {
  if (typeof options !== 'object' || options === null) throw new TypeError(`expected the options to be an object, got ${show(options)}`)
  const { kv, name, ttlMs = 5_000, maxClockDrift = 0.1, clock = systemClock, createOwner = randomName } = options
  checkMethods('kv', kv, ['loadEntry', 'compareAndSave', 'grantLease'])
  checkMethods('clock', clock, ['now', 'monotonic', 'setTimer'])
  if (typeof name !== 'string' || !/^\S{1,200}$/.test(name)) {
    throw new TypeError(`expected \`name\` to be 1 to 200 characters without white space, got ${show(name)}`)
  }
  checkInteger('ttlMs', ttlMs, 100, 600_000)
  const pollMs = options.pollMs ?? Math.ceil(ttlMs / 10)
  checkInteger('pollMs', pollMs, 1, 600_000)
  if (typeof maxClockDrift !== 'number' || !(maxClockDrift >= 0 && maxClockDrift <= 0.5)) {
    throw new RangeError(`expected \`maxClockDrift\` to be a number in 0..0.5, got ${show(maxClockDrift)}`)
  }
  for (const [key, value] of Object.entries({ createOwner, onEvent: options.onEvent })) {
    if (value !== undefined && typeof value !== 'function') throw new TypeError(`expected \`${key}\` to be a function, got ${show(value)}`)
  }
  // Else they would be refused at the first election only.
  checkOracleOptions({ ...options, owner: name })
  const core = new LeaderCore({ ...options, key: keyBelow(options.rootPath ?? 'tso', 'leader'), ttlMs, pollMs, maxClockDrift, clock, createOwner })
  core.start()
  return core
}
