/** One client: what it asked for, and how fast it takes it. */
import type { Identity, Principal } from '../access.ts'
import type { Cluster } from '../core/cluster.ts'
import type { Clock, Row } from '../core/model.ts'
import type { Batch, SharedText } from './batch.ts'
import type { HubLimits } from './limits.ts'
import { LiveView } from './live-view.ts'
import { CLOSE, ProtocolError, readMessage, type ClientMessage, type Subscribe, type View } from './protocol.ts'
import { Subscription } from './subscription.ts'
import { Interest } from './topics.ts'

/** A websocket as the hub needs it. */
export interface Connection {
  readonly peer: string
  /** `shared` is the same text, of which others get the very same. */
  send(text: string, shared?: SharedText): void
  /** Bytes that were sent and are not gone yet. */
  readonly bufferedAmount: number
  close(code: number, reason: string): void
}

export interface SessionOptions {
  readonly id: string
  readonly connection: Connection
  readonly limits: HubLimits
  readonly clock: Clock
  readonly findCluster: (id: string) => Cluster | undefined
  readonly welcome: () => Row
  readonly identify: (hello: { readonly token?: string | undefined; readonly ticket?: string | undefined }) => Identity | undefined
  /** Something is to be written to this client. */
  readonly wake: () => void
}

interface Followed {
  readonly isView: boolean
  readonly cluster: Cluster
  readonly leave: () => void
  readonly item: Subscription | LiveView | GaugeFeed
}

interface GaugeFeed {
  readonly cluster: Cluster
  readonly told: Map<string, number>
}

export class Session {
  readonly id: string
  readonly connection: Connection
  readonly #options: SessionOptions
  readonly #followed = new Map<string, Followed>()
  #identity: Identity | undefined
  /** As they were when it was told what it knows. */
  #rights: string | undefined
  #isClosed = false
  #tokens: number
  #tokensAt: number
  #pausedAt: number | undefined
  #cancelHello: (() => void) | undefined

  constructor(options: SessionOptions) {
    this.#options = options
    this.id = options.id
    this.connection = options.connection
    this.#tokens = options.limits.messageBurst
    this.#tokensAt = options.clock.now()
    this.#cancelHello = options.clock.setTimer(() => this.end(CLOSE.helloTimeout, 'no hello came'), options.limits.helloMs)
  }

