/** One call of the store, not for ever: whoever waits for a store that is gone cannot fence itself. */
import type { KVBase } from '@timetick/kv'
import type { Clock } from '../clock.ts'
import { WatchdogError } from '../errors.ts'

/** What sessions and elections use of a `KVBase`. */
export type SessionStore = Pick<KVBase, 'loadEntry' | 'loadWithPrefix' | 'multiSaveAndRemove' | 'compareAndSave' | 'watch' | 'watchWithPrefix' | 'grantLease'>

export async function callStore<T>(
  clock: Clock,
  timeoutMs: number,
  closing: AbortSignal | undefined,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  closing?.throwIfAborted()
  const inner = new AbortController()
  let fail: (reason: unknown) => void = () => {}
  const cut = new Promise<never>((_, reject) => (fail = reject))
  const stop = (reason: unknown): void => {
    inner.abort(reason)
    fail(reason)
  }
  const onClose = (): void => stop(closing?.reason)
  closing?.addEventListener('abort', onClose, { once: true })
  const cancel = clock.setTimer(() => stop(new WatchdogError('WATCHDOG_STORE_TIMEOUT', `no answer of the store in ${timeoutMs} ms`)), timeoutMs)
  try {
    return await Promise.race([call(inner.signal), cut])
  } finally {
    cancel()
    closing?.removeEventListener('abort', onClose)
  }
}

/** The code of a `KVError` of any copy of that package. */
export function storeCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const { name, code } = error as { name?: unknown; code?: unknown }
  return name === 'KVError' && typeof code === 'string' ? code : undefined
}

/** Nothing was written, surely: another attempt cannot find its own earlier success. */
export function isSurelyNotApplied(error: unknown): boolean {
  return storeCode(error) !== undefined && (error as { outcome?: unknown }).outcome === 'not-applied'
}

export function sleep(clock: Clock, delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve()
    const done = (): void => {
      cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.setTimer(done, delayMs)
    signal?.addEventListener('abort', done, { once: true })
  })
}
