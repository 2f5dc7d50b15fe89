/**
 * Who may come in, and what each may see. Loopback without a password is open to whoever is on the machine, but not to pages of
 * other sites: those are told by `Host` and `Origin`.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Clock, Kind, Row } from './core/model.ts'

export interface Principal {
  readonly name: string
  /** Asked before anything is counted, sorted or sent. `row` is absent where an entity is gone. */
  sees(kind: Kind, key: string, row: Row | undefined): boolean
  readonly mayAct: boolean
  /** Another text after each change of what it may see: what was told before may not be its to know. Absent: that never changes. */
  readonly rights?: (() => string) | undefined
  /** False once it may not come in any more: it is gone, or its password is another one. Absent: it always may. */
  readonly isWelcome?: (() => boolean) | undefined
}

/** Who said hello, and whether that still holds. */
export interface Identity {
  readonly principal: Principal
  holds(): boolean
}

export const EVERYTHING: Principal = { name: 'local', sees: () => true, mayAct: true }

export interface AccessOptions {
  /** Host names by which the server may be called, beside the loopback's. */
  readonly hosts?: readonly string[] | undefined
  /** Origins of other pages that may call. */
  readonly origins?: readonly string[] | undefined
  /** A shared secret. Without it and without `login` there is no authentication. */
  readonly token?: string | undefined
  /** Checks a user of the cluster. */
  readonly login?: ((user: string, password: string) => Promise<Principal | undefined>) | undefined
  readonly clock: Clock
  /** Text that nobody can guess, new each time. */
  readonly secret: () => string
}

export interface RequestHeaders {
  readonly host?: string | undefined
  readonly origin?: string | undefined
  readonly authorization?: string | undefined
}

const LOOPBACK: readonly string[] = ['localhost', '127.0.0.1', '[::1]']
const SESSION_MS = 12 * 3600_000
const TICKET_MS = 30_000
const MAX_SESSIONS = 10_000
/** After so many wrong tries a caller waits, twice as long with each. */
const FREE_TRIES = 5

interface Session {
  readonly principal: Principal
  readonly until: number
}

interface Ticket {
  readonly identity: Identity
  readonly until: number
}

const ALWAYS: Identity = { principal: EVERYTHING, holds: () => true }

export class Access {
  readonly #options: AccessOptions
  readonly #hosts: ReadonlySet<string>
  readonly #sessions = new Map<string, Session>()
  readonly #tickets = new Map<string, Ticket>()
  readonly #tries = new Map<string, { count: number; until: number }>()

  constructor(options: AccessOptions) {
    this.#options = options
    this.#hosts = new Set([...LOOPBACK, ...(options.hosts ?? [])].map((host) => host.toLowerCase()))
  }

  get isOpen(): boolean {
    return this.#options.token === undefined && this.#options.login === undefined
  }

  /** Why a request may not even be looked at, or undefined: its name for us is not ours (DNS rebinding), or another site sends it. */
  refusal({ host, origin, authorization }: RequestHeaders, isUpgrade: boolean): string | undefined {
    if (host === undefined || !this.#hosts.has(hostName(host))) return `this server is not called ${JSON.stringify(host ?? '')}: add it to \`insight.hosts\``
    if (origin === undefined) return isUpgrade && !this.isOpen && authorization === undefined ? 'a websocket without Origin needs a bearer token' : undefined
    const own = [`http://${host}`, `https://${host}`]
    if (own.includes(origin.toLowerCase()) || own.includes(origin) || this.#options.origins?.includes(origin) === true) return undefined
    return `pages of ${JSON.stringify(origin)} may not call this server`
  }

  /** Who a bearer token stands for. */
  bearer(authorization: string | undefined): Identity | undefined {
    if (this.isOpen) return ALWAYS
    const token = authorization === undefined ? undefined : /^Bearer (.+)$/i.exec(authorization)?.[1]
    return token === undefined ? undefined : this.token(token)
  }

  token(token: string): Identity | undefined {
    if (this.isOpen) return ALWAYS
    if (this.#options.token !== undefined && isSame(token, this.#options.token)) return ALWAYS
    const session = this.#sessions.get(digest(token))
    if (session === undefined) return undefined
    const { principal, until } = session
    const holds = (): boolean => until > this.#options.clock.now() && principal.isWelcome?.() !== false
    return holds() ? { principal, holds } : undefined
  }

  /** A token for a user, or for how long to wait. `undefined`: wrong. */
  async login(user: string, password: string, peer: string): Promise<{ token: string } | { retryMs: number } | undefined> {
    const now = this.#options.clock.now()
    const tries = this.#tries.get(peer)
    if (tries !== undefined && tries.until > now) return { retryMs: tries.until - now }
    const principal = await this.#options.login?.(user, password)
    if (principal === undefined) {
      const count = (tries?.count ?? 0) + 1
      if (this.#tries.size > MAX_SESSIONS) this.#tries.clear()
      this.#tries.set(peer, { count, until: count < FREE_TRIES ? 0 : now + Math.min(60_000, 500 * 2 ** (count - FREE_TRIES)) })
      return undefined
    }
    this.#tries.delete(peer)
    const token = this.#options.secret()
    keep(this.#sessions, digest(token), { principal, until: now + SESSION_MS }, now)
    return { token }
  }

  /** Stands for who asks, once, within half a minute: what a page sends where it cannot send a header. It holds as long as what it was asked with. */
  ticket(identity: Identity): string {
    const ticket = this.#options.secret()
    const now = this.#options.clock.now()
    keep(this.#tickets, digest(ticket), { identity, until: now + TICKET_MS }, now)
    return ticket
  }

  redeem(ticket: string): Identity | undefined {
    const key = digest(ticket)
    const found = this.#tickets.get(key)
    this.#tickets.delete(key)
    return found !== undefined && found.until > this.#options.clock.now() && found.identity.holds() ? found.identity : undefined
  }
}

function keep<T extends { readonly until: number }>(map: Map<string, T>, key: string, session: T, now: number): void {
  if (map.size >= MAX_SESSIONS) for (const [old, { until }] of map) if (until <= now) map.delete(old)
  const [oldest] = map.keys()
  if (map.size >= MAX_SESSIONS && oldest !== undefined) map.delete(oldest)
  map.set(key, session)
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex')

function isSame(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest())
}

/** `[::1]:9091` and `Localhost:9091` without their ports. */
function hostName(host: string): string {
  return host.toLowerCase().replace(/:\d+$/, '')
}
