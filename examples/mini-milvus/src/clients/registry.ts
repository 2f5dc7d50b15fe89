/**
 * Who is connected. A client is an identifier, as Connect gave it; without one it is its socket. Sockets and identifiers are many to many:
 * the clients of a process share a connection, and a client may have several. A client is gone when
 * - no live socket that carried it is left, for longer than the grace: time for a reconnect;
 * - it has ever sent a heartbeat and gives no sign of life for several of their intervals: the socket may live on with another client;
 * - it has been silent for as long as the lease.
 * Any call is a sign of life. Synchronous; time comes in.
 */
import { type Client, type ClientInfo, type ClientState, type GoneReason, noInfo } from './client.ts'
import { createSweep, type Sweep } from './sweep.ts'

export interface RegistryClock {
  monotonic(): number
  setTimer(callback: () => void, delayMs: number): () => void
}

export interface ClientRegistryOptions {
  readonly clock: RegistryClock
  /** Without a socket for so long, a client is gone. */
  readonly graceMs: number
  /** Without a sign of life for so long, a client that sends heartbeats is gone. */
  readonly heartbeatTimeoutMs: number
  /** Without a sign of life for so long, any client is gone. */
  readonly leaseMs: number
  /** Beyond it the one that was silent for longest and holds nothing makes room. */
  readonly maxClients: number
  /** Keys of clients that hold work, which would be dropped with them. */
  readonly holders: () => ReadonlySet<string>
  /** Also called again when a call of a client that is gone ends: it may have staged something meanwhile. */
  readonly onGone: (key: string, reason: GoneReason) => void
}

/** All clients hold staged work, and there is no room for another. */
export class CrowdedError extends Error {
  override readonly name: string = 'CrowdedError'
}

/** Only the user who connected may speak as the client. */
export class ForeignClientError extends Error {
  override readonly name: string = 'ForeignClientError'
}

interface Entry extends Client {
  /** The identifier or socket under which it is found. */
  readonly name: string
  readonly kind: 'identifier' | 'socket'
  /** Who signed in; identifiers can be guessed. */
  readonly user: string | undefined
  info: ClientInfo
  readonly sockets: Set<string>
  readonly since: number
  lastSeen: number
  heartbeats: boolean
  running: number
  gone: GoneReason | undefined
  cancelGrace: (() => void) | undefined
}

export class ClientRegistry {
  readonly #options: ClientRegistryOptions
  readonly #clients = new Map<string, Entry>()
  /** By live socket, the clients that it has carried. */
  readonly #sockets = new Map<string, Set<Entry>>()
  readonly #gone = new Map<GoneReason, number>()
  readonly #sweep: Sweep
  #births = 0
  #closed = false

  constructor(options: ClientRegistryOptions) {
    this.#options = options
    const { clock, heartbeatTimeoutMs, leaseMs } = options
    this.#sweep = createSweep(clock, Math.max(1, Math.min(heartbeatTimeoutMs, leaseMs) / 4), () => this.#dropSilent())
  }

