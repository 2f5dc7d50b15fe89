/// <reference lib="esnext.disposable" />
/**
 * A process that says in a store that it is there. The record lives on a lease. When the store cannot be reached in time the session
 * fences itself: `isLive` is false, before anybody else can take its place. It ends nobody: a store that is down for a
 * while must not take all processes with it (Milvus #15922, #26846). When the store is back the session goes on, or registers
 * again if its lease ended; only when another took the place it is lost.
 */
import { checkFunction, checkName, checkObject } from '../arguments.ts'
import { WatchdogError } from '../errors.ts'
import { LeasedKey } from './leased-key.ts'
import { encodeSession, ownerOf, sessionKey } from './record.ts'
import type { SessionRecord } from './record.ts'
import { nextServerId } from './server-id.ts'
import { readLease } from './settings.ts'
import type { LeaseOptions, LeaseSettings } from './settings.ts'
import { callStore, sleep } from './store-call.ts'

export type SessionEvent =
  | { readonly type: 'fenced' | 'live' | 'registered-again' }
  | { readonly type: 'renew-failed' | 'lost'; readonly error: unknown }

export interface SessionOptions extends LeaseOptions {
  /** What it is, such as `querynode`. */
  readonly name: string
  /** @default the next server id of the store */
  readonly id?: string | undefined
  /** Only one of this name at a time. @default false */
  readonly exclusive?: boolean | undefined
  readonly address?: string | undefined
  readonly labels?: Readonly<Record<string, string>> | undefined
  /** @default 'session' */
  readonly rootPath?: string | undefined
  readonly onEvent?: ((event: SessionEvent) => void) | undefined
  /** Ends the attempt to register; not the session. */
  readonly signal?: AbortSignal | undefined
}

export interface Session extends AsyncDisposable {
  readonly key: string
  readonly record: SessionRecord
  /** Nobody else can have its place at this moment. Ask before each reply, and again after each await. */
  readonly isLive: boolean
  /** Ms for which that surely holds. */
  readonly leftMs: number
  /** The revision of the record: grows from holder to holder. */
  readonly token: bigint
  /** Aborts when the session is lost for good or closed. */
  readonly over: AbortSignal
  /** @throws {WatchdogError} `WATCHDOG_SESSION_FENCED`, `WATCHDOG_SESSION_LOST`, `WATCHDOG_SESSION_CLOSED` */
  assertLive(): void
  /** Say that no new work is wanted, or that labels changed. */
  update(change: { readonly stopping?: boolean | undefined; readonly labels?: Readonly<Record<string, string>> | undefined }): Promise<void>
  /** Takes the record back. Idempotent; never rejects. */
  close(): Promise<void>
}

/** @throws {WatchdogError} `WATCHDOG_SESSION_TAKEN` when another has the key; what the store threw. */
export async function openSession(options: SessionOptions): Promise<Session> {
  const settings = readLease(options)
  const { exclusive = false, rootPath = 'session', labels = {}, address, onEvent, signal } = options
  checkName('name', options.name)
  checkName('rootPath', rootPath)
  checkObject('labels', labels)
  if (onEvent !== undefined) checkFunction('onEvent', onEvent)
  signal?.throwIfAborted()
  const id = options.id === undefined ? String(await nextServerId(settings.kv, { key: `${rootPath}/id`, signal })) : checkName('id', options.id)
  const record: SessionRecord = { name: options.name, id, address, exclusive, stopping: false, labels: { ...labels } }
  const session = new LeasedSession(settings, record, rootPath, onEvent)
  const onAbort = (): void => void session.close()
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    await session.register()
    signal?.throwIfAborted()
    return session
  } catch (error) {
    await session.close()
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}

class LeasedSession implements Session {
  readonly key: string
  readonly #settings: LeaseSettings
  readonly #onEvent: ((event: SessionEvent) => void) | undefined
  readonly #over = new AbortController()
  #record: SessionRecord
  #held: LeasedKey | undefined
  #token = 0n
  #wasLive = true
  #running: Promise<void> = Promise.resolve()
  #writing: Promise<unknown> = Promise.resolve()
  #closing: Promise<void> | undefined

  constructor(settings: LeaseSettings, record: SessionRecord, rootPath: string, onEvent: SessionOptions['onEvent']) {
    this.#settings = settings
    this.#record = record
    this.#onEvent = onEvent
    this.key = sessionKey(rootPath, record)
  }

  get record(): SessionRecord {
    return this.#record
  }

  get over(): AbortSignal {
    return this.#over.signal
  }