  /** It has said who it is. */
  get isKnown(): boolean {
    return this.#identity !== undefined
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  receive(text: string): void {
    if (this.#isClosed) return
    if (!this.#takeToken()) return this.end(CLOSE.rate, 'too many messages')
    try {
      this.#handle(readMessage(text))
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      if (this.#identity === undefined) return this.end(CLOSE.badMessage, error.message)
      this.#send(JSON.stringify({ t: 'err', code: 'bad-message', msg: error.message }))
    }
  }

  /** Writes what is new, as much as the client takes. True when there is more to write. */
  flush(batch: Batch): boolean {
    if (this.#isClosed || this.#isPaused()) return this.#pausedAt !== undefined
    const now = this.#options.clock.now()
    let isBehind = false
    for (const { item } of this.#followed.values()) {
      if (item instanceof LiveView) {
        for (const text of item.next(now)) this.#send(text)
        isBehind ||= item.isBehind
      } else if (item instanceof Subscription) {
        for (let message = item.next(batch); message !== undefined; message = item.next(batch)) {
          if (typeof message === 'string') this.#send(message)
          else this.connection.send(message.text, message)
          if (this.#isPaused()) return true
        }
      }
    }
    return isBehind
  }

  /** The newest values of gauges; dropped where the client is slow. */
  flushGauges(): void {
    if (this.#isClosed || this.#pausedAt !== undefined) return
    for (const [id, { item }] of this.#followed) {
      if (!('told' in item)) continue
      const news: [string, number, number][] = []
      for (const [key, [ts, value]] of item.cluster.layer?.gauges.latest() ?? []) {
        if (item.told.get(key) === ts) continue
        item.told.set(key, ts)
        news.push([key, ts, value])
      }
      if (news.length > 0) this.#send(JSON.stringify({ t: 'g', id, v: news }))
    }
  }

  /** A cluster that was stopped and came back has another layer: who follows it goes on there. */
  followLayers(): void {
    let isMoved = false
    for (const { cluster, item } of this.#followed.values()) {
      const { layer } = cluster
      if (layer === undefined || !('moveTo' in item) || item.layer === layer) continue
      item.moveTo(layer)
      isMoved = true
    }
    if (isMoved) this.#options.wake()
  }

  /** It may have expired, been taken back or become less while the client stays: then it ends, or all is told anew. */
  checkRights(): void {
    const identity = this.#identity
    if (this.#isClosed || identity === undefined) return
    if (!identity.holds()) return this.end(CLOSE.auth, 'the token is no longer valid')
    const rights = identity.principal.rights?.()
    if (rights === this.#rights) return
    this.#rights = rights
    for (const { item } of this.#followed.values()) if ('restart' in item) item.restart('rights')
    this.#options.wake()
  }

  /** Moves the resume points over what the client did not want, and tells it that we are alive. */
  mark(): void {
    if (this.#isClosed) return
    if (this.#pausedAt !== undefined) return
    const ts = this.#options.clock.now()
    for (const [id, { item }] of this.#followed) if (item instanceof Subscription && !item.isBehind) this.#send(JSON.stringify({ t: 'mark', id, seq: item.cursor, ts }))
  }

  end(code: number, reason: string, retryMs = 1000): void {
    if (this.#isClosed) return
    if (code === CLOSE.shuttingDown) this.#send(JSON.stringify({ t: 'bye', code, retryMs }))
    this.connection.close(code, reason)
    this.closed()
  }

  /** The connection is gone. */
  closed(): void {
    this.#isClosed = true
    this.#cancelHello?.()
    for (const { leave } of this.#followed.values()) leave()
    this.#followed.clear()
  }

  #handle(message: ClientMessage): void {
    if (message.t === 'hello') return this.#hello(message)
    const principal = this.#identity?.principal
    if (principal === undefined) return this.end(CLOSE.auth, 'say hello first')
    if (message.t === 'ping') return this.#send(JSON.stringify({ t: 'pong', k: message.k }))
    if (message.t === 'unsub') return this.#leave(message.id)
    if (message.t === 'view') return this.#follow(message, (cluster) => this.#view(message, cluster, principal))
    if (message.t === 'sub') return this.#follow(message, (cluster) => this.#subscribe(message, cluster, principal))
    return this.#follow(message, (cluster) => ({ cluster, told: new Map() }))
  }

  #hello(message: { readonly token?: string | undefined; readonly ticket?: string | undefined }): void {
    if (this.#identity !== undefined) throw new ProtocolError('hello was said already')
    const identity = this.#options.identify(message)
    if (identity === undefined) return this.end(CLOSE.auth, 'the token is not valid')
    this.#identity = identity
    this.#rights = identity.principal.rights?.()
    this.#cancelHello?.()
    this.#send(JSON.stringify({ t: 'welcome', v: 1, session: this.id, ...this.#options.welcome() }))
  }

  #subscribe({ id, topics, filter, from }: Subscribe, cluster: Cluster, principal: Principal): Subscription | undefined {
    const { layer } = cluster
    return layer === undefined ? undefined : new Subscription(id, layer, new Interest(topics, filter, principal), from)
  }

  #view(view: View, cluster: Cluster, principal: Principal): LiveView | undefined {
    const { layer } = cluster
    return layer === undefined ? undefined : new LiveView(view, layer, principal)
  }

  /** A new item under an id; an old one of the same id makes room. */
  #follow({ t, id, cluster: name }: { readonly t: string; readonly id: string; readonly cluster: string }, make: (cluster: Cluster) => Followed['item'] | undefined): void {
    const { findCluster, limits, wake } = this.#options
    this.#leave(id)
    const cluster = findCluster(name)
    if (cluster === undefined) return this.#refuse(id, 'unknown-cluster', `no cluster is named ${name}`)
    const isView = t === 'view'
    const views = [...this.#followed.values()].filter((other) => other.isView).length
    const isFull = isView ? views >= limits.maxViews : this.#followed.size - views >= limits.maxSubscriptions
    if (isFull) return this.#refuse(id, 'too-many', `at most ${isView ? limits.maxViews : limits.maxSubscriptions} at a time`)
    let isLeft = false
    let leaveCluster = (): void => undefined
    const leave = (): void => {
      isLeft = true
      leaveCluster()
    }
    // Until the layer is open there is nothing to say; the place is taken, so that `unsub` finds it.
    const waiting: Followed = { isView, cluster, leave, item: { cluster, told: new Map() } }
    this.#followed.set(id, waiting)
    cluster.retain().then(
      (release) => {
        if (isLeft || this.#isClosed) return release()
        leaveCluster = release
        const item = make(cluster)
        if (item !== undefined) this.#followed.set(id, { isView, cluster, leave, item })
        wake()
      },
      (error: unknown) => {
        if (this.#followed.get(id) === waiting) this.#followed.delete(id)
        this.#refuse(id, 'unavailable', error instanceof Error ? error.message : String(error))
      },
    )
  }

  #leave(id: string): void {
    this.#followed.get(id)?.leave()
    this.#followed.delete(id)
  }

  #refuse(id: string, code: string, msg: string): void {
    this.#send(JSON.stringify({ t: 'err', id, code, msg }))
  }

  #send(text: string): void {
    if (!this.#isClosed) this.connection.send(text)
  }

  #isPaused(): boolean {
    const { pauseBytes, resumeBytes, dropBytes, maxPausedMs } = this.#options.limits
    const now = this.#options.clock.now()
    const { bufferedAmount } = this.connection
    if (bufferedAmount > dropBytes || (this.#pausedAt !== undefined && now - this.#pausedAt > maxPausedMs)) {
      this.end(CLOSE.tooSlow, 'too slow')
      return true
    }
    if (bufferedAmount > pauseBytes) this.#pausedAt ??= now
    else if (bufferedAmount < resumeBytes) this.#pausedAt = undefined
    return this.#pausedAt !== undefined
  }

  #takeToken(): boolean {
    const { messagesPerSecond, messageBurst } = this.#options.limits
    const now = this.#options.clock.now()
    this.#tokens = Math.min(messageBurst, this.#tokens + ((now - this.#tokensAt) / 1000) * messagesPerSecond)
    this.#tokensAt = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}
