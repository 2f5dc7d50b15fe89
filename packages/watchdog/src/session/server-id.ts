/** Ids of processes: a counter in the store, raised by compare-and-save, so that no two get the same. */
import { checkName } from '../arguments.ts'
import { WatchdogError } from '../errors.ts'
import type { SessionStore } from './store-call.ts'

const MAX_ATTEMPTS = 10_000

/**
 * 1n, 2n, 3n … A failure may leave a gap, never a double.
 * @throws {WatchdogError} `WATCHDOG_SESSION_CORRUPT` when the counter is no number
 */
export async function nextServerId(
  kv: Pick<SessionStore, 'loadEntry' | 'compareAndSave'>,
  { key = 'session/id', signal }: { readonly key?: string | undefined; readonly signal?: AbortSignal | undefined } = {},
): Promise<bigint> {
  checkName('key', key)
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const entry = await kv.loadEntry(key, { signal })
    const next = readCounter(key, entry?.value) + 1n
    if (await kv.compareAndSave(key, entry?.modRevision ?? 0n, String(next), { signal })) return next
  }
  throw new WatchdogError('WATCHDOG_STORE_TIMEOUT', `others were faster ${MAX_ATTEMPTS} times`, { details: { key } })
}

function readCounter(key: string, value: string | undefined): bigint {
  if (value === undefined) return 0n
  if (/^(0|[1-9][0-9]{0,18})$/.test(value)) return BigInt(value)
  throw new WatchdogError('WATCHDOG_SESSION_CORRUPT', `expected \`${key}\` to hold a decimal number`, { details: { key } })
}
