/**
 * The one record that an oracle keeps: the end of its window and who saved it, as `timetick-tso/1 <end, ms> <owner>`.
 *
 * Text, not Milvus's 8 bytes: the owner's name makes a save recognisable after its answer was lost (was it applied or
 * did another oracle save the same number?), and an operator can read it. Only a missing key is a fresh store: an empty or
 * foreign value is `TSO_CORRUPT` (Milvus #51469 read errors as fresh).
 */
import type { KVBase } from '@timetick/kv'
import type { Clock } from './clock.ts'
import { show } from './check.ts'
import { TsoError } from './errors.ts'
import { MAX_PHYSICAL_MS } from './timestamp.ts'

/** What is used of a `KVBase`. Failures are known by their `outcome`, never by a class. */
export type TsoStore = Pick<KVBase, 'loadEntry' | 'compareAndSave'>

export interface WindowRecord {
  /** Every timestamp served under this record has a physical part below it. */
  readonly endMs: number
  readonly owner: string
  /** The token of the next compareAndSave. */
  readonly revision: bigint
}

const FORM = /^timetick-tso\/1 (0|[1-9][0-9]{0,14}) (\S{1,200})$/

export function encodeWindow(endMs: number, owner: string): string {
  return `timetick-tso/1 ${endMs} ${owner}`
}

export function decodeWindow(key: string, value: string, revision: bigint): WindowRecord {
  const match = FORM.exec(value)
  const endMs = Number(match?.[1])
  const owner = match?.[2]
  if (owner === undefined || endMs > MAX_PHYSICAL_MS) {
    throw new TsoError('TSO_CORRUPT', `expected \`${key}\` to hold "timetick-tso/1 <ms> <owner>", got ${show(value)}`, { details: { key } })
  }
  return { endMs, owner, revision }
}

export interface StoreCallContext {
  readonly clock: Clock
  readonly saveTimeoutMs: number
  /** Aborted on close: what is under way is given up. */
  readonly closing: AbortSignal
}

/** One store call: with a deadline, and with failures that say whether a write may have been applied. */
export async function callStore<T>(
  { clock, saveTimeoutMs, closing }: StoreCallContext,
  what: 'load' | 'save',
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  closing.throwIfAborted()
  const controller = new AbortController()
  const outcome = what === 'save' ? 'unknown' : undefined
  let cleanUp = (): void => undefined
  const stopped = new Promise<never>((_, reject) => {
    const stop = (error: unknown): void => {
      reject(error)
      controller.abort(error)
    }
    const onClose = (): void => stop(closing.reason)
    const cancel = clock.setTimer(() => {
      stop(new TsoError('TSO_TIMEOUT', `the store did not answer a ${what} within ${saveTimeoutMs} ms`, { outcome }))
    }, saveTimeoutMs)
    closing.addEventListener('abort', onClose, { once: true })
    cleanUp = () => {
      cancel()
      closing.removeEventListener('abort', onClose)
    }
  })
  try {
    return await Promise.race([run(controller.signal), stopped])
  } catch (error) {
    throw fromStore(error, what)
  } finally {
    cleanUp()
  }
}

function fromStore(error: unknown, what: 'load' | 'save'): TsoError {
  if (error instanceof TsoError) return error
  const known = (typeof error === 'object' && error !== null ? error : {}) as { outcome?: unknown; code?: unknown; message?: unknown }
  // A save that failed without saying that it was not applied may have been applied.
  const outcome = what === 'load' ? undefined : known.outcome === 'not-applied' ? 'not-applied' : 'unknown'
  const code = known.code === 'KV_CORRUPT' ? 'TSO_CORRUPT' : 'TSO_UNAVAILABLE'
  return new TsoError(code, `the store failed to ${what}: ${String(known.message ?? error)}`, { cause: error, outcome })
}
