/**
 * One watch on one stream of the raw watch client. It resumes behind the last revision that was delivered: the header's
 * revision, which the library's own watcher takes, is ahead of it while old revisions are being sent.
 */
import type { Clock } from '../clock.ts'
import type { Change } from '../engine.ts'
import { KVError } from '../errors.ts'
import type { Revision } from '../kv.ts'
import type { RemoteFeed } from '../remote-feed.ts'
import { compactedError } from '../watch-hub.ts'
import type { EtcdClient, EtcdStream, EtcdWatchResponse } from './client.ts'
import { etcdError } from './failures.ts'
import { keyText, rangeOf } from './requests.ts'

export interface WatcherOptions {
  readonly client: EtcdClient
  readonly clock: Clock
  readonly random: () => number
  /** For the server's answer that a watch was made. */
  readonly timeoutMs: number
  /** Makes the driver ask for a new token, if the old one is over. */
  readonly renewToken: () => Promise<unknown>
}

type Stream = EtcdStream<EtcdWatchResponse>

const BACKOFF_MS = { first: 20, most: 1000 }

export class Watcher {
  readonly #feed: RemoteFeed
  readonly #options: WatcherOptions
  /** First revision to ask for; `undefined` until the server has said where "now" is. */
  #next: Revision | undefined
  readonly #from: Revision
  #stream: Stream | undefined
  #isOpen = false
  #stopped = false
  #backoffMs = BACKOFF_MS.first
  #cancelTimer: () => void = () => undefined
  #parts: Change[] = []

  constructor(feed: RemoteFeed, from: Revision | undefined, options: WatcherOptions) {
    this.#feed = feed
    this.#options = options
    // etcd takes revision 0 for "now".
    this.#next = from === 0n ? 1n : from
    this.#from = from ?? 0n
    feed.onEnd = () => this.#stop()
    void this.#connect()
  }

  async #connect(): Promise<void> {
    const isFirst = !this.#isOpen
    let stream: Stream
    try {
      stream = await this.#options.client.watchClient.watch()
    } catch (error) {
      this.#again(error, isFirst)
      return
    }
    if (this.#stopped) {
      stream.on('error', () => undefined)
      cancel(stream)
      return
    }
    this.#stream = stream
    this.#parts = []
    this.#arm(() => this.#broken(stream, new KVError('KV_TIMEOUT', 'no answer to a watch within the deadline')), this.#options.timeoutMs)
    stream.on('data', (message: EtcdWatchResponse) => {
      if (this.#stream === stream) this.#receive(stream, message)
    })
    stream.on('error', (error: Error) => this.#broken(stream, error))
    stream.on('end', () => this.#broken(stream, new Error('the stream ended')))
    const request: Record<string, unknown> = { ...rangeOf(this.#feed.target), fragment: true, progress_notify: true }
    if (this.#next !== undefined) request['start_revision'] = String(this.#next)
    stream.write({ create_request: request })
  }

  #receive(stream: Stream, message: EtcdWatchResponse): void {
    try {
      if (message.canceled) this.#canceled(stream, message)
      else if (message.created) this.#created(message)
      else this.#deliver(message)
    } catch (error) {
      this.#feed.end(error)
    }
  }

  #created(message: EtcdWatchResponse): void {
    this.#cancelTimer()
    this.#isOpen = true
    this.#backoffMs = BACKOFF_MS.first
    const revision = BigInt(message.header.revision)
    const isNew = this.#next === undefined
    this.#next ??= revision + 1n
    this.#feed.open(isNew ? revision : 0n)
  }

  #deliver(message: EtcdWatchResponse): void {
    const next = this.#next ?? 0n
    for (const { type, kv } of message.events) {
      const revision = BigInt(kv.mod_revision)
      if (revision < next) continue
      const isPut = type === 'Put'
      this.#parts.push({ key: keyText(kv.key), value: isPut ? kv.value : undefined, revision, created: isPut && kv.create_revision === kv.mod_revision })
    }
    // The rest of the same revisions follows.
    if (message.fragment === true) return
    const changes = this.#parts
    this.#parts = []
    const last = changes.at(-1)
    // Without events it is a progress notice: everything up to its revision has been sent.
    const upTo = last?.revision ?? (message.events.length === 0 ? BigInt(message.header.revision) : next - 1n)
    if (upTo >= next) this.#next = upTo + 1n
    this.#feed.push(changes, upTo)
  }

  #canceled(stream: Stream, message: EtcdWatchResponse): void {
    const compacted = BigInt(message.compact_revision)
    if (compacted > 0n) {
      this.#feed.end(compactedError(this.#next ?? this.#from, compacted - 1n))
      return
    }
    const reason = message.cancel_reason ?? ''
    if (/permission denied/.test(reason)) this.#feed.end(etcdError(new Error(`7 PERMISSION_DENIED: ${reason}`), 'watch', false))
    else this.#broken(stream, new Error(reason === '' ? 'the server ended the watch' : reason))
  }

  #broken(stream: Stream, error: unknown): void {
    if (this.#stream !== stream || this.#stopped) return
    this.#drop()
    this.#again(error, !this.#isOpen)
  }

  /** After a pause, from behind what was delivered. A watch that never was is given up after the deadline. */
  #again(cause: unknown, isFirst: boolean): void {
    if (this.#stopped) return
    const error = etcdError(cause, 'watch', false)
    if (isFirst && (!error.retryable || error.code === 'KV_TIMEOUT' || this.#backoffMs > BACKOFF_MS.most)) {
      this.#feed.end(error)
      return
    }
    const { random, renewToken } = this.#options
    this.#arm(() => {
      const renewed = /auth token|UNAUTHENTICATED/.test(error.message) ? renewToken().catch(() => undefined) : undefined
      void Promise.resolve(renewed).then(() => (this.#stopped ? undefined : this.#connect()))
    }, this.#backoffMs * (0.5 + random() / 2))
    this.#backoffMs = isFirst ? this.#backoffMs * 2 : Math.min(this.#backoffMs * 2, BACKOFF_MS.most)
  }

  #arm(callback: () => void, delayMs: number): void {
    this.#cancelTimer()
    this.#cancelTimer = this.#options.clock.setTimer(callback, delayMs)
  }

  #drop(): void {
    const stream = this.#stream
    this.#stream = undefined
    if (stream !== undefined) cancel(stream)
  }

  #stop(): void {
    this.#stopped = true
    this.#cancelTimer()
    this.#drop()
  }
}

/** Ended first, or the driver takes the cancel for a failure of the host and closes its other connections too. */
function cancel(stream: Stream): void {
  stream.end()
  stream.cancel()
}
