/** The source behind `connectTimestampSource`: turns of callers become batches, batches become requests on the one link there is. */
import type { ChannelCredentials } from '@grpc/grpc-js'
import { checkInteger } from '../check.ts'
import type { Clock } from '../clock.ts'
import { holdProcess } from '../edge.ts'
import { TSO_ERROR_CODES, TsoError } from '../errors.ts'
import type { TsoErrorCode } from '../errors.ts'
import type { CallOptions } from '../oracle.ts'
import { BigintRange } from '../range.ts'
import type { TimestampRange } from '../range.ts'
import { MAX_LOGICAL } from '../timestamp.ts'
import type { Timestamp } from '../timestamp.ts'
import { WaiterQueue } from '../waiters.ts'
import type { Waiter } from '../waiters.ts'
import type { RemoteSourceEvent, RemoteSourceStates, RemoteTimestampSource } from './client.ts'
import type { TimestampFailure, TimestampResponse } from './codec.ts'
import { afterMicrotasks, afterTurn } from './end-of-turn.edge.ts'
import { channelCredentials, loadDriver } from './driver.ts'
import type { GrpcDriver } from './driver.ts'
import { Link } from './link.ts'

export interface RemoteSourceSettings {
  readonly addresses: readonly string[]
  readonly credentials: object | undefined
  readonly timeoutMs: number
  readonly silenceMs: number
  readonly maxInFlight: number
  readonly maxWaiting: number
  readonly minBackoffMs: number
  readonly maxBackoffMs: number
  readonly followUnlisted: boolean
  readonly clock: Clock
  readonly random: () => number
  readonly onEvent: ((event: RemoteSourceEvent) => void) | undefined
}

interface Batch {
  readonly waiters: Waiter[]
  need: number
  readonly deadline: number
  sentAt: number
  /** The greatest timestamp that was given out when the request left. */
  floor: bigint
}

/** So many hints in a row are followed at once; then followers that point at each other are given time. */
const MAX_HOPS = 3

