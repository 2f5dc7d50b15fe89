/** The same question to all other proxies of the cluster. */
import type { KVBase } from '@timetick/kv'
import { listSessions } from '@timetick/watchdog/session'
import type { NodeClock } from '../edge/system.ts'
import { createClient } from '../internal/service.ts'
import type { Transport } from '../internal/transport.ts'
import { MEMBER, type MemberApi } from './apis.ts'
import { type Member, memberOf, SESSION_NAME, SESSION_ROOT } from './membership.ts'

export interface ProxiesOptions {
  readonly kv: Pick<KVBase, 'loadWithPrefix'>
  readonly transport: Pick<Transport, 'call'>
  readonly clock: Pick<NodeClock, 'monotonic' | 'setTimer'>
  /** Of every process's lease. */
  readonly ttlMs: number
  /** Of this process: it is not asked. */
  readonly address: string
}

/** `gone`: it is registered no more. `silent`: it is registered and said nothing for the time of a lease. */
export type ProxyAnswer<T> = { readonly is: 'answer'; readonly value: T } | { readonly is: 'gone' | 'silent' }

const RETRY_MS = 50
const CALL_MS = 1_000

/** Resolves when each proxy that is registered has answered, or is gone, or was silent. Rejects when nobody can tell who is registered. */
export async function askProxies<T>(options: ProxiesOptions, ask: (api: MemberApi, timeoutMs: number) => Promise<T>): Promise<ProxyAnswer<T>[]> {
  const end = options.clock.monotonic() + options.ttlMs
  // As the store has them now: whoever registers later begins with what is there.
  const proxies = await proxiesOf(options, end)
  return Promise.all(proxies.filter(({ address }) => address !== options.address).map((proxy) => askOne(options, proxy, end, ask)))
}

async function askOne<T>(options: ProxiesOptions, proxy: Member, end: number, ask: (api: MemberApi, timeoutMs: number) => Promise<T>): Promise<ProxyAnswer<T>> {
  const { transport, clock } = options
  const api = createClient(MEMBER, transport, () => proxy.address)
  while (clock.monotonic() < end) {
    try {
      return { is: 'answer', value: await ask(api, Math.max(1, Math.min(CALL_MS, end - clock.monotonic()))) }
    } catch {
      await pause(clock)
      const present = await proxiesOf(options, end).catch(() => undefined)
      if (present !== undefined && !present.some(({ id }) => id === proxy.id)) return { is: 'gone' }
    }
  }
  return { is: 'silent' }
}

async function proxiesOf({ kv, clock }: ProxiesOptions, end: number): Promise<Member[]> {
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

function pause(clock: Pick<NodeClock, 'setTimer'>): Promise<void> {
  return new Promise((resolve) => void clock.setTimer(resolve, RETRY_MS))
}
