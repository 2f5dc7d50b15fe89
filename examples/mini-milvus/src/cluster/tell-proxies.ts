/** News for all proxies: a call that changed something is over when none of them takes it for what it was before. */
import type { KVBase } from '@timetick/kv'
import { listSessions } from '@timetick/watchdog/session'
import type { NodeClock } from '../edge/system.ts'
import { createClient } from '../internal/service.ts'
import type { Transport } from '../internal/transport.ts'
import { MEMBER } from './apis.ts'
import { type Member, memberOf, SESSION_NAME, SESSION_ROOT } from './membership.ts'

export interface Tidings {
  readonly kv: Pick<KVBase, 'loadWithPrefix'>
  readonly transport: Pick<Transport, 'call'>
  readonly clock: NodeClock
  /** Of every process's lease. */
  readonly ttlMs: number
  /** Of this process: it knows already. */
  readonly address: string
  readonly mirror: string
  readonly revision: bigint
}

const RETRY_MS = 50

/**
 * Resolves when each proxy that is registered says that it knows, or is gone. One that says nothing for the time of a lease has renewed it
 * meanwhile, at the store that tells it of the change too, or serves no more. Rejects when nobody can tell who is registered.
 */
export async function tellProxies(tidings: Tidings): Promise<void> {
  const { clock, ttlMs, address } = tidings
  const end = clock.monotonic() + ttlMs
  // As the store has them behind the change: whoever registers later begins with it.
  const proxies = await proxiesOf(tidings, end)
  await Promise.all(proxies.filter((proxy) => proxy.address !== address).map((proxy) => tell(tidings, proxy, end)))
}

async function tell(tidings: Tidings, proxy: Member, end: number): Promise<void> {
  const { transport, clock, mirror, revision } = tidings
  const api = createClient(MEMBER, transport, () => proxy.address)
  while (clock.monotonic() < end) {
    try {
      await api.awaitMeta({ revision, mirror }, { timeoutMs: Math.max(1, Math.min(1_000, end - clock.monotonic())) })
      return
    } catch {
      await pause(clock)
      const present = await proxiesOf(tidings, end).catch(() => undefined)
      if (present !== undefined && !present.some(({ id }) => id === proxy.id)) return
    }
  }
}

async function proxiesOf({ kv, clock }: Tidings, end: number): Promise<Member[]> {
  for (;;) {
    try {
      const { sessions } = await listSessions(kv, { rootPath: SESSION_ROOT, name: SESSION_NAME })
      return [...sessions.values()].flatMap((session) => memberOf(session) ?? []).filter(({ roles }) => roles.includes('proxy'))
    } catch (error) {
      if (clock.monotonic() + RETRY_MS >= end) throw error
      await pause(clock)
    }
  }
}

function pause(clock: NodeClock): Promise<void> {
  return new Promise((resolve) => void clock.setTimer(resolve, RETRY_MS))
}
