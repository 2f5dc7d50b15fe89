/**
 * Whose work an HTTP call is. HTTP knows no clients: sockets are shared and come and go. A call without a session is a client of its own,
 * whose writes are flushed before it is answered. A session is a client that lives from its opening until nobody used it for a while.
 */
import { invalid, MilvusError, Code } from '../server/status.ts'
import type { Staging } from '../staging/staging.ts'
import type { ClientOrder, Ticket } from './order.ts'

/** Of requests: `new`, or a session's id, and `; end` after it to drop the session when the call is done. Of answers: the id. */
export const SESSION_HEADER = 'timetick-session'

export interface RestSessionsOptions {
  readonly clock: { setTimer(callback: () => void, delayMs: number): () => void }
  readonly staging: Pick<Staging, 'flush' | 'discard'>
  readonly order: ClientOrder
  /** Unused for so long, a session ends. */
  readonly ttlMs: number
  readonly maxSessions: number
  readonly newId: () => string
}

/** One call's client, which ends with the call outside of sessions. Who claims it releases it. */
export interface RestClient {
  readonly client: string
  readonly ticket: Ticket | undefined
  /** The session's id, for the answer. */
  readonly session: string | undefined
  /**
   * Runs the call's work; outside of sessions what it wrote is visible when it resolves. The work may go on after nobody waits for it any
   * more: the client is there until then.
   */
  run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>
  /** The call is answered. Idempotent. */
  release(): void
}

export interface RestSessions {
  /** When the call's headers have arrived. Throws MilvusError for a session that is unknown or ended, and when there are too many. */
  claim(header: string | readonly string[] | undefined): RestClient
  /** Open sessions. */
  readonly size: number
  /** All sessions end. Idempotent. */
  close(): void
}

interface Session {
  readonly id: string
  readonly client: string
  running: number
  isEnded: boolean
  cancelTimer: (() => void) | undefined
}

const FORM = /^(new|[\w-]{8,64})(?:\s*;\s*(end))?$/

export function createRestSessions(options: RestSessionsOptions): RestSessions {
  const { clock, staging, order, ttlMs, maxSessions, newId } = options
  const sessions = new Map<string, Session>()
  let count = 0
  const end = (session: Session): void => {
    session.isEnded = true
    session.cancelTimer?.()
    session.cancelTimer = undefined
    sessions.delete(session.id)
    staging.discard(session.client)
  }
  const open = (): Session => {
    if (sessions.size >= maxSessions) throw new MilvusError(Code.RateLimit, `more than ${maxSessions} sessions are open: retry later`)
    const session: Session = { id: newId(), client: `session ${++count}`, running: 0, isEnded: false, cancelTimer: undefined }
    sessions.set(session.id, session)
    return session
  }
  const use = (session: Session, endAfter: boolean): RestClient => {
    session.running++
    session.cancelTimer?.()
    session.cancelTimer = undefined
    const ticket = order.draw(session.client)
    const holder = createHolder(() => {
      ticket.leave()
      session.running--
      if (endAfter || session.isEnded) end(session)
      else if (session.running === 0) session.cancelTimer = clock.setTimer(() => end(session), ttlMs)
    })
    // A call asks for several things; its place is its own until the last of them is done.
    return { client: session.client, ticket: { ...kept(ticket), leave() {} }, session: session.id, run: (work) => holder.run(work), release: () => holder.release() }
  }
  return {
    claim(header) {
      if (header === undefined) return alone(`rest ${++count}`, staging)
      const [, name = '', ending] = (typeof header === 'string' ? FORM.exec(header.trim()) : null) ?? []
      if (name === '') throw invalid(`the header Timetick-Session must be "new", or a session's id, "; end" after it`)
      const session = name === 'new' ? open() : sessions.get(name)
      if (session === undefined) throw new MilvusError(Code.ParameterInvalid, 'the session is unknown or has ended, and what it had not flushed is dropped: open one with the header Timetick-Session: new')
      return use(session, ending !== undefined)
    },
    get size() {
      return sessions.size
    },
    close() {
      for (const session of sessions.values()) end(session)
    },
  }
}

function alone(client: string, staging: RestSessionsOptions['staging']): RestClient {
  const holder = createHolder(() => staging.discard(client))
  return {
    client,
    ticket: undefined,
    session: undefined,
    run: (work, signal) =>
      holder.run(async () => {
        const result = await work()
        const leftOut: string[] = []
        await staging.flush(client, undefined, signal, (why) => leftOut.push(why))
        // One call is one write: nothing was done.
        if (leftOut[0] !== undefined) throw new MilvusError(Code.ParameterInvalid, leftOut[0])
        return result
      }),
    release: () => holder.release(),
  }
}

function kept(ticket: Ticket): Pick<Ticket, 'enter' | 'isBehind'> {
  return { enter: (kind, signal) => ticket.enter(kind, signal), isBehind: () => ticket.isBehind() }
}

/** Calls `done` once: after `release`, and after all that ran. */
function createHolder(done: () => void): { run<T>(work: () => Promise<T>): Promise<T>; release(): void } {
  let holds = 1
  let isReleased = false
  const leave = (): void => {
    if (--holds === 0) done()
  }
  return {
    async run(work) {
      holds++
      try {
        return await work()
      } finally {
        leave()
      }
    },
    release() {
      if (isReleased) return
      isReleased = true
      leave()
    },
  }
}
