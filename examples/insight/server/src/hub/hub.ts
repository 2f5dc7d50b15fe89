/** All clients of all layers: what changes is written to them in batches, serialised once for all who want the same. */
import type { Identity } from '../access.ts'
import type { Clusters } from '../core/clusters.ts'
import type { Layer } from '../core/layer.ts'
import type { Clock } from '../core/model.ts'
import { Batch } from './batch.ts'
import { DEFAULT_LIMITS, type HubLimits } from './limits.ts'
import { paceOf } from './pace.ts'
import { CLOSE } from './protocol.ts'
import { Session, type Connection } from './session.ts'

export interface HubOptions {
  readonly clusters: Clusters
  readonly clock: Clock
  readonly identify: (hello: { readonly token?: string | undefined; readonly ticket?: string | undefined }) => Identity | undefined
  readonly version: string
  /** False: clients must say who they are. @default true */
  readonly isOpen?: boolean | undefined
  readonly limits?: Partial<HubLimits> | undefined
  /** How busy the process is, 0 to 1, where it has more to do than this: then clients are written to less often. @default 0 */
  readonly load?: (() => number) | undefined
}

export class Hub {
  readonly #options: HubOptions
  readonly #limits: HubLimits
  readonly #sessions = new Set<Session>()
  readonly #heard = new Map<Layer, () => void>()
  readonly #batch = new Batch()
  /** Those that the flush under way has not reached yet. */
  #pass: Iterator<Session> | undefined
  /** Those that asked for something since: they do not wait for the next flush. */
  readonly #asking = new Set<Session>()
  #cancelAsking: (() => void) | undefined
  #cancelFlush: (() => void) | undefined
  #cancelGauges: (() => void) | undefined
  #cancelMark: (() => void) | undefined
  /** Since when somebody has not got all that there is, although the flush under way reached it. */
  #behindAt: number | undefined
  #made = 0
  #isClosed = false

  constructor(options: HubOptions) {
    this.#options = options
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits }
  }

  get clients(): number {
    return this.#sessions.size
  }

  /** Takes a client in, or refuses it. */
  accept(connection: Connection): Session | undefined {
    const { maxClients, maxClientsPerPeer, maxUnknown } = this.#limits
    if (this.#isClosed) return this.#refuse(connection, CLOSE.shuttingDown, 'the server stops')
    const ofPeer = [...this.#sessions].filter((session) => session.connection.peer === connection.peer).length
    if (this.#sessions.size >= maxClients || ofPeer >= maxClientsPerPeer) return this.#refuse(connection, CLOSE.rate, 'too many clients')
    if (this.#options.isOpen === false && [...this.#sessions].filter(({ isKnown }) => !isKnown).length >= maxUnknown) return this.#refuse(connection, CLOSE.rate, 'too many clients that have not said who they are')
    const { clock, clusters, identify, version } = this.#options
    const session = new Session({
      id: `s${++this.#made}`,
      connection,
      limits: this.#limits,
      clock,
      findCluster: (id) => clusters.get(id),
      welcome: () => ({
        server: version,
        limits: { subscriptions: this.#limits.maxSubscriptions, views: this.#limits.maxViews, messagesPerSecond: this.#limits.messagesPerSecond },
        clusters: [...clusters].map((cluster) => ({ ...cluster.status() })),
      }),
      identify,
      wake: () => this.#ask(session),
    })
    this.#sessions.add(session)
    this.#startTimers()
    return session
  }

  leave(session: Session): void {
    session.closed()
    this.#sessions.delete(session)
    this.#asking.delete(session)
    if (this.#sessions.size === 0) this.#stopTimers()
  }

  close(): void {
    this.#isClosed = true
    for (const session of this.#sessions) session.end(CLOSE.shuttingDown, 'the server stops')
    this.#sessions.clear()
    this.#stopTimers()
  }

  #refuse(connection: Connection, code: number, reason: string): undefined {
    connection.close(code, reason)
  }

  /** Layers come and go with their clusters: hear those that are there. */
  #hear(): void {
    const layers = new Set([...this.#options.clusters].flatMap(({ layer }) => layer ?? []))
    for (const [layer, stop] of this.#heard) {
      if (layers.has(layer)) continue
      stop()
      this.#heard.delete(layer)
    }
    for (const layer of layers) if (!this.#heard.has(layer)) this.#heard.set(layer, layer.listen(() => this.#wake()))
  }

  #wake(): void {
    this.#hear()
    if (this.#pass !== undefined) this.#behindAt ??= this.#options.clock.now()
    else this.#cancelFlush ??= this.#options.clock.setTimer(() => this.#flush(), this.#pace().waitMs)
  }

  #pace(): ReturnType<typeof paceOf> {
    return paceOf(this.#sessions.size, this.#options.load?.() ?? 0, this.#limits.batchMs)
  }

  #flush(): void {
    this.#cancelFlush = this.#behindAt = undefined
    this.#pass = this.#sessions.values()
    this.#turn(this.#pass, this.#pace().clientsPerTurn)
  }

  /** Writes to the next of them; the rest has to wait its turn. */
  #turn(pass: Iterator<Session>, clients: number): void {
    for (let i = 0; i < clients; i++) {
      const { value: session, done } = pass.next()
      if (done === true) return this.#endPass()
      this.#write(session)
    }
    this.#cancelFlush = this.#options.clock.setTimer(() => this.#turn(pass, clients), 0)
  }

  #endPass(): void {
    this.#cancelFlush = this.#pass = undefined
    this.#batch.clear()
    if (this.#behindAt === undefined) return
    // What came while others were written to has waited since then.
    const { clock } = this.#options
    this.#cancelFlush = clock.setTimer(() => this.#flush(), Math.max(1, this.#pace().waitMs - (clock.now() - this.#behindAt)))
  }

  #write(session: Session): void {
    if (session.flush(this.#batch)) this.#behindAt ??= this.#options.clock.now()
    if (session.isClosed) this.#sessions.delete(session)
  }

  /** The first answer to a wish does not wait as long as news for all. */
  #ask(session: Session): void {
    this.#hear()
    this.#asking.add(session)
    this.#cancelAsking ??= this.#options.clock.setTimer(() => {
      this.#cancelAsking = undefined
      for (const asking of this.#asking) this.#write(asking)
      this.#asking.clear()
      if (this.#pass !== undefined) return
      this.#batch.clear()
      if (this.#behindAt !== undefined) this.#wake()
    }, this.#limits.batchMs)
  }

  #startTimers(): void {
    if (this.#cancelGauges !== undefined) return
    const { clock } = this.#options
    const every = (ms: number, work: () => void, keep: (cancel: () => void) => void): void => {
      keep(
        clock.setTimer(() => {
          work()
          every(ms, work, keep)
        }, ms),
      )
    }
    every(
      this.#limits.gaugeMs,
      () =>
        this.#sessions.forEach((session) => {
          session.checkRights()
          session.followLayers()
          session.flushGauges()
        }),
      (cancel) => (this.#cancelGauges = cancel),
    )
    every(
      this.#limits.markMs,
      () => this.#sessions.forEach((session) => session.mark()),
      (cancel) => (this.#cancelMark = cancel),
    )
  }

  #stopTimers(): void {
    for (const cancel of [this.#cancelFlush, this.#cancelAsking, this.#cancelGauges, this.#cancelMark]) cancel?.()
    this.#cancelFlush = this.#cancelAsking = this.#cancelGauges = this.#cancelMark = this.#pass = this.#behindAt = undefined
    this.#asking.clear()
    this.#batch.clear()
    for (const stop of this.#heard.values()) stop()
    this.#heard.clear()
  }
}
