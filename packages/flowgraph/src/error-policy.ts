/** What a failing operator leads to. */
import { checkDuration, checkFunction, checkInteger, checkObject, describeValue } from './arguments.ts'
import type { Msg } from './msg.ts'

/** A tick that was given up. */
export interface DeadLetter {
  readonly node: string
  readonly timeTick: bigint
  readonly inputs: readonly Msg[]
  readonly error: unknown
  /** Calls of `operate`, the first included. */
  readonly attempts: number
}

/** First `retries`, then `action`. While a tick is tried again, ticks behind it wait (or run, within `maxParallelism`); the order stays. */
export interface ErrorPolicy {
  /** Calls after the first, 0 to 1,000,000. @default 0 */
  readonly retries?: number | undefined
  /** Before the first of them; doubles each time. @default 100 */
  readonly backoffMs?: number | undefined
  /** @default 5_000 */
  readonly maxBackoffMs?: number | undefined
  /** Errors that are worth a retry. @default all */
  readonly isRetryable?: ((error: unknown) => boolean) | undefined
  /**
   * `fail` stops the graph; `skip` sends skip markers for the tick; `dead-letter` calls `deadLetter`, waits for it, then skips; if it throws, the
   * graph stops. @default 'fail'
   */
  readonly action?: 'fail' | 'skip' | 'dead-letter' | undefined
  readonly deadLetter?: ((letter: DeadLetter) => void | Promise<void>) | undefined
}

export function checkErrorPolicy(name: string, policy: ErrorPolicy): ErrorPolicy {
  checkObject(name, policy)
  const { retries, backoffMs, maxBackoffMs, isRetryable, action, deadLetter } = policy
  if (retries !== undefined) checkInteger(`${name}.retries`, retries, 0, 1_000_000)
  if (backoffMs !== undefined) checkDuration(`${name}.backoffMs`, backoffMs)
  if (maxBackoffMs !== undefined) checkDuration(`${name}.maxBackoffMs`, maxBackoffMs)
  if (isRetryable !== undefined) checkFunction(`${name}.isRetryable`, isRetryable)
  if (action !== undefined && !['fail', 'skip', 'dead-letter'].includes(action))
    throw new RangeError(`expected \`${name}.action\` to be 'fail', 'skip' or 'dead-letter', got ${describeValue(action)}`)
  if (deadLetter !== undefined || action === 'dead-letter') checkFunction(`${name}.deadLetter`, deadLetter)
  return policy
}