  get token(): bigint {
    return this.#held?.token ?? this.#token
  }

  get leftMs(): number {
    return this.#over.signal.aborted ? 0 : Math.max(0, this.#held?.leftMs ?? 0)
  }

  get isLive(): boolean {
    return this.leftMs > 0
  }

  assertLive(): void {
    this.#over.signal.throwIfAborted()
    if (!this.isLive) throw new WatchdogError('WATCHDOG_SESSION_FENCED', `the lease of \`${this.key}\` was not renewed in time`)
  }

  async register(): Promise<void> {
    this.#held = await this.#claim()
    if (this.#held === undefined) throw new WatchdogError('WATCHDOG_SESSION_TAKEN', `\`${this.key}\` is registered`, { details: { key: this.key } })
    this.#running = this.#keep()
  }

  update(change: { readonly stopping?: boolean | undefined; readonly labels?: Readonly<Record<string, string>> | undefined }): Promise<void> {
    checkObject('change', change)
    return this.#alone(async () => {
      this.assertLive()
      const labels = change.labels === undefined ? this.#record.labels : { ...change.labels }
      const record = { ...this.#record, stopping: change.stopping ?? this.#record.stopping, labels }
      await this.#held?.replace(encodeSession(record, this.#settings.owner))
      this.#record = record
    })
  }

  close(): Promise<void> {
    this.#over.abort(new WatchdogError('WATCHDOG_SESSION_CLOSED', `the session \`${this.key}\` was closed`))
    return (this.#closing ??= this.#close())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Renewals and updates change the same record: one at a time. */
  #alone<T>(run: () => Promise<T>): Promise<T> {
    const done = this.#writing.then(run)
    this.#writing = done.catch(() => undefined)
    return done
  }

  #claim(): Promise<LeasedKey | undefined> {
    const { kv, clock, ttlMs, margin, callTimeoutMs, owner } = this.#settings
    const options = { kv, key: this.key, ttlMs, callTimeoutMs, margin, clock, closing: this.#over.signal }
    return LeasedKey.claim(options, encodeSession(this.#record, owner))
  }

  async #isOurs(): Promise<boolean> {
    const { kv, clock, callTimeoutMs, owner } = this.#settings
    const entry = await callStore(clock, callTimeoutMs, this.#over.signal, (signal) => kv.loadEntry(this.key, { signal }))
    return entry === undefined || ownerOf(entry.value) === owner
  }

  async #keep(): Promise<void> {
    const { clock, ttlMs } = this.#settings
    while (!this.#over.signal.aborted) {
      // Not asleep past the fence: it is to be told in time.
      const left = this.leftMs
      await sleep(clock, left > 0 ? Math.min(ttlMs / 4, left + 1) : ttlMs / 10, this.#over.signal)
      if (this.#over.signal.aborted) return
      this.#tellIfFenced()
      try {
        await this.#alone(() => this.#renewOrRegister())
        if (!this.#wasLive && this.isLive) this.#tell({ type: 'live' })
        this.#wasLive = this.isLive
      } catch (error) {
        if (!this.#over.signal.aborted) this.#tell({ type: 'renew-failed', error })
        this.#tellIfFenced()
      }
    }
  }

  async #renewOrRegister(): Promise<void> {
    try {
      if (this.#held !== undefined) return await this.#held.renew()
    } catch (error) {
      if (!(error instanceof WatchdogError) || error.code !== 'WATCHDOG_SESSION_LOST') throw error
      this.#token = this.#held?.token ?? this.#token
      await this.#held?.end()
      this.#held = undefined
      this.#tellIfFenced()
    }
    this.#held = await this.#claim()
    if (this.#held !== undefined) return this.#tell({ type: 'registered-again' })
    // An own claim whose answer was lost: it goes with its lease.
    if (await this.#isOurs()) return
    const error = new WatchdogError('WATCHDOG_SESSION_LOST', `another process has \`${this.key}\``, { details: { key: this.key } })
    this.#over.abort(error)
    this.#tell({ type: 'lost', error })
  }

  #tellIfFenced(): void {
    if (!this.#wasLive || this.isLive || this.#over.signal.aborted) return
    this.#wasLive = false
    this.#tell({ type: 'fenced' })
  }

  #tell(event: SessionEvent): void {
    try {
      this.#onEvent?.(event)
    } catch {
      // A listener must not end a session.
    }
  }

  async #close(): Promise<void> {
    await this.#running
    await this.#writing
    await this.#held?.end()
  }
}
