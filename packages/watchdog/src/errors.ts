/** Every failure of a watchdog that is not a bad argument. */
const codes = {
  WATCHDOG_CLOSED: { retryable: false, summary: 'The watchdog was closed.' },
  WATCHDOG_DUPLICATE_ID: { retryable: false, summary: 'A component of this id is registered.' },
  WATCHDOG_FULL: { retryable: false, summary: 'More components than `maxComponents`.' },
  WATCHDOG_RECOVERY_FAILED: { retryable: true, summary: '`clean` or `restart` said that the component is unhealthy.' },
  WATCHDOG_RECOVERY_TIMEOUT: { retryable: true, summary: '`clean` or `restart` took too long; its signal was aborted.' },
  WATCHDOG_SESSION_CLOSED: { retryable: false, summary: 'The session or election was closed.' },
  WATCHDOG_SESSION_CORRUPT: { retryable: false, summary: 'A stored record is not what this package wrote.' },
  WATCHDOG_SESSION_FENCED: { retryable: true, summary: 'The lease may have ended: nothing may be served on it until it is renewed.' },
  WATCHDOG_SESSION_LOST: { retryable: false, summary: 'Another process holds the key, or somebody removed it.' },
  WATCHDOG_SESSION_TAKEN: { retryable: true, summary: 'A session with this key is registered.' },
  WATCHDOG_STORE_TIMEOUT: { retryable: true, summary: 'The store did not answer in time.' },
  WATCHDOG_UNREGISTERED: { retryable: false, summary: 'The component was unregistered while it was being recovered.' },
} as const

export type WatchdogErrorCode = keyof typeof codes
export const WATCHDOG_ERROR_CODES: Readonly<Record<WatchdogErrorCode, { readonly retryable: boolean; readonly summary: string }>> = codes

export interface WatchdogErrorOptions {
  readonly cause?: unknown
  readonly retryable?: boolean | undefined
  readonly details?: Readonly<Record<string, unknown>> | undefined
}

/** The one error class of this package. Recognise it with {@link isWatchdogError}, which also knows other copies of the package. */
export class WatchdogError extends Error {
  override readonly name: string = 'WatchdogError'
  readonly code: WatchdogErrorCode
  readonly retryable: boolean
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: WatchdogErrorCode, message: string, options: WatchdogErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? codes[code].retryable
    this.details = options.details ?? {}
  }

  toJSON(): Record<string, unknown> {
    return { name: this.name, code: this.code, message: this.message, retryable: this.retryable, details: this.details }
  }
}

/** True for a WatchdogError of this or any other copy of the package, with this code if one is given. */
export function isWatchdogError(error: unknown, code?: WatchdogErrorCode): error is WatchdogError {
  if (typeof error !== 'object' || error === null) return false
  const { name, code: itsCode } = error as { name?: unknown; code?: unknown }
  return name === 'WatchdogError' && typeof itsCode === 'string' && (code === undefined || itsCode === code)
}
