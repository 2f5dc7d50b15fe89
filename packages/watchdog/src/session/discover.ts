/** Who is there, and who comes and goes. What a watch shows is late: no proof that a process lives, or that it has stopped. */
import { checkDuration, checkName, checkObject } from '../arguments.ts'
import type { Clock } from '../clock.ts'
import { systemClock } from '../edge.ts'
import { decodeSession } from './record.ts'
import type { SessionRecord } from './record.ts'
import { sleep, storeCode } from './store-call.ts'
import type { SessionStore } from './store-call.ts'

export interface SessionList {
  /** By key. */
  readonly sessions: ReadonlyMap<string, SessionRecord>
  readonly revision: bigint
}

export interface SessionChange {
  readonly type: 'added' | 'updated' | 'removed'
  readonly key: string
  /** For `removed`: as it was. */
  readonly session: SessionRecord
}

export type SessionsEvent =
  /** First, and again whenever changes were missed: everything there is. Replaces what was known. */
  | { readonly type: 'snapshot'; readonly sessions: ReadonlyMap<string, SessionRecord>; readonly revision: bigint }
  | { readonly type: 'changes'; readonly changes: readonly SessionChange[]; readonly revision: bigint }

export interface DiscoverOptions {
  /** Only sessions of this name. */
  readonly name?: string | undefined
  /** @default 'session' */
  readonly rootPath?: string | undefined
  readonly signal?: AbortSignal | undefined
}

export interface WatchSessionsOptions extends DiscoverOptions {
  /** Wait after a failure of the store. @default 500 */
  readonly retryMs?: number | undefined
  /** Told of failures that are waited out. */
  readonly onProblem?: ((error: unknown) => void) | undefined
  readonly clock?: Clock | undefined
}

export async function listSessions(kv: Pick<SessionStore, 'loadWithPrefix'>, options: DiscoverOptions = {}): Promise<SessionList> {
  const { prefix, name } = target(options)
  const page = await kv.loadWithPrefix(prefix, { signal: options.signal })
  const sessions = new Map<string, SessionRecord>()
  page.keys.forEach((key, index) => {
    const session = decodeSession(page.values[index] ?? '')
    if (session !== undefined && (name === undefined || session.name === name)) sessions.set(key, session)
  })
  return { sessions, revision: page.revision }
}

/**
 * A snapshot, then changes without a gap. Outages of the store are waited out, and end in a new snapshot.
 * Ends by `break`, by the signal (throws its reason) or when the store is closed (throws `KV_CLOSED`).
 */
export async function* watchSessions(
  kv: Pick<SessionStore, 'loadWithPrefix' | 'watchWithPrefix'>,
  options: WatchSessionsOptions = {},
): AsyncGenerator<SessionsEvent, void, undefined> {
  const { signal, onProblem, clock = systemClock } = options
  const { prefix, name } = target(options)
  const retryMs = checkDuration('retryMs', options.retryMs ?? 500, 1)
  for (;;) {
    signal?.throwIfAborted()
    try {
      const { sessions, revision } = await listSessions(kv, options)
      const known = new Map(sessions)
      yield { type: 'snapshot', sessions, revision }
      for await (const batch of kv.watchWithPrefix(prefix, { from: revision + 1n, signal })) {
        const changes = batch.events.flatMap((event) => apply(known, event.key, event.type === 'put' ? event.value : undefined, name))
        if (changes.length > 0) yield { type: 'changes', changes, revision: batch.revision }
      }
      signal?.throwIfAborted()
      return
    } catch (error) {
      signal?.throwIfAborted()
      const code = storeCode(error)
      const passes = code === 'KV_COMPACTED' || (code !== undefined && (error as { retryable?: unknown }).retryable === true)
      if (!passes) throw error
      onProblem?.(error)
      await sleep(clock, retryMs, signal)
    }
  }
}

function apply(known: Map<string, SessionRecord>, key: string, value: string | undefined, name: string | undefined): SessionChange[] {
  const before = known.get(key)
  const session = value === undefined ? undefined : decodeSession(value)
  if (session === undefined) {
    known.delete(key)
    return before === undefined ? [] : [{ type: 'removed', key, session: before }]
  }
  if (name !== undefined && session.name !== name) return []
  known.set(key, session)
  return [{ type: before === undefined ? 'added' : 'updated', key, session }]
}

function target({ name, rootPath = 'session' }: DiscoverOptions): { prefix: string; name: string | undefined } {
  checkObject('options', { name })
  checkName('rootPath', rootPath)
  return { prefix: `${rootPath}/${name === undefined ? '' : checkName('name', name)}`, name }
}
