/**
 * A process of a cluster says that it is there: a session on a lease, with what it does and where it is reached. Each lease that
 * begins anew is another incarnation: duties were given to one incarnation, and end with it.
 */
import type { KVBase } from '@timetick/kv'
import { nextServerId, openSession, type Session, type SessionRecord } from '@timetick/watchdog/session'
import type { NodeClock } from '../edge/system.ts'

export const ROLES = ['proxy', 'coordinator', 'data', 'query'] as const
export type ClusterRole = (typeof ROLES)[number]

/** A process as others see it. */
export interface Member {
  /** `<node id>.<incarnation>` */
  readonly id: string
  readonly nodeId: bigint
  readonly address: string
  readonly roles: readonly ClusterRole[]
  readonly version: string
  /** It takes no new duties. */
  readonly stopping: boolean
}

export interface MembershipOptions {
  readonly kv: KVBase
  readonly clock: NodeClock
  readonly ttlMs: number
  readonly address: string
  readonly roles: readonly ClusterRole[]
  readonly version: string
  /** Names one incarnation's lease; unique. Random unless given. */
  readonly createOwner?: (() => string) | undefined
  /** Resolves when this process knows what was stored before the call. Others wait for it from its registration on. */
  readonly catchUp: () => Promise<void>
  /** Duties may have come to an end, or can be taken up again. */
  readonly onChange: () => void
  readonly onProblem: (message: string, error: unknown) => void
}

export const SESSION_ROOT = 'sessions'
export const SESSION_NAME = 'node'
const RETRY_MS = 200

export class Membership {
  readonly nodeId: bigint
  readonly #options: MembershipOptions
  #incarnation = 0
  #session: Session | undefined
  /** The present session's lease began anew by itself: it is no longer the one that duties were given to. */
  #hasLapsed = false
  #isStopping = false
  #cancelRetry: (() => void) | undefined
  #changing: Promise<void> = Promise.resolve()
  #closed = false

  private constructor(options: MembershipOptions, nodeId: bigint) {
    this.#options = options
    this.nodeId = nodeId
  }

  static async open(options: MembershipOptions): Promise<Membership> {
    const nodeId = await nextServerId(options.kv, { key: `${SESSION_ROOT}/id` })
    const membership = new Membership(options, nodeId)
    const registering = membership.#register()
    // What comes meanwhile comes behind it.
    membership.#changing = registering.catch(() => {
      membership.#closed = true
    })
    await registering
    return membership
  }

  /** Of this incarnation. */
  get id(): string {
    return `${this.nodeId}.${this.#incarnation}`
  }

  /** Nobody else can have been given what this incarnation has. Ask before each reply, and again after each await. */
  get isLive(): boolean {
    return !this.#hasLapsed && this.#session?.isLive === true
  }

  get leftMs(): number {
    return this.isLive ? (this.#session?.leftMs ?? 0) : 0
  }

  get isStopping(): boolean {
    return this.#isStopping
  }

  /** Tells all that no new duties are wanted. */
  async stop(): Promise<void> {
    this.#isStopping = true
    try {
      await this.#session?.update({ stopping: true })
    } catch (error) {
      this.#options.onProblem('others could not be told of the stop', error)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancelRetry?.()
    await this.#changing
    await this.#session?.close()
  }

  async #register(): Promise<void> {
    const { kv, clock, ttlMs, address, roles, version, createOwner, catchUp } = this.#options
    this.#incarnation++
    this.#hasLapsed = false
    const labels = { roles: roles.join(','), version, incarnation: String(this.#incarnation), ...(this.#isStopping ? { stopping: 'true' } : {}) }
    const owner = createOwner?.()
    const session: Session = await openSession({
      kv, clock, ttlMs, address, labels, owner, name: SESSION_NAME, id: String(this.nodeId), rootPath: SESSION_ROOT,
      onEvent: ({ type }) => {
        if (type === 'registered-again' || type === 'lost') this.#lapsed()
        else if (type === 'fenced' || type === 'live') this.#options.onChange()
      },
    })
    try {
      // What others changed while nobody waited for this process must be known before it serves.
      await catchUp()
    } catch (error) {
      await session.close()
      throw error
    }
    this.#session = session
    this.#options.onChange()
  }

  #lapsed(): void {
    this.#hasLapsed = true
    this.#options.onChange()
    this.#again()
  }

  #again(): void {
    if (this.#closed) return
    this.#changing = this.#changing.then(async () => {
      try {
        const former = this.#session
        this.#session = undefined
        await former?.close()
        if (!this.#closed) await this.#register()
      } catch (error) {
        this.#options.onProblem('registering again failed and is tried again', error)
        if (!this.#closed) this.#cancelRetry = this.#options.clock.setTimer(() => this.#again(), RETRY_MS)
      }
    })
  }
}

/** Undefined for a session of something else. */
export function memberOf({ id, address, labels, stopping }: SessionRecord): Member | undefined {
  const incarnation = labels['incarnation']
  if (address === undefined || incarnation === undefined || !/^\d+$/.test(id)) return undefined
  const roles = (labels['roles'] ?? '').split(',').filter((role): role is ClusterRole => (ROLES as readonly string[]).includes(role))
  return { id: `${id}.${incarnation}`, nodeId: BigInt(id), address, roles, version: labels['version'] ?? '', stopping: stopping || labels['stopping'] === 'true' }
}