export class RemoteSource implements RemoteTimestampSource {
  readonly #settings: RemoteSourceSettings
  readonly #queue: WaiterQueue
  #isFlushDue = false
  /** Not sent, oldest first. */
  #unsent: Batch[] = []
  readonly #inFlight = new Map<number, Batch>()
  #nextId = 0
  #driver: { readonly module: GrpcDriver; readonly credentials: ChannelCredentials } | undefined
  #isLoading = false
  #link: Link | undefined
  #isAnswering = false
  #next: number = 0
  #hint: string | undefined
  #failures = 0
  #hops = 0
  #cancelConnect: (() => void) | undefined
  #cancelDeadline: (() => void) | undefined
  #deadlineAt = 0
  #greatest = -1n
  #lastError: unknown
  #isClosed = false
  readonly #flush = (): void => {
    this.#isFlushDue = false
    const deadline = this.#settings.clock.monotonic() + this.#settings.timeoutMs
    for (let next = this.#queue.peekNeed(); next !== undefined; next = this.#queue.peekNeed()) {
      this.#unsent.push({ ...this.#queue.takeBatch(MAX_LOGICAL), deadline, sentAt: 0, floor: 0n })
    }
    this.#pump()
  }

  constructor(settings: RemoteSourceSettings) {
    this.#settings = settings
    this.#queue = new WaiterQueue(settings.maxWaiting)
  }

  get states(): RemoteSourceStates {
    const isConnecting = this.#isLoading || this.#link !== undefined || this.#cancelConnect !== undefined
    const status = this.#isClosed ? 'closed' : this.#isAnswering ? 'connected' : isConnecting ? 'connecting' : 'idle'
    return { status, address: this.#link?.address, waiting: this.#queue.live, inFlight: this.#inFlight.size, lastError: this.#lastError }
  }

  getTimestamp(count: number, options?: CallOptions): Promise<TimestampRange> {
    return this.alloc(count, options)
  }

  alloc(count: number, options?: CallOptions): Promise<TimestampRange> {
    try {
      checkInteger('count', count, 1, MAX_LOGICAL)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#enqueue(count, options?.signal)
  }

  allocOne(options?: CallOptions): Promise<Timestamp> {
    return this.#enqueue(0, options?.signal)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#link?.close()
    this.#link = undefined
    this.#isAnswering = false
    this.#cancelConnect?.()
    this.#cancelDeadline?.()
    const error = new TsoError('TSO_CLOSED', 'the source was closed')
    for (const batch of [...this.#inFlight.values(), ...this.#unsent]) this.#queue.fail(batch.waiters, error)
    this.#inFlight.clear()
    this.#unsent = []
    this.#queue.failAll(error)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #enqueue<T>(count: number, signal: AbortSignal | undefined): Promise<T> {
    if (this.#isClosed) return Promise.reject(new TsoError('TSO_CLOSED', 'the source was closed'))
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error)
    const promise = this.#queue.push<T>(count, signal)
    if (!this.#isFlushDue) {
      this.#isFlushDue = true
      // With nothing under way a request leaves as soon as may be; else it waits for the whole turn.
      if (this.#inFlight.size === 0) afterMicrotasks(this.#flush)
      else afterTurn(this.#flush)
    }
    return promise
  }

  #pump(): void {
    if (this.#isClosed) return
    if (this.#link === undefined) {
      if (this.#unsent.length > 0 && this.#cancelConnect === undefined) this.#connect()
    }
    while (this.#link !== undefined && this.#unsent.length > 0 && this.#inFlight.size < this.#settings.maxInFlight) {
      const batch = this.#mergeUnsent()
      if (batch === undefined) break
      batch.floor = this.#greatest
      batch.sentAt = this.#settings.clock.monotonic()
      const id = this.#nextId++ >>> 0
      this.#inFlight.set(id, batch)
      this.#link.send({ id, count: batch.need })
    }
    this.#armDeadline()
  }

  /** The oldest turns that fit one request. Those whose callers all left are dropped. */
  #mergeUnsent(): Batch | undefined {
    let merged: Batch | undefined
    let taken = 0
    for (const batch of this.#unsent) {
      const isWanted = batch.waiters.some((waiter) => !waiter.done)
      // The younger ones get the deadline of the oldest.
      const fits = merged === undefined || (merged.need + batch.need <= MAX_LOGICAL && batch.deadline - merged.deadline <= this.#settings.timeoutMs / 10)
      if (isWanted && !fits) break
      taken++
      if (!isWanted) continue
      if (merged === undefined) merged = batch
      else {
        for (const waiter of batch.waiters) merged.waiters.push(waiter)
        merged.need += batch.need
      }
    }
    this.#unsent.splice(0, taken)
    return merged
  }

  /** Once, before the first link. Who asks meanwhile waits until the deadline; without a driver all are refused. */
  async #load(): Promise<void> {
    if (this.#isLoading) return
    this.#isLoading = true
    try {
      const module = await loadDriver()
      this.#driver = { module, credentials: channelCredentials(module, this.#settings.credentials) }
    } catch (error) {
      this.#lastError = error
      for (const { waiters } of this.#unsent) this.#queue.fail(waiters, error)
      this.#unsent = []
    }
    this.#isLoading = false
    this.#pump()
  }

  #connect(): void {
    if (this.#driver === undefined) return void this.#load()
    const { addresses } = this.#settings
    const { module, credentials } = this.#driver
    const address = this.#hint ?? addresses[this.#next % addresses.length] ?? ''
    this.#hint = undefined
    const link: Link = new Link(module, address, credentials, {
      onResponse: (response) => {
        if (this.#link === link) this.#answered(link, response)
      },
      onEnd: (error) => {
        if (this.#link === link) this.#disconnected(link, error)
      },
    })
    this.#link = link
  }

  #answered(link: Link, { id, first, count, failure }: TimestampResponse): void {
    const batch = this.#inFlight.get(id)
    if (batch === undefined) return
    if (failure !== undefined) return this.#refused(link, id, batch, failure)
    if (count !== batch.need || first <= batch.floor) {
      this.#report({ type: 'fell-back', address: link.address })
      return this.#moveOn(link, undefined)
    }
    this.#inFlight.delete(id)
    if (!this.#isAnswering) this.#report({ type: 'connected', address: link.address })
    this.#isAnswering = true
    this.#failures = this.#hops = 0
    const range = new BigintRange(first, count)
    if (range.last > this.#greatest) this.#greatest = range.last
    this.#queue.settle(batch.waiters, range)
    if (this.#unsent.length > 0) this.#pump()
  }

  #refused(link: Link, id: number, batch: Batch, { code, message, leader, retryable }: TimestampFailure): void {
    const details = { address: link.address, leader: leader === '' ? undefined : leader }
    const known: TsoErrorCode = Object.hasOwn(TSO_ERROR_CODES, code) ? (code as TsoErrorCode) : 'TSO_UNAVAILABLE'
    this.#lastError = new TsoError(known, message, { retryable, details })
    // It does not serve, but another may.
    if (known === 'TSO_NOT_LEADER' || known === 'TSO_FENCED' || known === 'TSO_CLOSED') {
      this.#report({ type: 'redirected', address: link.address, leader: details.leader })
      return this.#moveOn(link, details.leader)
    }
    this.#inFlight.delete(id)
    this.#queue.fail(batch.waiters, this.#lastError)
    this.#pump()
  }

  #disconnected(link: Link, error: unknown): void {
    this.#lastError = error
    this.#report({ type: 'disconnected', address: link.address, error })
    this.#moveOn(link, undefined)
  }

  /** Leaves a link; what was under way is asked again. */
  #moveOn(link: Link, leader: string | undefined): void {
    link.close()
    this.#link = undefined
    this.#isAnswering = false
    this.#unsent = [...this.#inFlight.values(), ...this.#unsent]
    this.#inFlight.clear()
    const { addresses, followUnlisted, clock, random, minBackoffMs, maxBackoffMs } = this.#settings
    const mayFollow = leader !== undefined && leader !== link.address && (followUnlisted || addresses.includes(leader))
    this.#hint = mayFollow ? leader : undefined
    if (!mayFollow) this.#next++
    if (this.#isClosed || this.#cancelConnect !== undefined) return
    if (mayFollow && this.#hops++ < MAX_HOPS) return this.#pump()
    // A round over all addresses is one failure.
    const round = Math.floor(this.#failures++ / addresses.length)
    const delayMs = Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(round, 20)) * (0.5 + random() / 2)
    const release = holdProcess(clock)
    const cancel = clock.setTimer(() => {
      this.#cancelConnect = undefined
      release()
      this.#hops = 0
      this.#pump()
    }, delayMs)
    this.#cancelConnect = () => {
      release()
      cancel()
    }
  }

  /** One timer, for the oldest batch: all have the same time, so it is the first in either list. It is moved only when it would be late. */
  #armDeadline(): void {
    const { clock, silenceMs } = this.#settings
    const first = this.#firstInFlight()
    const silent = (first?.sentAt ?? Infinity) + silenceMs
    const next = Math.min(silent, first?.deadline ?? Infinity, this.#unsent[0]?.deadline ?? Infinity)
    if (next === Infinity || (this.#cancelDeadline !== undefined && this.#deadlineAt <= next)) return
    this.#cancelDeadline?.()
    this.#deadlineAt = next
    this.#cancelDeadline = clock.setTimer(() => {
      this.#cancelDeadline = undefined
      this.#expire(clock.monotonic())
      this.#pump()
    }, next - clock.monotonic())
  }

  #firstInFlight(): Batch | undefined {
    for (const batch of this.#inFlight.values()) return batch
    return undefined
  }

  #expire(now: number): void {
    const { timeoutMs, silenceMs } = this.#settings
    const isDue = (batch: Batch): boolean => batch.deadline <= now
    const isSilent = [...this.#inFlight.values()].some((batch) => isDue(batch) || batch.sentAt + silenceMs <= now)
    const due = [...this.#inFlight.values(), ...this.#unsent].filter(isDue)
    for (const [id, batch] of this.#inFlight) if (isDue(batch)) this.#inFlight.delete(id)
    this.#unsent = this.#unsent.filter((batch) => !isDue(batch))
    for (const { waiters } of due) this.#queue.fail(waiters, new TsoError('TSO_TIMEOUT', `no timestamp within ${timeoutMs} ms`, { cause: this.#lastError }))
    // A stream that says nothing may be half open, or its oracle stopped.
    if (isSilent && this.#link !== undefined) this.#disconnected(this.#link, new Error(`no answer within ${silenceMs} ms`))
  }

  #report(event: RemoteSourceEvent): void {
    try {
      this.#settings.onEvent?.(event)
    } catch {
      // A listener's mistake must not break the link.
    }
  }
}
