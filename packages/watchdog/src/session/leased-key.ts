/**
 * A key that lives on a lease, and how long it surely does. The deadline counts from the moment at which the last renewal that
 * arrived was sent, less a margin for clocks that run at another rate, on both clocks: the monotonic one may stand still while the
 * machine is suspended, the wall clock may be set back, hardly both at once.
 */
import type { Lease } from '@timetick/kv'
import type { Clock } from '../clock.ts'
import { WatchdogError } from '../errors.ts'
import { callStore, isSurelyNotApplied, storeCode } from './store-call.ts'
import type { SessionStore } from './store-call.ts'

export interface LeasedKeyOptions {
  readonly kv: SessionStore
  readonly key: string
  readonly ttlMs: number
  readonly callTimeoutMs: number
  /** The part of the time to live that is not used. */
  readonly margin: number
  readonly clock: Clock
  readonly closing: AbortSignal
}

interface Readings {
  readonly mono: number
  readonly wall: number
}

export class LeasedKey {
  readonly #options: LeasedKeyOptions
  readonly #lease: Lease
  #sent: Readings
  #token: bigint
  #ended = false

  private constructor(options: LeasedKeyOptions, lease: Lease, sent: Readings, token: bigint) {
    this.#options = options
    this.#lease = lease
    this.#sent = sent
    this.#token = token
  }

  /** `undefined` when the key is there already. `value` must be of this claim alone: by it an unknown outcome is recognised. */
  static async claim(options: LeasedKeyOptions, value: string): Promise<LeasedKey | undefined> {
    const { kv, clock, callTimeoutMs, closing, ttlMs } = options
    const sent = read(clock)
    const lease = await callStore(clock, callTimeoutMs, closing, (signal) => kv.grantLease(ttlMs, { signal }))
    const when = [{ key: options.key, exists: false }]
    try {
      const token = await write(options, lease, value, when)
      if (token !== undefined) return new LeasedKey(options, lease, sent, token)
    } catch (error) {
      await revoke(options, lease)
      throw error
    }
    await revoke(options, lease)
    return undefined
  }

  /** The revision of the record: it only grows from holder to holder. */
  get token(): bigint {
    return this.#token
  }

  /** Ms for which nobody else can hold the key; not above 0 when that is not sure. */
  get leftMs(): number {
    if (this.#ended) return 0
    const { mono, wall } = read(this.#options.clock)
    return this.#lease.ttlMs * (1 - this.#options.margin) - Math.max(mono - this.#sent.mono, wall - this.#sent.wall)
  }

  /** @throws {WatchdogError} `WATCHDOG_SESSION_LOST` when it is over for good; anything else may pass. */
  async renew(): Promise<void> {
    const { kv, key, clock, callTimeoutMs, closing } = this.#options
    const sent = read(clock)
    try {
      await callStore(clock, callTimeoutMs, closing, (signal) => this.#lease.keepAlive({ signal }))
    } catch (error) {
      if (storeCode(error) === 'KV_LEASE_NOT_FOUND') throw lost(key, error)
      throw error
    }
    // A lease without its record (somebody removed it) holds nothing.
    const entry = await callStore(clock, callTimeoutMs, closing, (signal) => kv.loadEntry(key, { signal }))
    if (entry?.modRevision !== this.#token) throw lost(key)
    this.#sent = sent
  }

  /** Another value in the same place, on the same lease. */
  async replace(value: string): Promise<void> {
    const { key } = this.#options
    const token = await write(this.#options, this.#lease, value, [{ key, modRevision: this.#token }])
    if (token === undefined) throw lost(key)
    this.#token = token
  }

  /** From now on nothing is left; the store is told as far as it can be reached, else the lease ends by time. */
  async end(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    await revoke(this.#options, this.#lease)
  }
}

type Conditions = readonly ({ readonly key: string; readonly exists: boolean } | { readonly key: string; readonly modRevision: bigint })[]

async function write({ kv, key, clock, callTimeoutMs, closing }: LeasedKeyOptions, lease: Lease, value: string, when: Conditions): Promise<bigint | undefined> {
  try {
    const saves = new Map([[key, value]])
    const { applied, revision } = await callStore(clock, callTimeoutMs, closing, (signal) => kv.multiSaveAndRemove(saves, [], { when, lease, signal }))
    return applied ? revision : undefined
  } catch (error) {
    closing.throwIfAborted()
    if (isSurelyNotApplied(error)) throw error
    const entry = await callStore(clock, callTimeoutMs, closing, (signal) => kv.loadEntry(key, { signal }))
    if (entry?.value === value) return entry.modRevision
    throw error
  }
}

/** Also while closing, so not with the signal of that. */
async function revoke({ clock, callTimeoutMs }: LeasedKeyOptions, lease: Lease): Promise<void> {
  await callStore(clock, Math.min(callTimeoutMs, 1_000), undefined, (signal) => lease.revoke({ signal })).catch(() => undefined)
}

function read(clock: Clock): Readings {
  return { mono: clock.monotonic(), wall: clock.now() }
}

function lost(key: string, cause?: unknown): WatchdogError {
  return new WatchdogError('WATCHDOG_SESSION_LOST', `\`${key}\` is no longer held`, { cause, details: { key } })
}