  /** @param peer `ip:port`, as calls name it */
  socketOpened(peer: string): void {
    if (!this.#sockets.has(peer)) this.#sockets.set(peer, new Set())
  }

  socketClosed(peer: string): void {
    const carried = this.#sockets.get(peer)
    if (carried === undefined) return
    this.#sockets.delete(peer)
    for (const client of carried) {
      client.sockets.delete(peer)
      this.#watchLonely(client)
    }
  }

  /** A client got its identifier; it came over this socket. Throws CrowdedError. */
  connected(identifier: string, info: ClientInfo, peer: string, user?: string): Client {
    const client = this.#clients.get(identifier) ?? this.#add(identifier, 'identifier', identifier, user)
    client.info = info
    this.#seen(client, peer)
    return client
  }

  /**
   * A call begins. Who calls `enter` calls `leave` in the end. Throws CrowdedError for a new client when there is no room, and
   * ForeignClientError where another user has this identifier.
   */
  enter(identifier: string | undefined, peer: string, user?: string): Client {
    const name = identifier ?? peer
    let client = this.#clients.get(name)
    if (client !== undefined && client.kind === 'identifier' && client.user !== user) throw new ForeignClientError('the identifier of this call is of another user: connect again')
    // Nobody knows what came before: it begins with an empty stage.
    if (client === undefined) client = this.#add(name, identifier === undefined ? 'socket' : 'identifier', `${name}~${++this.#births}`, user)
    client.running++
    this.#seen(client, peer)
    return client
  }

  leave(client: Client): void {
    const entry = client as Entry
    entry.running--
    entry.lastSeen = this.#options.clock.monotonic()
    if (entry.gone !== undefined) this.#options.onGone(entry.key, entry.gone)
  }

  heartbeat(client: Client): void {
    ;(client as Entry).heartbeats = true
  }

  /** Whom a call of this identifier or socket would belong to. */
  find(identifier: string | undefined, peer: string): Client | undefined {
    return this.#clients.get(identifier ?? peer)
  }

  list(): readonly ClientState[] {
    return [...this.#clients.values()].map(({ key, kind, info, sockets, running, since, lastSeen, heartbeats }) => ({ key, kind, info, sockets: sockets.size, running, since, lastSeen, heartbeats }))
  }

  get size(): number {
    return this.#clients.size
  }

  get socketCount(): number {
    return this.#sockets.size
  }

  /** How many are gone since the start, by reason. */
  get gone(): ReadonlyMap<GoneReason, number> {
    return this.#gone
  }

  /** All are gone. Idempotent. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#sweep.stop()
    for (const client of this.#clients.values()) this.#drop(client, 'closing')
    this.#sockets.clear()
  }

  #add(name: string, kind: Entry['kind'], key: string, user: string | undefined): Entry {
    if (this.#clients.size >= this.#options.maxClients) this.#makeRoom()
    const now = this.#options.clock.monotonic()
    const client: Entry = { key, name, kind, user, info: noInfo, sockets: new Set(), since: now, lastSeen: now, heartbeats: false, running: 0, gone: undefined, cancelGrace: undefined }
    if (this.#closed) client.gone = 'closing'
    else this.#clients.set(name, client)
    this.#sweep.wake()
    return client
  }

  /** Hot: every call of the node comes here. */
  #seen(client: Entry, peer: string): void {
    client.lastSeen = this.#options.clock.monotonic()
    if (client.sockets.has(peer)) return
    // A call can outlive its socket: a socket that is not open carries nobody.
    const carried = this.#sockets.get(peer)
    if (carried === undefined) {
      this.#watchLonely(client)
      return
    }
    carried.add(client)
    client.sockets.add(peer)
    client.cancelGrace?.()
    client.cancelGrace = undefined
  }

  #watchLonely(client: Entry): void {
    if (client.sockets.size > 0 || client.gone !== undefined || client.cancelGrace !== undefined) return
    client.cancelGrace = this.#options.clock.setTimer(() => {
      client.cancelGrace = undefined
      this.#drop(client, 'sockets')
    }, this.#options.graceMs)
  }

  #dropSilent(): boolean {
    const { clock, heartbeatTimeoutMs, leaseMs } = this.#options
    const now = clock.monotonic()
    for (const client of this.#clients.values()) {
      if (client.running > 0) continue
      const silentMs = now - client.lastSeen
      if (silentMs >= leaseMs) this.#drop(client, 'lease')
      else if (client.heartbeats && silentMs >= heartbeatTimeoutMs) this.#drop(client, 'heartbeat')
    }
    return this.#clients.size > 0
  }

  #makeRoom(): void {
    const holders = this.#options.holders()
    let oldest: Entry | undefined
    for (const client of this.#clients.values()) {
      if (client.running === 0 && (oldest === undefined || client.lastSeen < oldest.lastSeen) && !holders.has(client.key)) oldest = client
    }
    if (oldest === undefined) throw new CrowdedError(`${this.#options.maxClients} clients hold staged work or run calls: retry later`)
    this.#drop(oldest, 'crowded')
  }

  #drop(client: Entry, reason: GoneReason): void {
    client.gone = reason
    client.cancelGrace?.()
    client.cancelGrace = undefined
    for (const peer of client.sockets) this.#sockets.get(peer)?.delete(client)
    client.sockets.clear()
    this.#clients.delete(client.name)
    this.#gone.set(reason, (this.#gone.get(reason) ?? 0) + 1)
    this.#options.onGone(client.key, reason)
  }
}
