/**
 * Every failure of this package that is not a programming mistake. Bad arguments are `TypeError` and `RangeError`; an
 * abort rejects with `signal.reason`.
 */
const codes = {
  TSO_CLOCK_BEHIND: { retryable: true, summary: 'The saved window lies further ahead of the wall clock than `maxLeadMs` allows.' },
  TSO_CLOCK_INVALID: { retryable: false, summary: 'The wall clock is outside the years that a timestamp may carry.' },
  TSO_CLOCK_OFFSET: { retryable: false, summary: 'A received timestamp is further ahead of the local clock than `maxOffsetMs`.' },
  TSO_CLOSED: { retryable: false, summary: 'The oracle, source or allocator was closed.' },
  TSO_CORRUPT: { retryable: false, summary: 'The stored value is not what this package wrote; nothing is served.' },
  TSO_DRIVER_MISSING: { retryable: false, summary: 'The gRPC driver package is not installed.' },
  TSO_EXHAUSTED: { retryable: false, summary: 'No more timestamps or ids fit in their number of bits.' },
  TSO_FENCED: { retryable: false, summary: 'Another oracle took over the stored window; this one serves no more.' },
  TSO_NOT_LEADER: { retryable: true, summary: 'Another oracle leads, or none for the moment; `details.leader` names it.' },
  TSO_OVERLOADED: { retryable: true, summary: 'More callers wait than `maxWaiting`.' },
  TSO_SET_REFUSED: { retryable: false, summary: 'The timestamp to set is not ahead, or too far ahead.' },
  TSO_SOURCE_BROKEN: { retryable: false, summary: 'A source gave a range that is not what was asked for.' },
  TSO_TIMEOUT: { retryable: true, summary: 'The store did not answer within the deadline.' },
  TSO_UNAVAILABLE: { retryable: true, summary: 'The store failed, so the window could not be saved.' },
} as const

export type TsoErrorCode = keyof typeof codes
export const TSO_ERROR_CODES: Readonly<Record<TsoErrorCode, { readonly retryable: boolean; readonly summary: string }>> = codes

export interface TsoErrorOptions {
  readonly cause?: unknown
  /** For writes: whether the store may have applied it. */
  readonly outcome?: 'not-applied' | 'unknown' | undefined
  readonly retryable?: boolean | undefined
  readonly details?: Readonly<Record<string, unknown>> | undefined
}

/** The one error class of this package. Recognise it with {@link isTsoError}, which also knows other copies of the package. */
export class TsoError extends Error {
  override readonly name: string = 'TsoError'
  readonly code: TsoErrorCode
  readonly retryable: boolean
  readonly outcome: 'not-applied' | 'unknown' | undefined
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: TsoErrorCode, message: string, options: TsoErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? codes[code].retryable
    this.outcome = options.outcome
    this.details = options.details ?? {}
  }

  toJSON(): Record<string, unknown> {
    return { name: this.name, code: this.code, message: this.message, retryable: this.retryable, outcome: this.outcome, details: this.details }
  }
}

/** True for a TsoError of this or any other copy of the package, with this code if one is given. */
export function isTsoError(error: unknown, code?: TsoErrorCode): error is TsoError {
  if (typeof error !== 'object' || error === null) return false
  const { name, code: itsCode } = error as { name?: unknown; code?: unknown }
  return name === 'TsoError' && typeof itsCode === 'string' && (code === undefined || itsCode === code)
}
